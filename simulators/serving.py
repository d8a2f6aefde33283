"""How every fake becomes a child process: bind, say where, serve, end at once when told to.

A simulator is a sub-command of `python -m simulators` when it has a module `simulators/NAME/serve.py` or
`simulators/NAME_server.py` with

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...
    def build(args: argparse.Namespace) -> ASGIApp: ...

and, if it has to reach under HTTP, `PROTOCOL`, a subclass of uvicorn's.

`args` always holds `host`, `port` and `clock_offset_s` (seconds added to the wall clock, 0 unless told otherwise).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import ipaddress
import json
import logging
import os
import pkgutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Protocol, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import simulators


class Simulator(Protocol):
    """What a `serve.py` has to offer; a module satisfies it."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of this simulator alone."""
        ...

    def build(self, args: argparse.Namespace) -> ASGIApp:
        """The application, from the parsed options; opens nothing that outlives the process."""
        ...


def discover() -> Mapping[str, str]:
    """Name of each sub-command -> its module, found by file names; imports none of them."""
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(simulators.__path__):
        dotted = f"{simulators.__name__}.{module.name}"
        if module.ispkg:
            folders = [os.path.join(folder, module.name) for folder in simulators.__path__]
            if any(inner.name == "serve" for inner in pkgutil.iter_modules(folders)):
                found[module.name] = f"{dotted}.serve"
        elif module.name.endswith("_server"):
            found[module.name.removesuffix("_server")] = dotted
    return found


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 lets the kernel pick. Connections queue from now on.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Where the socket listens, as a base URL without a slash at its end."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn that says where it listens, and for which a signal is a wish, not a cause of death."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(self._announcement + "\n")
            sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn re-raises the signal when it is done, so that the exit code would be -15 instead of 0.
        def end(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True
            self.force_exit = True  # a caller in a long poll does not keep us alive,
            logging.getLogger("uvicorn.error").disabled = True  # and cutting it off is no error to tell

        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    app: ASGIApp,
    *,
    name: str,
    host: str = "127.0.0.1",
    port: int = 0,
    protocol: type[HttpToolsProtocol] = HttpToolsProtocol,
) -> int:
    """Serve `app` until SIGTERM or Ctrl-C; print `{"name", "url", "pid"}` on standard output once it listens.

    Returns the exit code: 0 when told to end, 1 when the application could not start. Logs go to standard error.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """
    listener = bind(host, port)
    announcement = json.dumps({"name": name, "url": url_of(listener), "pid": os.getpid()})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody stands before a fake, and a wrapper would hide what the application can do
        log_level="warning",
        log_config=None,
    )
    server = _Server(config, announcement)
    loop_factory = config.get_loop_factory()
    with listener, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(server.serve(sockets=[listener]))
    return 0 if server.started else 1


def main(argv: Sequence[str]) -> int:
    """`python -m simulators NAME [--host H] [--port N] [--clock-offset-s X] …`; the exit code."""
    known = discover()
    outer = argparse.ArgumentParser(prog="python -m simulators", description="A fake, alone, as a process.")
    outer.add_argument("name", choices=sorted(known), help="which fake")
    name = outer.parse_args(argv[:1]).name
    simulator = cast(Simulator, importlib.import_module(known[name]))
    parser = argparse.ArgumentParser(prog=f"python -m simulators {name}", description=sys.modules[known[name]].__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel pick")
    parser.add_argument("--clock-offset-s", type=float, default=0.0, help="seconds added to the wall clock")
    simulator.add_arguments(parser)
    args = parser.parse_args(argv[1:])
    protocol = getattr(simulator, "PROTOCOL", HttpToolsProtocol)
    try:
        return serve(simulator.build(args), name=name, host=args.host, port=args.port, protocol=protocol)
    except OSError as error:
        sys.stderr.write(f"{name} cannot listen on {args.host}:{args.port}: {error.strerror}\n")
        return 1
