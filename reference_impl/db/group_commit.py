"""Group commit: what several threads want written at one moment goes to the database together.

A round trip and a commit cost about the same for ten rows as for one, and most of it is waiting and waking. Whoever
comes while nobody writes, writes at once and alone; whoever comes meanwhile is taken along by the next. Nobody ever
waits for company.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Entry(Generic[Item, Result]):
    """One thread's wish, and where it waits for it."""

    __slots__ = ("bell", "group", "item", "results")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.results: Sequence[Result] = ()
        """One, when it has been done; none: it must be done alone."""
        self.group: Sequence[_Entry[Item, Result]] = ()
        """Whom it must do, itself first; none: another one does it."""
        self.bell = threading.Lock()
        self.bell.acquire()


class GroupCommit(Generic[Item, Result]):
    """Calls `work` with what is there, in the thread of one of those who want it.

    `work(items)` returns a result for each, in order, and either does all, or raises and has done nothing that may not
    be done again. Where it raises for several, each is tried alone in its own thread: one bad item spoils no other.

    Units:
        `writers`: how many groups may be on their way at once.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, writers: int = 1) -> None:
        self._work = work
        self._guard = threading.Lock()
        self._waiting: deque[_Entry[Item, Result]] = deque()
        self._free = writers

    @property
    def waiting(self) -> int:
        """How many will go with the next group."""
        return len(self._waiting)

    def submit(self, item: Item) -> Result:
        """The item's result, when it is done. Raises what `work` raises for it alone."""
        entry: _Entry[Item, Result] = _Entry(item)
        with self._guard:
            if self._free:
                self._free -= 1
                entry.group = (entry,)
            else:
                self._waiting.append(entry)
        if not entry.group:
            entry.bell.acquire()
        if entry.group:
            self._lead(entry.group)
        return entry.results[0] if entry.results else self._work([item])[0]

    def _lead(self, group: Sequence[_Entry[Item, Result]]) -> None:
        """Do a group, then hand over to whoever came meanwhile."""
        results: Sequence[Result] = ()
        try:
            results = self._work([one.item for one in group])
        except Exception:
            if len(group) == 1:
                raise
        finally:
            self._hand_over()
            for number, one in enumerate(group):
                one.results = results[number : number + 1]
                if number:
                    one.bell.release()

    def _hand_over(self) -> None:
        with self._guard:
            if self._waiting:
                heir = self._waiting[0]
                heir.group = tuple(self._waiting)
                self._waiting.clear()
                heir.bell.release()
            else:
                self._free += 1
