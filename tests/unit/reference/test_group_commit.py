"""Group commit: whoever comes while nobody writes, writes at once; whoever comes meanwhile goes along with the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from reference_impl.db.group_commit import GroupCommit


class Clerk:
    """Work that can be stopped at its first group, and refuses whatever is bad."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.open = threading.Event()
        self.begun = threading.Event()
        self.desk: GroupCommit[str, str] = GroupCommit(self.work)

    def work(self, items: Sequence[str]) -> list[str]:
        self.groups.append(list(items))
        first = len(self.groups) == 1
        self.begun.set()
        if first:
            assert self.open.wait(10), "nobody let the first group go"
        if "stop" in items:
            raise SystemExit
        if bad := [one for one in items if one.startswith("bad")]:
            raise ValueError(bad[0])
        return [one.upper() for one in items]

    def behind_the_first(self, pool: ThreadPoolExecutor, *items: str) -> list[Future[str]]:
        """The first group is under way, and these wait for it in this order."""
        found = [pool.submit(self.desk.submit, "first")]
        assert self.begun.wait(10), "the first group did not begin"
        for number, item in enumerate(items, start=1):
            found.append(pool.submit(self.desk.submit, item))
            until(lambda number=number: self.desk.waiting == number, goal=f"{number} wait")
        return found


def until(fact: Callable[[], bool], *, goal: str) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline, goal


def test_who_is_alone_waits_for_nobody() -> None:
    clerk = Clerk()
    clerk.open.set()
    assert [clerk.desk.submit("a"), clerk.desk.submit("b")] == ["A", "B"]
    assert clerk.groups == [["a"], ["b"]]


def test_who_comes_meanwhile_goes_along_with_the_next() -> None:
    clerk = Clerk()
    with ThreadPoolExecutor(8) as pool:
        answers = clerk.behind_the_first(pool, "a", "b", "c")
        clerk.open.set()
        assert [one.result(10) for one in answers] == ["FIRST", "A", "B", "C"]
    assert clerk.groups == [["first"], ["a", "b", "c"]]
    assert clerk.desk.submit("later") == "LATER", "the desk is free again"


def test_one_bad_item_spoils_no_other() -> None:
    clerk = Clerk()
    with ThreadPoolExecutor(8) as pool:
        answers = clerk.behind_the_first(pool, "a", "bad", "c")
        clerk.open.set()
        assert [answers[number].result(10) for number in (0, 1, 3)] == ["FIRST", "A", "C"]
        with pytest.raises(ValueError, match="bad"):
            answers[2].result(10)
    assert sorted(clerk.groups[2:]) == [["a"], ["bad"], ["c"]]


def test_a_bad_leader_raises_its_own_error_and_hands_over() -> None:
    clerk = Clerk()
    with ThreadPoolExecutor(8) as pool:
        answers = clerk.behind_the_first(pool, "bad 1", "bad 2")
        clerk.open.set()
        for number in (1, 2):
            with pytest.raises(ValueError, match=f"bad {number}"):
                answers[number].result(10)
    assert clerk.desk.submit("later") == "LATER"


def test_what_fails_alone_is_not_tried_twice() -> None:
    clerk = Clerk()
    clerk.open.set()
    with pytest.raises(ValueError, match="bad"):
        clerk.desk.submit("bad")
    assert clerk.groups == [["bad"]]


def test_a_leader_that_is_ended_leaves_nobody_behind() -> None:
    clerk = Clerk()
    with ThreadPoolExecutor(8) as pool:
        answers = clerk.behind_the_first(pool, "stop", "b")
        clerk.open.set()
        with pytest.raises(SystemExit):
            answers[1].result(10)
        assert answers[2].result(10) == "B"
    assert clerk.desk.submit("later") == "LATER"


def test_several_writers_keep_the_items_apart() -> None:
    """A thousand items by eight threads over two writers: each gets its own answer, once."""
    seen: list[str] = []
    guard = threading.Lock()

    def work(items: Sequence[str]) -> list[str]:
        with guard:
            seen.extend(items)
        return [f"<{one}>" for one in items]

    desk: GroupCommit[str, str] = GroupCommit(work, writers=2)
    names = [str(number) for number in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(desk.submit, names)) == [f"<{one}>" for one in names]
    assert sorted(seen) == sorted(names)
