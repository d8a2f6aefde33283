"""A second instance of the target, with fakes and database of its own, whose clock jumps while it runs.

It is never the one whose answers are timed. A jump is a fact only where it was seen: each witness is one clock that can
be looked at, and a jump that one of them did not follow is reported as not observed, never as passed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import psycopg
import requests

from harness import faketime
from harness.clock import TravellingClock
from harness.errors import UsageError
from harness.stack.control import Handler
from harness.stack.stack import OPERATOR, Stack
from harness.target import Target
from harness.waiting import LOOK_EVERY_S

#: How far a witness may be from where the clock has landed. A Date header has whole seconds.
PROOF_TOLERANCE_S = 3

#: For so long a witness may still show the old time: a server may write its Date header anew each second only, and one
#: that is busy may let a look time out.
PROOF_WITHIN_S = 12.0

_LOOK_LIMIT_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A clock that can be looked at from outside: Unix seconds, or None where it shows none."""

    name: str
    look: Callable[[], float | None]


def unproved(
    witnesses: Sequence[Witness],
    now_s: Callable[[], float],
    *,
    within_s: float = PROOF_WITHIN_S,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> list[str]:
    """Which witnesses do not show `now_s`, each in words; empty: the jump is proved. No witness proves nothing."""
    pause = threading.Event()
    deadline = monotonic_s() + within_s
    while True:
        complaints = [text for one in witnesses if (text := _complaint(one, now_s))]
        if not complaints or monotonic_s() > deadline:
            return complaints if witnesses else ["nothing of this target shows its clock"]
        pause.wait(LOOK_EVERY_S)


def _complaint(witness: Witness, now_s: Callable[[], float]) -> str | None:
    seen_s = witness.look()
    if seen_s is None:
        return f"{witness.name} shows no time"
    off_s = seen_s - now_s()
    return None if abs(off_s) <= PROOF_TOLERANCE_S else f"{witness.name} is {off_s:+.0f} s off"


def no_second(target: Target) -> str | None:
    """Why there can be no second instance of this target beside the first; None if there can.

    What shares a port or a database with the first would change what is seen there.
    """
    if not target.start:
        return "the harness does not start the target, so it cannot start it twice"
    if target.meta_port:
        return "the fake Meta has a port of its own (meta_port), so there cannot be two of it"
    if "${port}" not in target.base_url:
        return "the target's base_url says no ${port}, so there cannot be two of it on one machine"
    if target.probes.database_url and "${database_url}" not in target.probes.database_url:
        return "the target's database is not one that the harness starts"
    return None


def tied_down(target: Target) -> str | None:
    """What in the target file keeps its clock where it is; None if nothing does."""
    reason = no_second(target)
    return f"{reason}, and its clock cannot be moved" if reason else None


def why_not(target: Target) -> str | None:
    """Why no second instance of this target can travel here; None if one can."""
    if reason := tied_down(target):
        return reason
    try:
        faketime.library()
    except UsageError as error:
        return str(error)
    if not os.access(faketime.SHARED_MEMORY, os.W_OK):
        return f"{faketime.SHARED_MEMORY} cannot be written to, and what all clocks begin with is shared there"
    return None


class TravellingStack(Stack):
    """A stack whose PostgreSQL, AWS endpoint, fake Meta and target follow one clock."""

    def __init__(self, target: Target, **options: Any) -> None:
        super().__init__(target.travelling(), **options)
        self.travelling = TravellingClock(self.folder / "faketime", self.clock)
        for path in self.travelling.left_behind:
            self.nursery.sweep_later(path)

    def stop(self) -> None:
        """End everything, its time included; safe to call twice."""
        super().stop()
        self.travelling.close()

    def _part_env(self) -> dict[str, str]:
        return {**super()._part_env(), **self.travelling.child_env()}

    def _parts_travel(self) -> bool:
        return True

    def _clock_env(self) -> dict[str, str]:
        """The time that all follow, and not the fixed one of `--at`, which who is started after a jump would keep."""
        return self.travelling.child_env()

    def _operations(self) -> dict[str, Handler]:
        return {**super()._operations(), "travel": lambda request: self.travel(int(request["to_s"]))}

    def travel(self, to_s: int) -> dict[str, Any]:
        """Jump to that moment, the fakes first; what of it could not be proved, and how long it took.

        Raises:
            HarnessError: that is no jump forward; nothing has moved.
        """
        began = time.monotonic()
        self.travelling.must_be_ahead(to_s)
        # First: an event that the target stamps in the new time must not lie in Meta's future.
        answer = requests.put(f"{self.meta_url}/_golive/clock", json={"now_s": to_s}, timeout=_LOOK_LIMIT_S)
        answer.raise_for_status()
        self.travelling.jump(to_s)
        self.clock = self.travelling.present
        missed = [*unproved(self._witnesses(), self.travelling.now_s), *self._deaf()]
        return {
            "offset_s": self.clock.offset_s,
            "unproved": missed,
            "witnesses": [one.name for one in self._witnesses()],
            "took_s": round(time.monotonic() - began, 3),
        }

    def _witnesses(self) -> list[Witness]:
        target = self.target
        found = [
            Witness(name="the target's Date header", look=lambda: _date_of(target.base_url + target.paths.ready)),
            Witness(name="the fake Meta", look=self._meta_now_s),
        ]
        if target.probes.database_url:
            found.append(Witness(name="the database's now()", look=lambda: _now_of(str(target.probes.database_url))))
        if aws_url := self._values.get("aws_url"):
            found.append(Witness(name="the AWS endpoint's Date header", look=lambda: _date_of(aws_url)))
        return found

    def _meta_now_s(self) -> float | None:
        return float(requests.get(f"{self.meta_url}/_golive/health", timeout=_LOOK_LIMIT_S).json()["now_s"])

    def _deaf(self) -> list[str]:
        """The target's processes that did not load the library: relay, consumer and their like show no clock.

        What was linked statically keeps the machine's time, and nothing else would say so.
        """
        names = [name for name in self.nursery.names("target") if name in (*self.target.start, OPERATOR)]
        children = [(name, self.nursery.get(name)) for name in names]
        return [
            f"the target's {role} has not loaded libfaketime, and keeps the machine's time"
            for role, child in children
            if child.running() and not _has_loaded(child.pid)
        ]


def _has_loaded(pid: int) -> bool:
    try:
        return "libfaketime" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _date_of(url: str) -> float | None:
    """What the server's answer says of the time, in the middle of its second."""
    try:
        date = requests.get(url, timeout=_LOOK_LIMIT_S).headers.get("Date")
        return parsedate_to_datetime(date).timestamp() + 0.5 if date else None
    except (requests.RequestException, ValueError):
        return None


def _now_of(database_url: str) -> float | None:
    try:
        with psycopg.connect(database_url, connect_timeout=_LOOK_LIMIT_S, autocommit=True) as connection:
            row = connection.execute("SELECT extract(epoch FROM now())::float8").fetchone()
    except psycopg.Error:
        return None
    return None if row is None else float(row[0])
