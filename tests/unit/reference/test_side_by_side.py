"""Rounds side by side: who waits for whom, in which thread, and what becomes of the others when one fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from reference_impl.dispatch.side_by_side import Helpers, run

Round = Generator[str, str, None]


@pytest.fixture
def helpers() -> Iterator[Helpers]:
    with Helpers(8) as found:
        yield found


def _asking(*questions: str, heard: list[str]) -> Round:
    for question in questions:
        heard.append((yield question))


def _answer(question: str) -> str:
    return f"{question}!"


def test_nobody_waits_for_anothers_answer(helpers: Helpers) -> None:
    """Each answer comes only when both questions have been asked."""
    both, heard = threading.Barrier(2, timeout=10), list[str]()

    def ask(question: str) -> str:
        both.wait()
        return _answer(question)

    run([_asking("a", "b", heard=heard), _asking("c", "d", heard=heard)], ask, helpers=helpers)
    assert sorted(heard) == ["a!", "b!", "c!", "d!"]


def test_between_two_questions_only_the_caller_works(helpers: Helpers) -> None:
    workers: set[str] = set()

    def work() -> Round:
        for question in "ab":
            workers.add(threading.current_thread().name)
            yield question
        workers.add(threading.current_thread().name)

    run([work(), work(), work()], _answer, helpers=helpers)
    assert workers == {threading.current_thread().name}


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_round_that_fails_ends_alone(helpers: Helpers, where: str) -> None:
    heard: list[str] = []

    def broken() -> Round:
        if where == "after":
            yield "x"
        raise LookupError(where)

    with pytest.raises(LookupError, match=where):
        run([_asking("a", heard=heard), broken(), _asking("b", "c", heard=heard)], _answer, helpers=helpers)
    assert sorted(heard) == ["a!", "b!", "c!"]


def test_an_answer_that_fails_is_its_rounds_failure(helpers: Helpers) -> None:
    heard: list[str] = []

    def ask(question: str) -> str:
        if question == "x":
            raise LookupError(question)
        return _answer(question)

    with pytest.raises(LookupError, match="x"):
        run([_asking("x", heard=heard), _asking("a", heard=heard)], ask, helpers=helpers)
    assert heard == ["a!"]


def test_so_many_are_under_way_and_no_more(helpers: Helpers) -> None:
    under_way: list[int] = [0]

    def work() -> Round:
        for question in "ab":
            under_way.append(under_way[-1] + 1)
            yield question
            under_way.append(under_way[-1] - 1)

    run([work() for _ in range(6)], _answer, helpers=helpers, most=3)
    assert (len(under_way), max(under_way)) == (25, 3)


def test_alone_or_without_helpers_no_thread_is_woken(helpers: Helpers) -> None:
    askers: list[str] = []

    def ask(question: str) -> str:
        askers.append(threading.current_thread().name)
        return _answer(question)

    heard: list[str] = []
    run([_asking("a", "b", heard=heard)], ask, helpers=helpers)
    run([_asking("c", heard=heard), _asking("d", heard=heard)], ask, helpers=None)
    assert (heard, set(askers)) == (["a!", "b!", "c!", "d!"], {threading.current_thread().name})


def test_what_is_answered_is_settled_before_another_round_begins() -> None:
    """Beginning may take its time, and a crash meanwhile forgets what was answered."""

    class AtOnce(Helpers):
        def submit(self, ask: Any, question: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(ask(question))
            return future

    seen: list[str] = []

    def work(name: str) -> Round:
        seen.append(f"{name} begins")
        yield name
        seen.append(f"{name} is settled")

    with AtOnce(1) as helpers:
        run([work("a"), work("b")], _answer, helpers=helpers)
    assert seen == ["a begins", "a is settled", "b begins", "b is settled"]


def test_helpers_are_there_before_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no more threads to give stops nothing that was begun."""
    with Helpers(2) as helpers:
        monkeypatch.setattr(threading.Thread, "start", lambda _: 1 / 0)
        heard: list[str] = []
        run([_asking("a", heard=heard), _asking("b", heard=heard), _asking("c", heard=heard)], _answer, helpers=helpers)
    assert sorted(heard) == ["a!", "b!", "c!"]


def test_a_process_ends_though_a_helper_waits() -> None:
    """As one of the consumer's threads that hangs in a call does not keep it."""
    code = (
        "import threading; from reference_impl.dispatch.side_by_side import Helpers; "
        "Helpers(1).submit(lambda limit_s: threading.Event().wait(limit_s), 300)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
