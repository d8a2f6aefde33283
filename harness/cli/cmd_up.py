"""`golive up`, `golive status`, `golive down`: fakes on stable ports to develop against, and their page."""

from __future__ import annotations

import ipaddress
import json
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import common, terminal
from harness.errors import HarnessError, UsageError
from harness.stack import environment
from harness.stack.environment import CONSOLE, LOOPBACK, USUAL, Environment, State
from harness.stack.processes import Death, tail

DEFAULT_PORT_BASE = 7100

_EXAMPLES = """
[bold]Examples[/]

  golive up                                    fake Meta on 7100, fake gateways on 7101, the page on 7102
  golive up --detach --env-file golive.env     in the background; `golive down` ends it
  golive up --only meta,console                no gateways
  golive up --listen 192.168.0.7               the page can be seen from a phone, with a one-time link
"""

JSON = Annotated[bool, typer.Option("--json", help="For a program: one JSON object on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up", epilog=_EXAMPLES)(up)
    app.command("status")(status)
    app.command("down")(down)


def up(
    only: Annotated[
        str | None, typer.Option(help="Which fakes, with commas between: gateways,meta,console … Else the usual ones.")
    ] = None,
    port_base: Annotated[int, typer.Option(help="The first port; each fake keeps its place.")] = DEFAULT_PORT_BASE,
    env_file: Annotated[
        Path | None, typer.Option(help="Write META_GRAPH_URL=… there, for your service to read.")
    ] = None,
    listen: Annotated[
        str, typer.Option(help="An address for the page, so that others can see it; they need a one-time link.")
    ] = LOOPBACK,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Inside a container only: its own address answers too, so that ports can be published."
        ),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is up; `golive down` ends it.")] = False,
    as_json: JSON = False,
) -> None:
    """Start the fakes on stable ports, and a page that shows what they send and receive. Ctrl-C ends it all.

    Exit code: 0 ended by you · 2 usage, or a fake died.
    """
    with common.exit_codes():
        names = _chosen(only)
        _check_address(listen, names)
        if published and not environment.in_a_container():
            raise UsageError("--published would open the fakes to others, and is for the inside of a container only.")
        if detach and published:
            raise UsageError("--detach would end the container at once; --published wants to stay in the foreground.")
        if detach:
            state = _detached(names, port_base=port_base, env_file=env_file, listen=listen)
            _tell(state, as_json=as_json, ends="`golive down` ends it.")
        else:
            _in_the_foreground(
                names, port_base=port_base, env_file=env_file, listen=listen, as_json=as_json, published=published
            )


def status(as_json: JSON = False) -> None:
    """Show what `golive up` runs, and where.

    Exit code: 0 all of it answers · 1 nothing runs, or a part does not answer.
    """
    with common.exit_codes():
        states = environment.read_states()
        told, well = [], bool(states)
        for state in states:
            health = {one.name: environment.answers(one) for one in state.services}
            well = well and all(health.values())
            told.append({**_told(state), "answers": health})
            if not as_json:
                _show(state, health)
        if as_json:
            terminal.print_json(json.dumps({"running": told}, indent=2))
        elif not states:
            terminal.output().print("Nothing is up. `golive up` starts it.")
        raise typer.Exit(0 if well else 1)


def down(
    port_base: Annotated[int | None, typer.Option(help="Which one, if several are up.")] = None,
    as_json: JSON = False,
) -> None:
    """End what `golive up` has started, and wait until it is gone.

    Exit code: 0 it is gone, or nothing was up · 2 it does not end.
    """
    with common.exit_codes():
        states = environment.read_states()
        if port_base is not None:
            states = [one for one in states if one.port_base == port_base]
        if len(states) > 1:
            bases = ", ".join(str(one.port_base) for one in states)
            raise UsageError(f"Several are up ({bases}). Say which: `golive down --port-base N`.")
        for state in states:
            environment.end(state)
        if as_json:
            terminal.print_json(json.dumps({"ended": [one.to_json() for one in states]}, indent=2))
        elif states:
            terminal.output().print(f"Ended: {', '.join(one.name for one in states[0].services)}.")
        else:
            terminal.output().print("Nothing was up.")


# -- starting ------------------------------------------------------------------------------------------------


