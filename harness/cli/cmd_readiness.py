"""`golive readiness`: every line of the launch plan, and what the newest run knows of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

import typer
from rich.table import Table

from harness.checks.verdict import decide
from harness.cli import common, terminal
from harness.cli.cmd_report import load_run
from harness.errors import UsageError
from harness.readiness import rows
from harness.records import RowState, RunRecord

_STYLES = {
    RowState.MET: "green",
    RowState.NOT_MET: "red",
    RowState.UNDECIDED: "yellow",
    RowState.NOT_OBSERVED: "yellow",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("readiness", epilog="golive readiness   ·   golive readiness --run latest --json")(readiness)


def readiness(
    run: Annotated[
        str,
        typer.Option(help="The run to judge by: an id or a folder. Without it: the newest run and the newest load."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Say of every line of the launch plan whether it is met; what nobody has looked at is never a pass.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        seen = load_run(run)[0] if run else _newest()
        run_id, folder = common.new_run_folder(None)
        record = _judge(seen, run_id)
        common.publish(record, folder)
        screen = terminal.console() if as_json else terminal.output()
        screen.print(_table(record))
        terminal.show(replace(record, scenarios=(), timings={}), folder, screen)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        raise typer.Exit(record.exit_code)


def _newest() -> RunRecord:
    """The newest run and the newest load of the same target, as one.

    Raises:
        UsageError: there is neither.
    """
    found: dict[str, RunRecord] = {}
    for folder in sorted((one for one in common.OUT.glob("2*") if (one / "report.json").exists()), reverse=True):
        try:
            record, _ = load_run(folder.name)
        except UsageError:
            continue  # written by another golive
        same = not found or record.target.name == next(iter(found.values())).target.name
        if record.kind in ("run", "load") and record.kind not in found and same:
            found[record.kind] = record
        if len(found) == 2:
            break
    if not found:
        raise UsageError("There is no run yet to judge by. Begin with `golive run`.")
    run, load = found.get("run"), found.get("load")
    if run is None or load is None:
        return run or next(iter(found.values()))
    return replace(
        run,
        slo=load.slo,
        load=load.load,
        ledger=run.ledger + load.ledger,
        harness_errors=(*run.harness_errors, *load.harness_errors),
        broken=(*run.broken, *load.broken),
        run_id=f"{run.run_id} and {load.run_id}",
        command=f"{run.command} ; {load.command}",
    )


def _judge(seen: RunRecord, run_id: str) -> RunRecord:
    stories, checklist = rows.judge(
        rows.load(),
        seen.scenarios,
        seen.slo,
        reproduce=seen.command,
        benchmarks=common.benchmarks_of(seen.target),
    )
    plan = (*stories, *checklist)
    judged = decide(
        harness_errors=seen.harness_errors,
        broken=seen.broken,
        scenarios=seen.scenarios,
        ledger=seen.ledger,
        privacy=seen.privacy,
        slo=seen.slo,
        plan=plan,
        required={row.id for row in plan if row.state is not RowState.OUT_OF_SCOPE},
    )
    return replace(
        seen,
        run_id=run_id,
        kind="readiness",
        started_at=common.wall_clock_iso(),
        command=f"golive readiness  # judges {seen.run_id}",
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=judged.headline,
        reasons=judged.reasons,
        not_observed=judged.not_observed,
        next_steps=judged.next_steps,
        stories=stories,
        checklist=checklist,
    )


def _table(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("row", "state", "what the plan says"):
        table.add_column(title)
    for row in (*record.stories, *record.checklist):
        style = _STYLES.get(row.state, "dim")
        table.add_row(row.id, f"[{style}]{row.state.value.replace('_', ' ')}[/]", terminal.escape(row.text))
    return table
