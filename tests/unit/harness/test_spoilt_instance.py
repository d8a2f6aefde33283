"""The plugin gives back an instance that a red scenario has used, and keeps every other."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness import pytest_plugin as plugin


class _Control:
    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def call(self, what: str, **given: Any) -> None:
        self.asked.append((what, given.get("instance")))


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> _Control:
    """What the run was asked for; there is no instance, and no pipeline."""
    pipeline = SimpleNamespace(close=lambda: None)
    for name, stand_in in {
        "travelling_info": lambda *_: SimpleNamespace(control=_Control()),
        "TravellingPipeline": lambda *_, **__: pipeline,
        "period_of": lambda _: "a day",
        "tenants_of": lambda *_: [],
        "scenario_key": lambda _: "W-01",
        "is_exclusive": lambda _: True,
    }.items():
        monkeypatch.setattr(plugin, name, stand_in)
    return _Control()


def _scenario(control: _Control) -> tuple[Any, Iterator[Any]]:
    item = SimpleNamespace(nodeid="x", stash=pytest.Stash(), get_closest_marker=lambda _: None)
    stash = {plugin.STACK: SimpleNamespace(control=control)}
    request: Any = SimpleNamespace(config=SimpleNamespace(stash=stash), node=item, session=SimpleNamespace(items=[]))
    return item, plugin._travelling(request, None, instance="monitored")


@pytest.mark.parametrize(("red", "asked"), [(True, [("retire", "monitored")]), (False, [])])
def test_only_a_red_scenario_spoils_it(control: _Control, red: bool, asked: list[Any]) -> None:
    """It is asked for when the scenario's pipeline is closed, and not before."""
    item, life = _scenario(control)
    next(life)
    if red:
        _fail(item)
    assert control.asked == []
    assert list(life) == []
    assert control.asked == asked


def _fail(item: Any) -> None:
    item.funcargs = {}
    call = plugin.pytest_runtest_call(item)
    next(call)
    with pytest.raises(AssertionError, match="a promise is broken"):
        call.throw(AssertionError("a promise is broken"))


def test_what_was_not_observed_spoils_nothing(control: _Control) -> None:
    """A scenario that leaves a target out has done nothing to it."""
    item, life = _scenario(control)
    next(life)
    item.funcargs = {}
    call = plugin.pytest_runtest_call(item)
    next(call)
    with pytest.raises(pytest.skip.Exception):
        call.throw(pytest.skip.Exception("not observed: nothing to see"))
    assert list(life) == []
    assert control.asked == []
