"""Rounds that wait for an answer now and then, side by side in one thread: only the waiting is done by others.

A round is a generator: it yields what it wants asked, is sent the answer, and goes on. So whatever it does between two
questions, it does alone and on the caller's database connection, and no round has to wait for another's answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 4
"""Questions under way at a time, for one caller."""


def run(
    rounds: Iterable[Generator[Question, Answer, None]],
    ask: Callable[[Question], Answer],
    *,
    helpers: Executor | None,
    most: int = MOST,
) -> None:
    """Bring every round to its end, with up to `most` questions under way; without helpers one after the other.

    A round that fails ends alone: the others are brought to their end, then the first failure is raised.
    """
    waiting, failures = deque(rounds), list[Exception]()
    under_way: dict[Future[Answer], Generator[Question, Answer, None]] = {}

    def go_on(one: Generator[Question, Answer, None], answer: Callable[[], Answer] | None) -> None:
        try:
            question = one.send(answer()) if answer else next(one)
            while helpers is None or not (waiting or under_way):  # nobody to wait for: no thread need be woken
                question = one.send(ask(question))
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is not the other rounds'
            failures.append(error)
            return
        under_way[helpers.submit(ask, question)] = one

    while waiting or under_way:
        if waiting and len(under_way) < most:
            go_on(waiting.popleft(), None)
            continue
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            go_on(under_way.pop(future), future.result)
    if failures:
        raise failures[0]
