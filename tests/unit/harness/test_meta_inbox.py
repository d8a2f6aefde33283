"""What was heard of a pixel's calls is not asked for again, and nothing is missing for that."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import NotSeenInTime
from harness.probes.meta import MetaProbe
from tests.rows import each_row


class Inbox(MetaProbe):
    """A pixel's inbox whose fake Meta is a list; each question is written down."""

    def __init__(self, *numbers: int) -> None:
        super().__init__("http://127.0.0.1:1", "1")
        self.kept = [_call(one) for one in numbers]
        self.to_come: list[int] = []
        """What arrives while somebody waits, one for each wait."""
        self.asked: list[tuple[int, int]] = []

    def _call(self, method: str, path: str, **options: Any) -> Any:
        params = options["params"]
        self.asked.append((params["after"], params["count"]))
        found = [one for one in self.kept if one["seq"] > params["after"]]
        if len(found) < params["count"] and float(params["wait_s"]) > 0 and self.to_come:
            self.kept.append(_call(self.to_come.pop(0)))
            found = [one for one in self.kept if one["seq"] > params["after"]]
        return {"calls": found, "dropped": 0}


def _call(number: int) -> dict[str, Any]:
    return {"seq": number, "status": 200, "events": []}


def numbers(calls: list[dict[str, Any]]) -> list[int]:
    """Which calls these are."""
    return [one["seq"] for one in calls]


def test_only_what_is_new_is_asked_for() -> None:
    """Four hundred sales would else be four hundred times four hundred calls."""
    inbox = Inbox(3, 8)
    assert numbers(inbox.calls()) == [3, 8]
    inbox.kept.append(_call(9))
    assert numbers(inbox.calls()) == [3, 8, 9]
    assert inbox.asked == [(0, 0), (8, 0)]


@each_row(("after", "found"), [(0, [3, 8, 9]), (3, [8, 9]), (5, [8, 9]), (8, [9]), (9, [])])
def test_what_is_known_is_given_from_any_number_on(after: int, found: list[int]) -> None:
    """As the fake itself would."""
    inbox = Inbox(3, 8, 9)
    inbox.calls()
    assert numbers(inbox.calls(after=after)) == found


def test_what_is_known_counts_when_some_are_waited_for() -> None:
    """Two newer than 3 are wanted, one is known: one more is waited for."""
    inbox = Inbox(3, 8)
    inbox.calls()
    inbox.to_come = [11]
    assert numbers(inbox.calls(after=3, count=2, wait_s=1)) == [8, 11]
    assert inbox.asked[-1] == (8, 1)
    assert numbers(inbox.calls(after=3, count=2, wait_s=1)) == [8, 11]
    assert inbox.asked[-1] == (11, 0)


def test_who_has_heard_nothing_waits_for_what_comes_after_that_number() -> None:
    """Not for the older ones, of which nobody has asked."""
    inbox = Inbox(3, 8)
    inbox.to_come = [11]
    assert numbers(inbox.calls(after=8, count=1, wait_s=1)) == [11]


def test_a_wait_ends_with_the_first_call_that_is_enough() -> None:
    """And has all calls, those from before the wait too."""
    inbox = Inbox(3)
    inbox.to_come = [5, 7, 9]
    seen = inbox.wait_for(lambda calls: 7 in numbers(calls), goal="call 7", within_s=60)
    assert numbers(seen) == [3, 5, 7]
    with pytest.raises(NotSeenInTime, match="call 99"):
        inbox.wait_for(lambda calls: 99 in numbers(calls), goal="call 99", within_s=0)


def test_what_was_given_is_the_askers_own() -> None:
    """Whoever shortens their list takes nothing from the next."""
    inbox = Inbox(3, 8)
    inbox.calls().clear()
    assert numbers(inbox.calls()) == [3, 8]
