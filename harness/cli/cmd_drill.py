"""`golive drill NAME`: fault, page, runbook, recovery, with its timeline."""

from __future__ import annotations

import ast
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness.cli import cmd_run, common, terminal
from harness.errors import UsageError
from harness.records import RunRecord, TargetInfo
from harness.runs.scenario_run import Findings, ScenarioRun, Selection
from harness.runs.scenario_runner import scenarios_home

EXAMPLES = """
[bold]Examples[/]

  golive drill dlq                    dead letters pile up, page, are redriven by the runbook
  golive drill meta-outage --json     the report for a program, on standard output
  golive drill breaker --seed 7 --at 2026-03-01T12:00:00Z     the same again
  golive drill dlq --by-hand          you follow the runbook; golive breaks, pages, and sees whether it worked
  golive list drills                  what there is

A minute of the drill lasts a blink: half an hour is lived in ten seconds or so (docs/drills.md).
"""

PREFIX = "drill_"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFile:
    """One exercise: a file `scenarios/drills/drill_NAME.py`."""

    name: str
    path: Path
    title: str
    """The first line of the file, without its id."""


def drills() -> list[DrillFile]:
    """Every drill that there is, by name; read, not imported."""
    found = []
    for path in sorted((scenarios_home() / "drills").glob(f"{PREFIX}*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
        name = path.stem.removeprefix(PREFIX).replace("_", "-")
        found.append(DrillFile(name=name, path=path, title=said.splitlines()[0].partition("  ")[2] or said))
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drill", epilog=EXAMPLES)(drill)


def drill(
    name: Annotated[str, typer.Argument(help="Which one; `golive list drills` shows them.")],
    target: Annotated[
        str | None, typer.Option(help="A target file; without one golive.toml, else the reference.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Every invented person and id follows from it.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When the drill believes it begins, like 2026-03-01T12:00:00Z.")
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="You follow the runbook, in a second terminal; golive waits for you.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A new folder for the report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Break something on a pipeline of its own, wait for the page, follow the runbook, and see it recover.

    The runbook's commands are executed as they stand in its page (docs/runbooks/), so the two cannot drift apart.
    With --by-hand you are on call: what mends it is left to you.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        chosen = _chosen(name)
        if by_hand and not sys.stdin.isatty():
            raise UsageError("--by-hand waits for you to press Enter, and there is no terminal to press it on.")
        path, wanted = common.find_target(target)
        common.check_host(wanted.base_url, None, what="Faults are put in place")
        clock, number = common.clock_of(at), common.seed_of(seed)
        run_id, folder = common.new_run_folder(out)
        again = common.reproduce_command(f"drill {chosen.name}", seed=number, clock=clock, target=target)
        screen = terminal.console()
        screen.print(
            f"golive drill {chosen.name} {run_id}: target {wanted.name} ({path}), seed {number}, clock {clock.iso()}"
        )
        screen.print(f"[bold]{terminal.escape(chosen.title)}[/]")
        began, started_at, commit = time.monotonic(), common.wall_clock_iso(), common.commit_here()
        with terminal.Progress(screen) as progress:
            session = ScenarioRun(wanted, clock=clock, seed=number, folder=folder, watcher=progress, reproduce=again)
            session.on_said = progress.said
            session.person = OnCall(progress).asked if by_hand else None
            selection = Selection(file=chosen.path, workers=1)
            session.collect(selection)
            findings = cmd_run.observe(session, selection)
            session.stop()
        duration_s = time.monotonic() - began
        findings.scenarios[:] = [replace(one, reproduce=again) for one in findings.scenarios]

        def judged() -> RunRecord:
            return cmd_run.judge(
                findings,
                run_id=run_id,
                seed=number,
                clock=clock,
                target=TargetInfo(name=wanted.name, commit=common.commit_since(commit)),
                command=again,
                options=common.target_option(target),
                machine=common.machine_here(),
                whole=False,
                shard=None,
                started_at=started_at,
                duration_s=duration_s,
            )

        _must_have_happened(findings)
        record = judged()
        common.publish(record, folder)
        if session.hunt_reports():
            # What we have told leaks: that is told as well.
            record = judged()
            common.publish(record, folder)
        if timeline := _timeline(record):
            screen.print(timeline)
        terminal.show(record, folder, screen)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        raise typer.Exit(record.exit_code)


class OnCall:
    """The person at the terminal, asked for one thing at a time."""

    def __init__(self, progress: terminal.Progress) -> None:
        self._progress = progress
        self._asked = ""
        self._done = threading.Event()

    def asked(self, what: str) -> bool:
        """Whether they have done it; the first time, they are told what it is."""
        if what != self._asked:
            self._asked, self._done = what, threading.Event()
            self._progress.said(what, passing=False)
            self._progress.said("waiting for you to press Enter", passing=True)
            threading.Thread(target=self._wait_for_enter, args=(self._done,), daemon=True).start()
        return self._done.is_set()

    @staticmethod
    def _wait_for_enter(done: threading.Event) -> None:
        os.read(sys.stdin.fileno(), 4_096)  # not readline: its lock would be held when the interpreter ends
        done.set()


def _chosen(name: str) -> DrillFile:
    known = {one.name: one for one in drills()}
    if name not in known:
        raise UsageError(f"No drill is called {name!r}.{common.nearest(name, known)} Known: {', '.join(known)}.")
    return known[name]


def _must_have_happened(findings: Findings) -> None:
    """A drill that did not take place is no drill that went well."""
    if not (findings.scenarios or findings.harness_errors or findings.broken):
        findings.harness_errors.append("the drill did not take place")


def _timeline(record: RunRecord) -> Table | None:
    """What happened when, in the pipeline's own time after the injection."""
    moments = [one for scenario in record.scenarios for one in scenario.timeline]
    if not moments:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("min:s", justify="right")
    table.add_column("step")
    table.add_column("what")
    for one in moments:
        step, _, what = one.what.partition(": ")
        table.add_row(terminal.minutes(one.t_s), f"[bold]{terminal.escape(step)}[/]", terminal.escape(what))
    return table
