"""Incidents, calls, limits and faults: what is kept, what is dropped, and that it is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulators.pagerduty.faults import MAX_ARMED, Armed, Arsenal, TooManyFaults
from simulators.pagerduty.inbox import MAX_DETAILS_BYTES, Call, Inbox, Incident
from simulators.pagerduty.limiter import MAX_KEYS, Limiter
from simulators.pagerduty.rules import Action, Event
from tests.rows import each_row

A, B = "a" * 32, "b" * 32


def event(action: Action = "trigger", key: str = A, details: Any = None) -> Event:
    return Event(origin="events_v2", key=key, action=action, dedup_key=None, title="t", details=details)


def incidents(inbox: Inbox, after: int = 0) -> list[Incident]:
    return asyncio.run(inbox.wait_for_incidents(after=after, count=0, wait_s=0))[0]


def test_the_life_of_an_incident() -> None:
    """Repeats page nobody, also when acknowledged; after the resolve the same key is a new incident (facts, 4.11)."""
    inbox = Inbox()
    actions: list[Action] = ["trigger", "trigger", "acknowledge", "trigger", "resolve", "trigger"]
    told = [inbox.apply(event(action), dedup_key="k", now_s=at_s) for at_s, action in enumerate(actions)]
    assert told == ["triggered", "repeated", "acknowledged", "repeated", "resolved", "triggered"]
    old, new = incidents(inbox)
    assert (old.number, old.state, old.triggers, old.opened_at_s, old.acknowledged_at_s, old.resolved_at_s) == (
        1, "resolved", 3, 0, 2, 4,
    )  # fmt: skip
    assert (new.number, new.state, new.triggers) == (2, "triggered", 1)


def test_what_matches_nothing_changes_nothing() -> None:
    """Of another integration, of another key, or resolved already."""
    inbox = Inbox()
    inbox.apply(event(), dedup_key="k", now_s=0)
    assert inbox.apply(event("resolve", key=B), dedup_key="k", now_s=1) == "unmatched"
    assert inbox.apply(event("acknowledge"), dedup_key="other", now_s=1) == "unmatched"
    assert inbox.apply(event("resolve"), dedup_key="k", now_s=1) == "resolved"
    assert inbox.apply(event("resolve"), dedup_key="k", now_s=2) == "unmatched"
    assert len(incidents(inbox)) == 1


def test_what_was_dropped_is_said() -> None:
    """The incident whose last change is oldest goes first; an open one that goes is counted apart."""
    inbox = Inbox(keep_incidents=2)
    for name in "xyz":
        inbox.apply(event(), dedup_key=name, now_s=0)
    inbox.apply(event(), dedup_key="y", now_s=0)
    inbox.apply(event(), dedup_key="w", now_s=0)
    found, dropped = asyncio.run(inbox.wait_for_incidents(after=0, count=0, wait_s=0))
    assert [one.dedup_key for one in found] == ["y", "w"]
    assert (dropped, inbox.open_dropped) == (2, 2)
    assert inbox.apply(event("resolve"), dedup_key="x", now_s=1) == "unmatched"
    assert asyncio.run(inbox.wait_for_incidents(after=found[0].seq - 1, count=0, wait_s=0))[1] == 0
    assert inbox.apply(event("resolve"), dedup_key="y", now_s=1) == "resolved"


@each_row(("details", "kept"), [({"a": "x" * 100}, True), ({"a": "x" * MAX_DETAILS_BYTES}, False)])
def test_large_details_are_measured_and_not_kept(details: dict[str, str], kept: bool) -> None:
    inbox = Inbox()
    inbox.apply(event(details=details), dedup_key="k", now_s=0)
    found = incidents(inbox)[0]
    assert found.details_bytes == len(details["a"]) + 8
    assert (found.details is not None) == kept


def test_details_too_deep_to_tell_are_not_kept() -> None:
    """orjson reads what it cannot write."""
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    inbox = Inbox()
    inbox.apply(event(details={"a": deep}), dedup_key="k", now_s=0)
    assert incidents(inbox)[0].details is None


def test_the_key_is_not_shown() -> None:
    """Its last four are enough to tell integrations apart."""
    inbox = Inbox()
    inbox.apply(event(), dedup_key="k", now_s=0)
    found = incidents(inbox)[0]
    assert A not in repr(found)
    assert A not in str(found.to_json())


def test_calls_are_bounded_too() -> None:
    async def run() -> tuple[list[int], int, int]:
        inbox = Inbox(keep_calls=2)
        for _ in range(5):
            await inbox.file(Call(at_s=0, endpoint="sns", status=202, verdict="triggered"))
        found, dropped = await inbox.wait_for_calls(after=0, count=0, wait_s=0)
        _, since = await inbox.wait_for_calls(after=3, count=0, wait_s=0)
        return [one.seq for one in found], dropped, since

    assert asyncio.run(run()) == ([4, 5], 3, 0)


def test_who_waits_is_woken_by_the_call() -> None:
    """Not by a timer, and not by a call that brought nothing of what was asked for."""

    async def run() -> list[str]:
        inbox = Inbox()
        waiting = asyncio.ensure_future(inbox.wait_for_incidents(after=0, count=1, wait_s=60, dedup_key="mine"))
        for name in ("other", "mine"):
            inbox.apply(event(), dedup_key=name, now_s=0)
            await inbox.file(Call(at_s=0, endpoint="sns", status=202, verdict="triggered"))
        return [one.dedup_key for one in (await waiting)[0]]

    assert asyncio.run(run()) == ["mine"]


def test_the_limit_slides() -> None:
    """Of each key for itself; a refused call does not count."""
    limiter = Limiter(2)
    assert [limiter.admit(A, at_s) for at_s in (0, 30, 59.9, 60, 89.9, 90)] == [True, True, False, True, False, True]
    assert limiter.admit(B, 59)
    assert all(Limiter(0).admit(A, 0) for _ in range(1000))


def test_the_limiter_forgets_the_key_used_longest_ago() -> None:
    limiter = Limiter(1)
    for number in range(MAX_KEYS + 1):
        assert limiter.admit(str(number), 0)
    assert not limiter.admit(str(MAX_KEYS), 1)
    assert limiter.admit("0", 1)


def test_a_fault_reverts_by_strikes_or_by_time() -> None:
    """On its own endpoint; the one armed first strikes first."""
    arsenal = Arsenal()
    arsenal.arm(Armed(name="hang", strikes=1, until_s=None, endpoint="sns"))
    arsenal.arm(Armed(name="throttle", strikes=None, until_s=10))
    met = [
        arsenal.strike("events_v2", 0),
        arsenal.strike("sns", 0),
        arsenal.strike("sns", 9),
        arsenal.strike("sns", 10),
    ]
    assert [one.name if one else None for one in met] == ["throttle", "hang", "throttle", None]
    assert arsenal.armed(10) == []


def test_faults_are_bounded() -> None:
    arsenal = Arsenal()
    for _ in range(MAX_ARMED):
        arsenal.arm(Armed(name="hang", strikes=1, until_s=None))
    with pytest.raises(TooManyFaults):
        arsenal.arm(Armed(name="hang", strikes=1, until_s=None))
