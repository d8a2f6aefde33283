"""`golive merge`: one report of the parts that `golive run --shard` has made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from harness.checks.merge import merge
from harness.cli import common, terminal
from harness.cli.cmd_report import load_run
from harness.cli.cmd_run import judge
from harness.clock import RunClock
from harness.runs.scenario_run import Findings

EXAMPLES = """
[bold]Examples[/]

  golive run --seed 7 --shard 1/2 --out one      on one machine
  golive run --seed 7 --shard 2/2 --out two      on another
  golive merge one two --out whole               anywhere
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("merge", epilog=EXAMPLES)(merge_shards)


def merge_shards(
    shards: Annotated[list[str], typer.Argument(help="The parts: folders with a report.json, or run ids.")],
    out: Annotated[Path | None, typer.Option(help="A new folder for the report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Judge the parts of a run as the one run that they are; a part that is missing was not observed.

    Exit code: as `golive run`, which would have seen the same.
    """
    with common.exit_codes():
        loaded = [load_run(one) for one in shards]
        records = [record for record, _ in loaded]
        merged = merge(records)
        first = min(records, key=lambda one: one.started_at)
        part = first.shard
        assert part is not None
        run_id, folder = common.new_run_folder(out)
        for record, home in loaded:
            if record.shard and (home / "logs").is_dir():
                shutil.copytree(home / "logs", folder / "logs" / f"part-{record.shard.index}")
        findings = Findings(
            scenarios=list(merged.scenarios),
            harness_errors=list(merged.harness_errors),
            broken=list(merged.broken),
            privacy=merged.privacy,
            not_applicable=list(merged.not_applicable),
            left_out=list(first.left_out),
            timings={f"part {one.shard.index}": one.duration_s for one in records if one.shard},
        )
        command = first.command.rpartition(" --shard ")[0] or first.command
        judged = judge(
            findings,
            run_id=run_id,
            seed=first.seed,
            clock=RunClock.at(first.clock_origin),
            target=first.target,
            command=command,
            options=common.options_of(first),
            machine="; ".join(dict.fromkeys(one.machine for one in records)),
            whole=part.selection == "--all",
            started_at=first.started_at,
            duration_s=max(one.duration_s for one in records),
            shard=None,
        )
        common.publish(judged, folder)
        screen = terminal.console()
        if merged.missing:
            told = ", ".join(map(str, merged.missing))
            screen.print(
                f"[bold yellow]missing:[/] part {told} of {part.count}; what it should have seen is not observed"
            )
        terminal.show(judged, folder, screen, not_applicable=len(merged.not_applicable))
        if as_json:
            terminal.print_json(json.dumps(judged.to_json(), ensure_ascii=False, indent=2))
        raise typer.Exit(judged.exit_code)
