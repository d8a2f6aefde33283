"""Waiting for many sales at once: the limit is for each step, and all of them must arrive."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import NotSeenInTime
from harness.testing.database import DatabaseView


class _Probe:
    """A database in which one sale more has arrived at every look, up to `most`."""

    def __init__(self, most: int) -> None:
        self.looks, self.most = 0, most

    def conversions(self, _: str) -> list[Any]:
        self.looks += 1
        there = min(self.looks, self.most)
        return [SimpleNamespace(gateway="stripe", sale=f"pi_{number}", state="delivered") for number in range(there)]


def _view(probe: _Probe, *, dispatch_s: float) -> DatabaseView:
    pipeline: Any = SimpleNamespace(
        timings=SimpleNamespace(dispatch_s=dispatch_s), tenant=SimpleNamespace(tenant="acme")
    )
    return DatabaseView(probe, pipeline)  # type: ignore[arg-type]


def _orders(count: int) -> list[Any]:
    return [SimpleNamespace(gateway=SimpleNamespace(name="stripe"), sale_id=f"pi_{number}") for number in range(count)]


def test_many_may_take_longer_than_one() -> None:
    """Thirty looks of 30 ms are more than the half second that one sale has."""
    probe = _Probe(30)
    _view(probe, dispatch_s=0.5).wait_for_all(_orders(30), "delivered")
    assert probe.looks >= 30


def test_one_that_never_comes_is_missed() -> None:
    """Nine of ten are not all."""
    with pytest.raises(NotSeenInTime, match="one more of 1 sales delivered"):
        _view(_Probe(9), dispatch_s=0.2).wait_for_all(_orders(10), "delivered")


def test_another_state_is_not_there() -> None:
    """Only the state that was asked for counts."""
    with pytest.raises(NotSeenInTime, match="one more of 3 sales dead_lettered"):
        _view(_Probe(3), dispatch_s=0.1).wait_for_all(_orders(3), "dead_lettered")
