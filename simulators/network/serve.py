"""A TCP proxy on this machine that breaks what passes through it, with Toxiproxy's toxics; bridges TCP and Unix."""

from __future__ import annotations

import argparse
import json
import sys

from starlette.types import ASGIApp

from simulators.network.addresses import Address, BadAddress
from simulators.network.control import ProxyWish, create_app
from simulators.network.proxy import Proxy

#: What a proxy is called that was given no name.
DEFAULT_NAME = "upstream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which proxies there are from the start; more come over the control routes."""
    parser.add_argument(
        "--upstream",
        action="append",
        default=[],
        type=_named,
        metavar="[NAME=]ADDRESS",
        help="where a proxy leads: tcp:HOST:PORT or unix:/path; repeatable",
    )
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        type=_named,
        metavar="[NAME=]ADDRESS",
        help="where it listens (default: a port that the kernel picks)",
    )
    parser.add_argument("--json", action="store_true", help="tell of each proxy as a JSON line")


def _named(text: str) -> tuple[str, str]:
    name, mark, address = text.partition("=")
    if not mark or ":" in name:
        name, address = DEFAULT_NAME, text
    try:
        Address.parse(address)
    except BadAddress as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name, address


def build(args: argparse.Namespace) -> ASGIApp:
    """The application: control routes, with the proxies of the command line open from its start."""
    listen = dict(args.listen)
    wishes = [
        ProxyWish(name=name, upstream=address, listen=listen.pop(name, "tcp:127.0.0.1:0"))
        for name, address in args.upstream
    ]
    if listen:
        sys.stderr.write(f"--listen {', '.join(listen)}: there is no --upstream of that name.\n")
        raise SystemExit(2)

    def say(proxy: Proxy) -> None:
        told = {"proxy": proxy.name, "listen": str(proxy.listen), "upstream": str(proxy.upstream)}
        line = json.dumps(told) if args.json else f"{proxy.name}: {proxy.listen} leads to {proxy.upstream}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return create_app(wishes, say=say)
