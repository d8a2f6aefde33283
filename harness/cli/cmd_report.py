"""`golive report`: render a run again from its report.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import common, terminal
from harness.errors import UsageError
from harness.records import RunRecord
from reports import history, trend
from reports.write import write_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "report",
        epilog="golive report   ·   golive report 20260301T120000Z-1f2e   ·   golive report a/folder --json",
    )(report)


def load_run(run: str) -> tuple[RunRecord, Path]:
    """A run by its id, its folder, or `latest`.

    Raises:
        UsageError: there is no such run, or it cannot be read.
    """
    folder = Path(run) if Path(run).is_dir() else common.OUT / run
    try:
        return RunRecord.from_json(json.loads((folder / "report.json").read_text(encoding="utf-8"))), folder
    except (FileNotFoundError, NotADirectoryError):
        runs = sorted(one.parent.name for one in common.OUT.glob("*/report.json"))
        near = common.nearest(run, runs)
        raise UsageError(f"There is no run {run!r}.{near} Known: {', '.join(runs[-5:]) or 'none yet'}.") from None
    except OSError as error:
        raise UsageError(f"{folder}/report.json cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{folder}/report.json cannot be read: {error}") from None


def report(
    run: Annotated[str, typer.Argument(help="A run id, a folder, or latest.")] = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Render a run again and show its closing table."""
    with common.exit_codes():
        record, folder = load_run(run)
        write_run(
            record,
            folder,
            history=history.read(common.OUT),
            trend_runs=trend.with_load(trend.FILE, record),
        )
        terminal.show(record, folder, terminal.console() if as_json else terminal.output())
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
