"""`golive compare`: what became better or worse between two runs, in words."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.checks.compare import compare as differences
from harness.cli import common, terminal
from harness.cli.cmd_report import load_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "compare",
        epilog="golive compare 20260301T120000Z-1f2e latest   ·   "
        "golive compare main-run/ reports/out/latest --fail-on-regression   ·   golive compare A B --json | jq .worse",
    )(compare)


def compare(
    older: Annotated[str, typer.Argument(help="The older run: an id, a folder, or latest.", metavar="RUN")],
    newer: Annotated[str, typer.Argument(help="The newer run, likewise.", metavar="RUN")],
    fail: Annotated[bool, typer.Option("--fail-on-regression", help="Exit with 1 if anything became worse.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON to standard output.")] = False,
) -> None:
    """Say what became better or worse beyond noise: verdict, scenarios, rows, numbers, durations.

    Numbers whose 95 % intervals overlap are no different. Durations are told and never count as a regression.

    Exit code: 0 · 1 a regression, with --fail-on-regression · 2 a run cannot be read.
    """
    with common.exit_codes():
        old, new = load_run(older)[0], load_run(newer)[0]
        found = differences(old, new)
        screen = terminal.console() if as_json else terminal.output()
        screen.print(terminal.escape(f"{old.run_id} → {new.run_id}"))
        for title, style, lines in (("worse", "red", found.worse), ("better", "green", found.better)):
            if lines:
                screen.print(f"\n[bold {style}]{title}[/] ({len(lines)})")
                for line in lines:
                    screen.print(f"  {terminal.escape(line)}")
        if not found.changes:
            screen.print("\nNothing became better or worse beyond noise.")
        for note in found.notes:
            screen.print(f"[dim]{terminal.escape(note)}[/]")
        if as_json:
            told = {
                "older": old.run_id,
                "newer": new.run_id,
                "worse": found.worse,
                "better": found.better,
                "regressions": [one.words for one in found.regressions],
                "notes": found.notes,
            }
            terminal.print_json(json.dumps(told, ensure_ascii=False, indent=2))
        if fail and found.regressions:
            raise typer.Exit(1)
