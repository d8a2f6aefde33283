"""A fake CloudWatch on this machine: takes metrics, keeps them to be read; evaluates nothing."""

from __future__ import annotations

import argparse
import time

from starlette.types import ASGIApp

from simulators.cloudwatch.app import Store, create_app
from simulators.wire import CuttableProtocol

PROTOCOL = CuttableProtocol


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is kept."""
    parser.add_argument("--keep", type=int, default=500_000, help="datapoints kept (default: 500000)")


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`."""
    offset_s = float(args.clock_offset_s)
    return create_app(Store(now_s=lambda: time.time() + offset_s, keep=max(1, args.keep)))
