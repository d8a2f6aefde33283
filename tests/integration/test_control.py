"""Scenario processes may ask the owner of the stack, and hear its refusals as sentences."""

import stat
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError, PromiseBroken
from harness.stack.control import Control, ControlServer


def refuse(_: dict[str, Any]) -> None:
    """An operation that cannot be done."""
    raise HarnessError("there is no such role")


def test_an_operation_is_answered(tmp_path: Path) -> None:
    """Arguments go in, a result comes out, for several callers in turn."""
    server = ControlServer(tmp_path / "s", {"double": lambda request: request["number"] * 2})
    try:
        assert [Control(tmp_path / "s").call("double", number=n) for n in (1, 2)] == [2, 4]
    finally:
        server.close()


def test_a_refusal_keeps_its_sentence(tmp_path: Path) -> None:
    """The caller hears why."""
    server = ControlServer(tmp_path / "s", {"kill": refuse})
    try:
        with pytest.raises(HarnessError, match="there is no such role"):
            Control(tmp_path / "s").call("kill")
        with pytest.raises(HarnessError, match="KeyError"):
            Control(tmp_path / "s").call("unheard of")
    finally:
        server.close()


def test_what_the_target_broke_is_no_error_of_ours(tmp_path: Path) -> None:
    """A process that does not end when asked is the target's fault, in whatever process that was seen."""

    def stop(_: dict[str, Any]) -> None:
        raise PromiseBroken("web was killed by SIGKILL")

    server = ControlServer(tmp_path / "s", {"stop": stop})
    try:
        with pytest.raises(PromiseBroken, match="web was killed by SIGKILL"):
            Control(tmp_path / "s").call("stop")
    finally:
        server.close()


def test_a_vanished_owner_is_an_error(tmp_path: Path) -> None:
    """Nobody there is said as such."""
    with pytest.raises(HarnessError, match="does not answer"):
        Control(tmp_path / "nobody").call("anything")


def test_only_the_owner_may_ask(tmp_path: Path) -> None:
    """The socket can kill processes, so other users of the machine cannot open it."""
    server = ControlServer(tmp_path / "s", {})
    try:
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    finally:
        server.close()
