"""`golive doctor`: what this machine lacks, and what a target file lets golive see."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import requests
import typer
from rich.console import Console
from rich.table import Table

from harness.cli import common, terminal
from harness.cli.cmd_list import collected
from harness.errors import UsageError
from harness.readiness import machine, rows
from harness.readiness.observable import OF_GATEWAYS, Variant, View, needs_of, of_variant, view, what_to_add
from harness.runs.scenario_runner import scenarios_home
from harness.target import Target

EXAMPLES = """
[bold]Examples[/]

  golive doctor                               this machine
  golive doctor --target golive.toml          and what golive can see of that target
"""

_LIMIT_S = 5
_MARKS = {"ok": "[green]✓[/]", "lacking": "[yellow]–[/]", "needed": "[red]✗[/]"}
_REFUSALS = (400, 401, 403, 404, 405, 415, 422)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """One request to the target, and what its answer means."""

    what: str
    status: int | None
    means: str
    fine: bool | None
    """None: not tried, or it says nothing."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", epilog=EXAMPLES)(doctor)


def doctor(
    target: Annotated[str | None, typer.Option(help="A target file; without one golive.toml, if there is one.")] = None,
    allow_host: Annotated[str | None, typer.Option(help="Permit one unsigned webhook to this host.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Say what this machine lacks, and what golive can and cannot see of a target. Starts nothing.

    Exit code: 0 fine · 1 the target takes an unsigned webhook · 2 usage, or golive cannot run here.
    """
    with common.exit_codes():
        checks = machine.look(Path.cwd())
        told: dict[str, Any] = {"machine": [asdict(one) for one in checks]}
        out = terminal.output()
        if not as_json:
            out.print(_machine_table(checks))
        knocks: list[Knock] = []
        if target or Path("golive.toml").exists():
            path, wanted = common.find_target(target)
            seen = view(_variants(wanted), wanted)
            knocks = list(_knock(wanted, allow_host))
            told["target"] = _as_json(path, wanted, seen, knocks)
            if not as_json:
                _show_target(out, told["target"])
        elif not as_json:
            out.print("\nNo target file here. `golive init` writes one to start from.")
        if as_json:
            terminal.print_json(json.dumps(told, ensure_ascii=False, indent=2))
        if any(one.state == "needed" for one in checks):
            raise typer.Exit(2)
        raise typer.Exit(1 if any(one.fine is False for one in knocks) else 0)


# -- what can be seen ----------------------------------------------------------------------------------------------


def _variants(target: Target) -> list[Variant]:
    """Every scenario for every gateway and dialect that the target speaks."""
    needs = needs_of(scenarios_home())
    found = []
    for one in collected(target):
        name = one["key"].partition("[")[0]
        claimed = (row for claim in one["proves"] for row in rows.expand(claim, one["gateway"]))
        found.append(
            Variant(
                key=one["key"], suite=one["suite"], rows=frozenset(claimed), needs=of_variant(needs[name], one["key"])
            )
        )
    return found


def _as_json(path: Path, target: Target, seen: View, knocks: Sequence[Knock]) -> dict[str, Any]:
    whole, part, none = (sorted(some) for some in (seen.whole, seen.part, seen.none))
    by_suite = Counter(one.suite for one in seen.seen)
    return {
        "file": str(path),
        "name": target.name,
        "gateways": target.gateways,
        "headline": (
            f"{len(whole)} of {len(whole) + len(part) + len(none)} rows that scenarios prove are wholly observable, "
            f"{len(part)} in part, {len(none)} not at all"
        ),
        "scenarios": {
            "observable": len(seen.seen),
            "not": len(seen.unseen),
            "by_suite": dict(sorted(by_suite.items())),
        },
        "left_out": {key: list(lacking) for key, lacking in sorted(seen.unseen.items())},
        "rows": {"whole": whole, "part": part, "none": none},
        "add": list(_additions(seen)),
        "door": [asdict(one) for one in knocks],
    }


def _additions(seen: View) -> Iterator[dict[str, Any]]:
    """What to add: what shows most by itself first, and other gateways, which are no matter of probes, last."""
    alone = Counter(lacking[0] for lacking in seen.unseen.values() if len(lacking) == 1)
    counted = Counter(need for lacking in seen.unseen.values() for need in lacking)
    for need in sorted(counted, key=lambda one: (one.startswith(OF_GATEWAYS), -alone[one], -counted[one], one)):
        yield {
            "needs": need,
            "add": what_to_add(need),
            "alone": alone[need],
            "with_others": counted[need] - alone[need],
        }


# -- the front door ------------------------------------------------------------------------------------------------


def _knock(target: Target, allow_host: str | None) -> Iterator[Knock]:
    """Is anybody there, and what is an unsigned webhook answered with? Two requests, no more."""
    if "${port}" in target.base_url:
        yield Knock(what="base_url", status=None, means="golive starts it itself, on a free port: not tried", fine=None)
        return
    try:
        common.check_host(target.base_url, allow_host, what="One unsigned webhook goes")
    except UsageError as error:
        yield Knock(what="base_url", status=None, means=f"not tried: {error}", fine=None)
        return
    status = _ask("GET", target.base_url + target.paths.ready)
    yield Knock(what=f"GET {target.paths.ready}", status=status, means=_of_ready(status), fine=None)
    if status is None:
        return
    gateway = next(iter(target.gateways), "stripe")
    path = target.paths.webhook.format(gateway=gateway, tenant="golive-doctor")
    status = _ask("POST", target.base_url + path)
    fine = None if status is None else not 200 <= status < 300
    yield Knock(what=f"POST {path}, unsigned", status=status, means=_of_unsigned(status), fine=fine)


def _ask(method: str, url: str) -> int | None:
    with requests.Session() as http:
        http.trust_env = False
        headers = {"Content-Type": "application/json"}
        body = b"{}" if method == "POST" else None
        try:
            answer = http.request(method, url, data=body, headers=headers, timeout=_LIMIT_S, allow_redirects=False)
        except requests.RequestException:
            return None
        return answer.status_code


def _of_ready(status: int | None) -> str:
    if status is None:
        return "nothing answers there; is the target up, and base_url right?"
    return "ready" if status < 300 else "it is there, but does not call itself ready: see paths.ready"


def _of_unsigned(status: int | None) -> str:
    if status is None:
        return "the connection was cut, or nothing came in time"
    if status < 300:
        return "TAKEN: anybody can invent sales"
    if status in _REFUSALS:
        return "refused, as it must be" + ("" if status != 404 else " (404: no such tenant, or no such path)")
    return "neither taken nor refused with a 4xx: a vendor would send it again and again"


# -- in words ------------------------------------------------------------------------------------------------------


def _machine_table(checks: Sequence[machine.Check]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in checks:
        table.add_row(_MARKS[one.state], terminal.escape(one.name), terminal.escape(one.found))
    return table


def _show_target(out: Console, told: dict[str, Any]) -> None:
    spoken = ", ".join(f"{name} ({', '.join(dialects)})" for name, dialects in told["gateways"].items())
    out.print(
        f"\n[bold]{terminal.escape(told['name'])}[/] ({terminal.escape(told['file'])}) speaks {terminal.escape(spoken)}"
    )
    for one in told["door"]:
        status = "" if one["status"] is None else f" {one['status']}:"
        style = {True: "green", False: "bold red", None: "dim"}[one["fine"]]
        out.print(f"  {terminal.escape(one['what'])}:{status} [{style}]{terminal.escape(one['means'])}[/]")
    scenarios = told["scenarios"]
    suites = ", ".join(f"{name} {count}" for name, count in scenarios["by_suite"].items())
    out.print(f"\n[bold]{told['headline']}.[/]")
    out.print(f"{scenarios['observable']} scenarios can run ({suites}); {scenarios['not']} cannot, with this file.")
    if not told["add"]:
        return
    out.print("\nTo see more, add to the target file (docs/bring-your-own.md shows each):")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("scenarios", "with the others", "add"):
        table.add_column(title)
    for one in told["add"]:
        table.add_row(f"+{one['alone']}", f"+{one['with_others']}", terminal.escape(one["add"]))
    out.print(table)
