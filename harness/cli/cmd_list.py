"""`golive list`: what there is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.cli import common, terminal
from harness.cli.cmd_drill import drills
from harness.errors import HarnessError, UsageError
from harness.faults import names as fault_names
from harness.runs.saboteurs import registry
from harness.runs.scenario_runner import pytest_argv, pytest_env, scenarios_home, suites
from harness.target import Target
from simulators.gateways import _catalogue, known
from simulators.gateways._switches import switches
from simulators.gateways._tamper import TAMPERINGS

KINDS = ("suites", "scenarios", "events", "tamperings", "switches", "faults", "saboteurs", "drills")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "list", epilog="golive list scenarios   ·   golive list events | grep ^stripe   ·   golive list events --json"
    )(list_all)


def list_all(
    what: Annotated[str, typer.Argument(help=" | ".join(KINDS))] = "scenarios",
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Show what can be run, sent and broken."""
    with common.exit_codes():
        if what not in KINDS:
            raise UsageError(f"golive cannot list {what!r}.{common.nearest(what, KINDS)} It lists: {', '.join(KINDS)}.")
        rows = list(_LISTS.get(what, _named)(what))
        if as_json:
            terminal.print_json(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in rows[0] if rows else ():
            table.add_column(title)
        for row in rows:
            table.add_row(*(terminal.escape(_cell(value)) for value in row.values()))
        terminal.output().print(table)


def _suites(_: str) -> Iterator[dict[str, Any]]:
    for name in suites():
        files = sorted((scenarios_home() / name).glob("test_*.py"))
        text = (scenarios_home() / name / "__init__.py").read_text(encoding="utf-8")
        yield {"suite": name, "promises": len(files), "about": text.strip().strip('"')}


def collected(target: Target | None = None) -> list[dict[str, Any]]:
    """Every scenario in every variant, as pytest collects it: `describe` of the plugin says what is in it.

    With a target, the variants of its gateways; else of all that the reference speaks.
    """
    spoken = json.dumps(target.gateways) if target else ""
    options = ("--collect-only", "--golive-list", f"--golive-gateways={spoken}")
    done = subprocess.run(pytest_argv([], *options), env=pytest_env(), capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"key"')]
    if not lines:
        raise HarnessError(f"the scenarios cannot be listed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return [json.loads(line) for line in lines]


def _scenarios(_: str) -> Iterator[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in collected():
        name = one["key"].partition("[")[0]
        row = {"id": name, "suite": one["suite"], "title": one["title"], "variants": 0, "proves": one["proves"]}
        found.setdefault(name, row)["variants"] += 1
    yield from sorted(found.values(), key=lambda row: (row["suite"], row["id"]))


def _events(_: str) -> Iterator[dict[str, Any]]:
    for row in _catalogue.events():
        yield {
            "gateway": row.gateway,
            "dialect": row.dialect,
            "event": row.event.name,
            "vendor's word": row.event.vendor_name,
            "means": row.meaning,
            "about": row.event.about,
        }


def _switches(_: str) -> Iterator[dict[str, Any]]:
    for name, fake in sorted(known().items()):
        for one in switches(fake):
            yield {
                "gateway": name,
                "switch": one.name,
                "default": json.dumps(one.default, ensure_ascii=False),
                "else": [json.dumps(other, ensure_ascii=False) for other in one.others],
                "confidence": one.mark,
                "what it decides": one.about,
            }


def _saboteurs(_: str) -> Iterator[dict[str, Any]]:
    for one in registry(scenarios_home() / "saboteurs"):
        yield {"saboteur": one.name, "caught by": list(one.caught_by), "as it happens": one.story}


def _drills(_: str) -> Iterator[dict[str, Any]]:
    for one in drills():
        yield {"drill": one.name, "what happens": one.title}


_LISTS = {
    "drills": _drills,
    "scenarios": _scenarios,
    "suites": _suites,
    "events": _events,
    "switches": _switches,
    "saboteurs": _saboteurs,
}


def _named(what: str) -> Iterator[dict[str, Any]]:
    if what == "faults":
        for name, happens in fault_names.known().items():
            yield {"name": name, "what it does": happens}
        return
    known: Mapping[str, object] = TAMPERINGS
    for name, thing in known.items():
        yield {"name": name, "what it does": (thing.__doc__ or "").strip().splitlines()[0]}


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
