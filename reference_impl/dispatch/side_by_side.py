"""Rounds that wait for an answer now and then, side by side in one thread: only the waiting is done by others.

A round is a generator: it yields what it wants asked, is sent the answer, and goes on. So whatever it does between two
questions, it does alone and on the caller's database connection, and no round has to wait for another's answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 4
"""Questions under way at a time, for one caller."""


class Failures:
    """What fails in one of several fails there alone: it is kept until all have been brought to their end."""

    def __init__(self) -> None:
        self._kept: list[Exception] = []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep what is raised within; what comes after this block goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is not the others'
            self._kept.append(error)

    def raise_first(self) -> None:
        """Raise the first that was kept, if there is one."""
        if self._kept:
            raise self._kept[0]


class Helpers:
    """Threads that ask and wait. A process ends without them, where the standard library's executor would keep it
    until its last call has been answered; and they are there from the beginning, so that none can fail to start while
    questions are under way."""

    def __init__(self, count: int = MOST, *, name: str = "helper") -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._help, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, ask: Callable[[Question], Answer], question: Question) -> Future[Answer]:
        """Have it asked; whatever `ask` raises, the future's `result` raises."""
        future: Future[Answer] = Future()

        def work() -> None:
            try:
                answer = ask(question)
            except BaseException as error:  # noqa: BLE001 -- whoever waits for it is told
                future.set_exception(error)
            else:
                future.set_result(answer)

        self._work.put(work)
        return future

    def close(self) -> None:
        """Let them end, each after what it is at; nobody waits for that."""
        for _ in self._threads:
            self._work.put(None)

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _help(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def run(
    rounds: Iterable[Generator[Question, Answer, None]],
    ask: Callable[[Question], Answer],
    *,
    helpers: Helpers | None,
    most: int = MOST,
) -> None:
    """Bring every round to its end, with up to `most` questions under way; without helpers one after the other.

    A round that fails ends alone: the others are brought to their end, then the first failure is raised.
    """
    waiting, failures = deque(rounds), Failures()
    under_way: dict[Future[Answer], Generator[Question, Answer, None]] = {}

    def go_on(one: Generator[Question, Answer, None], answer: Callable[[], Answer] | None) -> None:
        with failures.alone(), suppress(StopIteration):
            question = one.send(answer()) if answer else next(one)
            while helpers is None or not (waiting or under_way):  # nobody to wait for: no thread need be woken
                question = one.send(ask(question))
            under_way[helpers.submit(ask, question)] = one

    while waiting or under_way:
        may_start = bool(waiting) and len(under_way) < most
        # What has been answered first: until it is settled, a crash forgets it.
        done, _ = wait(under_way, timeout=0 if may_start else None, return_when=FIRST_COMPLETED)
        for future in done:
            go_on(under_way.pop(future), future.result)
        if may_start and not done:
            go_on(waiting.popleft(), None)
    failures.raise_first()
