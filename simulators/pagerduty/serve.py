"""A fake PagerDuty on this machine: alarms from SNS, Events API v2, incidents to read."""

from __future__ import annotations

import argparse
import importlib.util
import random
import time
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

from starlette.types import ASGIApp

from simulators.pagerduty.app import create_app
from simulators.pagerduty.inbox import Inbox
from simulators.pagerduty.sns import split_url
from simulators.pagerduty.state import PagerDuty
from simulators.pagerduty.switches import Switches
from simulators.wire import CuttableProtocol

PROTOCOL = CuttableProtocol

_HELP = {
    "signature": "verify the signature of SNS messages; needs a sender that really signs, and cryptography",
    "cert_at": "base URL where certificates are fetched instead of at AWS",
    "cert_ca": "PEM file of the CA that must have issued them",
    "confirm": "where a SubscribeURL may point to for it to be visited",
    "confirm_at": "base URL where SubscribeURLs are visited instead",
    "topics": "TopicArns that are listened to, separated by commas; empty: any",
    "alert_key": "what makes two notifications one alert",
    "title": "what an incident from CloudWatch is called",
    "subject_must_match": "discard a notification whose Subject does not begin with its state",
    "discard_status": "HTTP status when a notification is discarded",
    "strict_keys": "take only keys of PUT /_golive/keys/{key}",
    "rate_per_min": "calls per integration key within 60 s before it is 429; 0: no limit",
    "max_body_bytes": "larger bodies are refused",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option for each switch, two for the inbox, one for the seed."""
    kinds = get_type_hints(Switches)
    for switch in fields(Switches):
        option = "--" + switch.name.replace("_", "-")
        if kinds[switch.name] is bool:
            text = f"{_HELP[switch.name]} (default: {'yes' if switch.default else 'no'})"
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=switch.default, help=text)
        else:
            text = f"{_HELP[switch.name]} (default: {switch.default if switch.default != '' else 'none'})"
            choices = get_args(kinds[switch.name]) or None
            parser.add_argument(option, type=type(switch.default), choices=choices, default=switch.default, help=text)
    parser.add_argument("--keep-incidents", type=_positive, default=1000, help="incidents kept (default: 1000)")
    parser.add_argument("--keep-calls", type=_positive, default=10_000, help="calls kept (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the dedup keys it makes up (default: 0)")


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`.

    Raises:
        SystemExit: an option cannot mean what it says.
    """
    offset_s = float(args.clock_offset_s)
    switches = Switches(**{switch.name: getattr(args, switch.name) for switch in fields(Switches)})
    for name in ("cert_at", "confirm_at"):
        base = getattr(switches, name)
        if base and split_url(base) is None:
            raise SystemExit(f"--{name.replace('_', '-')} is not a base URL, as http://127.0.0.1:4566 is one")
    if switches.signature == "on" and importlib.util.find_spec("cryptography") is None:
        raise SystemExit("--signature on needs the package cryptography: pip install cryptography")
    return create_app(
        PagerDuty(
            now_s=lambda: time.time() + offset_s,
            rng=random.Random(args.seed),
            switches=switches,
            inbox=Inbox(keep_incidents=args.keep_incidents, keep_calls=args.keep_calls),
            ca_pem=_pem(switches.cert_ca),
        )
    )


def _pem(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SystemExit(f"--cert-ca cannot be read: {error.strerror}") from None


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
