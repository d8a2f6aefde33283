"""A fake Meta Conversions API on this machine: rules, dedupe, tokens, faults, and an inbox to read."""

from __future__ import annotations

import argparse
import gc
import random
import time
from dataclasses import fields
from typing import get_args, get_type_hints

from starlette.types import ASGIApp

from simulators.meta.app import create_app
from simulators.meta.dedupe import Dedupe
from simulators.meta.inbox import Inbox
from simulators.meta.state import Meta
from simulators.meta.switches import Switches
from simulators.wire import DirectProtocol

PROTOCOL = DirectProtocol

_HELP = {
    "open": "take any pixel and any token that begins with EAA, for development",
    "version_mode": "a version below v21 is served by v21 with a warning, or refused with 2635",
    "auth_status": "HTTP status of 190 with a subcode; both are on record",
    "future_tolerance_s": "how many seconds ahead an event_time may be",
    "batch_limit": "events in one request",
    "max_body_bytes": "larger bodies are refused",
    "app_secret": "check appsecret_proof with this secret of a made-up app",
    "require_proof": "refuse calls without an appsecret_proof",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each switch, one for the inbox, one for the seed."""
    kinds = get_type_hints(Switches)
    for switch in fields(Switches):
        option = "--" + switch.name.replace("_", "-")
        text = f"{_HELP[switch.name]} (default: {switch.default or 'none'})"
        if kinds[switch.name] is bool:
            parser.add_argument(option, action="store_true", help=_HELP[switch.name])
        else:
            choices = get_args(kinds[switch.name]) or None
            kind = type(switch.default)
            parser.add_argument(option, type=kind, choices=choices, default=switch.default, help=text)
    parser.add_argument("--keep-events", type=int, default=10_000, help="events kept per pixel (default: 10000)")
    parser.add_argument(
        "--keep-arrivals", type=int, default=50_000, help="events kept in short for load runs (default: 50000)"
    )
    parser.add_argument(
        "--keep-ids", type=int, default=150_000, help="event ids remembered for 48 h, at least (default: 150000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the trace ids and of tokens given out (default: 0)")


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`."""
    # A request makes hundreds of objects and keeps a handful, none of them in cycles, so cycles are looked for seldom.
    # (What it is worth was not measured apart; `make bench-fakes` measures the whole.)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    offset_s = float(args.clock_offset_s)
    switches = Switches(**{switch.name: getattr(args, switch.name) for switch in fields(Switches)})
    return create_app(
        Meta(
            now_s=lambda: time.time() + offset_s,
            rng=random.Random(args.seed),
            switches=switches,
            inbox=Inbox(events_per_pixel=args.keep_events, arrivals=args.keep_arrivals),
            dedupe=Dedupe(capacity=args.keep_ids),
        )
    )
