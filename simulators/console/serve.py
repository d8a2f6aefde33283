"""The page that shows what the fakes send and receive."""

from __future__ import annotations

import argparse
import os
import time

from starlette.types import ASGIApp

from simulators.console.app import create_app
from simulators.console.collector import Collector
from simulators.console.doors import LockedDoor, OpenDoor
from simulators.loopback import is_loopback

#: Holds the key of a page that listens beyond this machine: in no command line, where others could read it.
KEY_VARIABLE = "GOLIVE_CONSOLE_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the other fakes are."""
    parser.add_argument("--gateways-url", default="", help="where the fake gateways listen; without it none are shown")
    parser.add_argument("--meta-url", default="", help="where the fake Meta listens; without it none is shown")
    parser.add_argument("--pixel", action="append", default=[], help="look at this pixel from the start; repeatable")


def build(args: argparse.Namespace) -> ASGIApp:
    """The application; beyond loopback it demands a key in the environment."""
    key = os.environ.get(KEY_VARIABLE, "")
    if not key and not is_loopback(args.host):
        raise SystemExit(f"console: {args.host} can be reached by others; put a key of 16 or more into {KEY_VARIABLE}.")
    door = LockedDoor(key) if key else OpenDoor()
    collector = Collector(gateways_url=args.gateways_url, meta_url=args.meta_url, pixels=args.pixel)
    return create_app(collector, door, now_s=time.time())