def _chosen(only: str | None) -> tuple[str, ...]:
    if only is None:
        return USUAL
    known = environment.startable()
    names = tuple(dict.fromkeys(name.strip() for name in only.split(",") if name.strip()))
    for name in names:
        if name not in known:
            guess = common.nearest(name, known)
            raise UsageError(f"No fake is called {name!r}.{guess} Known: {', '.join(known)}.")
    if not names:
        raise UsageError("--only names no fake.")
    return names


def _check_address(listen: str, names: tuple[str, ...]) -> None:
    try:
        address = ipaddress.ip_address(listen)
    except ValueError:
        raise UsageError(f"--listen wants an address like 192.168.0.7 or 0.0.0.0, not {listen!r}.") from None
    if address.is_loopback:
        return
    if CONSOLE not in names:
        raise UsageError("--listen opens the page alone, and --only leaves the page out.")
    terminal.console().print(
        f"[bold yellow]warning:[/] whoever reaches {terminal.escape(listen)} reaches the page. It lets in browsers "
        "with a one-time link only; what it says travels unencrypted. The fakes stay on this machine."
    )


def _in_the_foreground(
    names: tuple[str, ...], *, port_base: int, env_file: Path | None, listen: str, as_json: bool, published: bool
) -> None:
    ended = threading.Event()
    deaths: list[Death] = []

    def died(death: Death) -> None:
        deaths.append(death)
        ended.set()

    running = Environment(
        names, port_base=port_base, listen=listen, env_file=env_file, on_death=died, published=published
    )
    try:
        state = running.start()
        with suppress(KeyboardInterrupt):  # from the first word on, for whoever reads it may press Ctrl-C at once
            _tell(state, as_json=as_json, ends="Ctrl-C ends it.")
            ended.wait()
        if deaths:
            raise HarnessError(f"{deaths[0].sentence()}\n{tail(deaths[0].log)}")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not cut the tidying short
        running.stop()
    terminal.console().print("ended; nothing is left running")


def _detached(names: tuple[str, ...], *, port_base: int, env_file: Path | None, listen: str) -> State:
    environment.check_env_file(env_file)
    wanted = {name: port for name, port in environment.ports(port_base).items() if name in names}
    environment.check_free(wanted, {CONSOLE: listen})
    arguments = ["--only", ",".join(names), "--port-base", str(port_base), "--listen", listen]
    if env_file:
        arguments += ["--env-file", str(env_file)]
    return environment.spawn(arguments, port_base=port_base)


# -- telling -------------------------------------------------------------------------------------------------


def _told(state: State) -> dict[str, Any]:
    return {**state.to_json(), "console_link": state.console_link()}


def _tell(state: State, *, as_json: bool, ends: str) -> None:
    if as_json:
        terminal.print_json(json.dumps(_told(state)))
        return
    _show(state, {})
    out = terminal.output()
    for title, text in _examples(state):
        out.print(f"\n[dim]{title}[/]\n{terminal.escape(text)}")
    out.print(f"\n{ends}")


def _show(state: State, health: dict[str, bool]) -> None:
    out = terminal.output()
    for service in state.services:
        well = health.get(service.name, True)
        place = state.console_link() if service.name == CONSOLE else service.url
        mark = "[green]●[/]" if well else "[red]●[/]"
        problem = "" if well else f"   [red]does not answer; its log: {terminal.escape(service.log)}[/]"
        out.print(f"{mark} {service.name:<10} {terminal.escape(place or service.url)}{problem}")
    if state.key:
        out.print("  [dim]The link lets one browser in, once. `golive status` makes a new one.[/]")
    if state.env_file:
        out.print(f"  [dim]written to[/] {terminal.escape(state.env_file)}")


def _examples(state: State) -> list[tuple[str, str]]:
    shown = []
    if meta := state.find("meta"):
        shown.append(
            (
                "Your service, told where Meta is (any pixel, any token that begins with EAA):",
                f"  META_GRAPH_URL={meta.url} META_ACCESS_TOKEN=EAAdevelopment …",
            )
        )
    if gateways := state.find("gateways"):
        wish = {
            "gateway": "hotmart",
            "event": "approved",
            "dialect": "vendor",
            "secret": "my-hottok",
            "to": "http://127.0.0.1:8080/api/v1/webhooks/hotmart/t-1",
            "seed": "1/trigger/0",
        }
        shown.append(
            (
                "Have a sale sent to it, signed as Hotmart does:",
                f"  curl -s {gateways.url}/_golive/send -d '{json.dumps(wish)}'",
            )
        )
    return shown
