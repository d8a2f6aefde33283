"""`golive prove`: break the reference in every known way, and see that somebody notices."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.cli import common, terminal
from harness.cli.cmd_list import collected
from harness.clock import RunClock
from harness.errors import HarnessError, UsageError
from harness.runs.mutation_run import MutationRun
from harness.runs.saboteurs import PROOF, Saboteur, Trial, exit_code, registry, unknown_claims
from harness.runs.scenario_run import Findings, ScenarioRun, Selection
from harness.runs.scenario_runner import scenarios_home
from harness.target import Target

EXAMPLES = """
[bold]Examples[/]

  golive prove                                    every saboteur, each before the scenarios that claim to see it
  golive prove --saboteur signature-skipped       one of them; may be repeated
  golive prove --saboteur no-jitter --full        does any scenario at all see it?
  golive prove --json                             the result for a program, on standard output
  golive list saboteurs                           what there is, and who claims to catch it
"""

DOCS = Path("docs/saboteurs.md")

#: How long scenarios wait here for what does not come: nearly every red one waits to the end.
_PATIENCE_S = 10.0

#: Scenarios at a time on each stack.
WORKERS = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prove", epilog=EXAMPLES)(prove)


def prove(
    saboteur: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="All scenarios against each, not only those that claim.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Every invented person and id follows from it.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Stacks side by side, a saboteur on each; else two for each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result to standard output.")] = False,
    write_docs: Annotated[
        bool, typer.Option("--write-docs", help="Write docs/saboteurs.md again; run nothing.")
    ] = False,
) -> None:
    """Break the reference in every known way and see that the scenarios notice.

    First the same scenarios must be green on the reference as it is. Then each saboteur's own must turn red.

    Exit code: 0 all caught · 1 one was not · 2 one did not bite, or the harness failed: nothing is proved.
    """
    with common.exit_codes():
        known = registry(scenarios_home() / "saboteurs")
        if write_docs:
            DOCS.write_text(page(known), encoding="utf-8")
            return
        chosen = _chosen(known, saboteur or [])
        if wrong := unknown_claims(known, [one["key"] for one in collected()]):
            raise HarnessError("; ".join(wrong))
        _, target = common.find_target("reference")
        number = common.seed_of(seed)
        _, folder = common.new_run_folder(None)
        proof = _Proof(_impatient(target), chosen, seed=number, folder=folder, full=full)
        proof.screen.print(f"golive prove: {len(chosen)} saboteurs, seed {number}, logs in {folder}")
        trials = proof.run(stacks=min(workers or 2 * (os.cpu_count() or 1), len(chosen)))
        result = _result(trials, seed=number, seconds=proof.seconds)
        _publish(result, folder, whole=not saboteur)
        _show(trials, proof.screen)
        if as_json:
            terminal.print_json(json.dumps(result, ensure_ascii=False, indent=2))
        raise typer.Exit(exit_code(trials))


def _chosen(known: Sequence[Saboteur], names: Sequence[str]) -> list[Saboteur]:
    by_name = {one.name: one for one in known}
    for name in names:
        if name not in by_name:
            raise UsageError(
                f"No saboteur is called {name!r}.{common.nearest(name, by_name)} `golive list saboteurs` shows them."
            )
    return [by_name[name] for name in dict.fromkeys(names)] if names else list(known)


def _impatient(target: Target) -> Target:
    """The control run waits as short: what is red only for that is red there first."""
    timings = target.timings.model_copy(update={"dispatch_s": min(_PATIENCE_S, target.timings.dispatch_s)})
    return target.model_copy(update={"timings": timings})


class _Proof:
    """One proof: the control run, then every saboteur, several stacks side by side."""

    def __init__(
        self,
        target: Target,
        saboteurs: Sequence[Saboteur],
        *,
        seed: int,
        folder: Path,
        full: bool,
    ) -> None:
        self.screen = terminal.console()
        self.seconds = 0.0
        self._target = target
        self._saboteurs = saboteurs
        self._seed = seed
        self._folder = folder
        self._full = full
        self._clock = RunClock.starting_now()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sessions: list[MutationRun] = []
        self._trials: list[Trial] = []

    def run(self, *, stacks: int) -> list[Trial]:
        """Everything; the trials in the order of the saboteurs.

        Raises:
            HarnessError: the same scenarios are not green on the reference as it is.
        """
        began = time.monotonic()
        self._control()
        todo: SimpleQueue[Saboteur] = SimpleQueue()
        for one in self._saboteurs:
            todo.put(one)
        with ThreadPoolExecutor(stacks) as pool:
            try:
                for done in [pool.submit(self._try_on_a_stack, number, todo) for number in range(stacks)]:
                    done.result()
            finally:
                self._stopping.set()
                for session in self._sessions:
                    session.abandon()
                pool.shutdown(wait=True)
                for session in self._sessions:
                    session.stop()
        self.seconds = time.monotonic() - began
        order = {one.name: place for place, one in enumerate(self._saboteurs)}
        return sorted(self._trials, key=lambda one: order[one.saboteur.name])

    def _control(self) -> None:
        """The same scenarios on the reference as it is: what is red there would prove nothing of a saboteur."""
        keys = sorted({claim for one in self._saboteurs for claim in one.scenarios})
        if not keys and not self._full:
            return
        self.screen.print(f"first the reference as it is: {'all' if self._full else len(keys)} scenarios")
        began = time.monotonic()
        folder = self._folder / "control"
        folder.mkdir()
        with terminal.Progress(self.screen) as progress:
            run = ScenarioRun(
                self._target,
                seed=self._seed,
                folder=folder,
                clock=self._clock,
                watcher=progress,
                reproduce="golive run",
            )
            try:
                selection = Selection(keys=None if self._full else frozenset(keys))
                run.collect(selection)
                run.start()
                run.run(selection)
                run.look_once_more()
                run.hunt()
            finally:
                run.stop()
        if complaint := _complaint(run.findings, keys):
            raise HarnessError(f"nothing can be proved: the reference as it is, is not green. {complaint}")
        self.screen.print(f"green in {time.monotonic() - began:.0f} s")

    def _try_on_a_stack(self, number: int, todo: SimpleQueue[Saboteur]) -> None:
        """Bring a stack up, and try one saboteur after the other on it until none is left."""
        session = MutationRun(self._target, seed=self._seed, folder=self._folder / f"stack-{number}", clock=self._clock)
        with self._lock:
            self._sessions.append(session)
        session.start()
        self._work(session, todo)

    def _work(self, session: MutationRun, todo: SimpleQueue[Saboteur]) -> None:
        while not self._stopping.is_set():
            try:
                one = todo.get_nowait()
            except Empty:
                return
            trial = session.try_saboteur(one, full=self._full, workers=WORKERS)
            if self._stopping.is_set():
                return
            with self._lock:
                self._trials.append(trial)
                self.screen.print(f"{len(self._trials):3d}/{len(self._saboteurs)}  {_line(trial)}")


def _complaint(findings: Findings, keys: Sequence[str]) -> str:
    """Why a control run is no control; nothing if all is well."""
    red = [f"{one.id}: {one.message}" for one in findings.scenarios if one.outcome != "passed"]
    missing = [f"{key} did not run" for key in keys if key not in {one.id for one in findings.scenarios}]
    leaks = [str(one) for one in findings.privacy.leaks]
    return "; ".join([*findings.harness_errors, *findings.broken, *red, *missing, *leaks][:3])


_STYLES = {"caught": "green", "missed": "bold red", "no bite": "bold magenta", "error": "bold magenta"}


def _line(trial: Trial) -> str:
    style, outcome = _STYLES[trial.outcome], trial.outcome
    return f"[{style}]{outcome:8}[/] {trial.saboteur.name}  {terminal.escape(_by(trial))}  {trial.seconds:.1f} s"


def _by(trial: Trial) -> str:
    match trial.outcome:
        case "error":
            return trial.errors[0][:300]
        case "no bite":
            return "its broken code never ran"
        case "missed":
            return f"not by {', '.join(trial.missed_by)}"
        case _:
            return ", ".join(trial.red[:4])


def _show(trials: Sequence[Trial], screen: Any) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("saboteur", "story", "caught by", "s", "bites"):
        table.add_column(title, justify="right" if title in ("s", "bites") else "left")
    for one in trials:
        by = f"[{_STYLES[one.outcome]}]{terminal.escape(_by(one))}[/]"
        table.add_row(one.saboteur.name, terminal.escape(one.saboteur.story), by, f"{one.seconds:.1f}", str(one.bites))
    screen.print(table)
    caught = sum(one.outcome == "caught" for one in trials)
    style = "bold green" if caught == len(trials) else "bold red"
    screen.print(f"[{style}]{caught} of {len(trials)} saboteurs caught[/]")


def _result(trials: Sequence[Trial], *, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "caught": sum(one.outcome == "caught" for one in trials),
        "total": len(trials),
        "exit_code": exit_code(trials),
        "seed": seed,
        "commit": common.commit_here(),
        "at": common.wall_clock_iso(),
        "seconds": round(seconds, 1),
        "saboteurs": [
            {
                "name": one.saboteur.name,
                "story": one.saboteur.story,
                "claims": list(one.saboteur.caught_by),
                "outcome": one.outcome,
                "caught_by": list(one.red),
                "why": one.why[:500],
                "errors": list(one.errors),
                "bites": one.bites,
                "seconds": round(one.seconds, 1),
            }
            for one in trials
        ],
    }


def _publish(result: dict[str, Any], folder: Path, *, whole: bool) -> None:
    """Into the run's folder, and where `report.json` will look for it, unless it is about a few only."""
    text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    for path in (folder / PROOF, *((common.OUT / PROOF,) if whole else ())):
        path.write_text(text, encoding="utf-8")


def page(saboteurs: Sequence[Saboteur]) -> str:
    """docs/saboteurs.md."""
    rows = "\n".join(f"| `{one.name}` | {one.story} | {', '.join(one.caught_by)} |" for one in saboteurs)
    return f"""# Saboteurs: the proof that the scenarios can fail

`golive prove` starts the reference broken in each of these {len(saboteurs)} ways, and runs the scenarios that claim to
see it. Each must turn red. A patch whose code never ran, or a process that died of it, is an error (exit 2) and no
catch. This page is written by `make docs-saboteurs`.

| saboteur | as it happens | caught by |
|---|---|---|
{rows}
"""
