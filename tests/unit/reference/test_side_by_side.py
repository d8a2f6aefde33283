"""Rounds side by side: who waits for whom, in which thread, and what becomes of the others when one fails."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reference_impl.dispatch.side_by_side import run

Round = Generator[str, str, None]


@pytest.fixture
def helpers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as found:
        yield found


def _asking(*questions: str, heard: list[str]) -> Round:
    for question in questions:
        heard.append((yield question))


def _answer(question: str) -> str:
    return f"{question}!"


def test_nobody_waits_for_anothers_answer(helpers: ThreadPoolExecutor) -> None:
    """Each answer comes only when both questions have been asked."""
    both, heard = threading.Barrier(2, timeout=10), list[str]()

    def ask(question: str) -> str:
        both.wait()
        return _answer(question)

    run([_asking("a", "b", heard=heard), _asking("c", "d", heard=heard)], ask, helpers=helpers)
    assert sorted(heard) == ["a!", "b!", "c!", "d!"]


def test_between_two_questions_only_the_caller_works(helpers: ThreadPoolExecutor) -> None:
    workers: set[str] = set()

    def work() -> Round:
        for question in "ab":
            workers.add(threading.current_thread().name)
            yield question
        workers.add(threading.current_thread().name)

    run([work(), work(), work()], _answer, helpers=helpers)
    assert workers == {threading.current_thread().name}


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_round_that_fails_ends_alone(helpers: ThreadPoolExecutor, where: str) -> None:
    heard: list[str] = []

    def broken() -> Round:
        if where == "after":
            yield "x"
        raise LookupError(where)

    with pytest.raises(LookupError, match=where):
        run([_asking("a", heard=heard), broken(), _asking("b", "c", heard=heard)], _answer, helpers=helpers)
    assert sorted(heard) == ["a!", "b!", "c!"]


def test_an_answer_that_fails_is_its_rounds_failure(helpers: ThreadPoolExecutor) -> None:
    heard: list[str] = []

    def ask(question: str) -> str:
        if question == "x":
            raise LookupError(question)
        return _answer(question)

    with pytest.raises(LookupError, match="x"):
        run([_asking("x", heard=heard), _asking("a", heard=heard)], ask, helpers=helpers)
    assert heard == ["a!"]


def test_so_many_are_under_way_and_no_more(helpers: ThreadPoolExecutor) -> None:
    under_way: list[int] = [0]

    def work() -> Round:
        for question in "ab":
            under_way.append(under_way[-1] + 1)
            yield question
            under_way.append(under_way[-1] - 1)

    run([work() for _ in range(6)], _answer, helpers=helpers, most=3)
    assert (len(under_way), max(under_way)) == (25, 3)


def test_alone_or_without_helpers_no_thread_is_woken(helpers: ThreadPoolExecutor) -> None:
    askers: list[str] = []

    def ask(question: str) -> str:
        askers.append(threading.current_thread().name)
        return _answer(question)

    heard: list[str] = []
    run([_asking("a", "b", heard=heard)], ask, helpers=helpers)
    run([_asking("c", heard=heard), _asking("d", heard=heard)], ask, helpers=None)
    assert (heard, set(askers)) == (["a!", "b!", "c!", "d!"], {threading.current_thread().name})
