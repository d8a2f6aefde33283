"""The run's clock: everything that goes onto the wire is a function of its origin, never of "now"."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import faketime
from harness.errors import HarnessError, UsageError

#: Stripe accepts a signature for 300 s; a run that outlives its origin by this long stamps anew.
RESTAMP_EVERY_S = 240

#: Of a travelling clock; more than twice what its proof may be off by, so that a proof means something.
SHORTEST_JUMP_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClock:
    """Where the run's time began, and how far that is from the machine's."""

    origin_s: int
    """Whole seconds since 1970-01-01 UTC."""
    offset_s: int
    """What must be added to the machine's clock; 0 unless the run travels (`--at`)."""

    @classmethod
    def starting_now(cls) -> RunClock:
        """A run in the present."""
        return cls(origin_s=int(time.time()), offset_s=0)

    @classmethod
    def at(cls, stamp: str) -> RunClock:
        """A run that believes it began at `stamp` (ISO 8601, with a zone).

        Raises:
            UsageError: no such time, or one without a zone.
        """
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            raise UsageError(f"--at {stamp!r} is not a time. Write it like 2026-03-01T12:00:00Z.") from None
        if moment.tzinfo is None:
            whole = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            raise UsageError(f"--at {stamp!r} has no zone. Write it like {whole} for UTC.")
        origin_s = int(moment.timestamp())
        return cls(origin_s=origin_s, offset_s=origin_s - int(time.time()))

    def now_s(self) -> float:
        """The present of this run."""
        return time.time() + self.offset_s

    def stamp_s(self) -> int:
        """When a webhook says it was signed: the origin, moved in coarse steps so that it stays fresh."""
        late_s = max(0, int(self.now_s()) - self.origin_s)
        return self.origin_s + late_s // RESTAMP_EVERY_S * RESTAMP_EVERY_S

    def iso(self) -> str:
        """The origin as `--at` would take it."""
        return datetime.fromtimestamp(self.origin_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def child_env(self) -> dict[str, str]:
        """What makes a process that we start live in this run's time (libfaketime; monotonic time is untouched)."""
        if not self.offset_s:
            return {}
        return faketime.fixed(self.offset_s)


class TravellingClock:
    """A clock that jumps while its processes run, for a whole instance at once, and only ever forward.

    Every process looks its offset up at each look at the time, so all of them jump in the same moment. Time that passes
    by itself goes on passing. Monotonic clocks are untouched: who measures a pause by one sees no jump
    (docs/time_travel.md).
    """

    def __init__(self, file: Path, start: RunClock) -> None:
        """`file`: what is looked up; to be made.

        Raises:
            HarnessError, UsageError: nobody can be made to travel on this machine.
        """
        self._followed = faketime.Followed(file, began_s=int(time.time()))
        self.present = start
        """The run's clock as of the last jump: its origin is where that jump has landed."""
        self._followed.be_off(start.offset_s)

    def now_s(self) -> float:
        """The present of the instance, in seconds since 1970."""
        return self.present.now_s()

    def must_be_ahead(self, to_s: int) -> None:
        """Return if one can travel there.

        Raises:
            HarnessError: that moment is over, or so near that a jump could not be told from waiting.
        """
        ahead_s = to_s - self.now_s()
        if ahead_s < SHORTEST_JUMP_S:
            when = datetime.fromtimestamp(to_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise HarnessError(
                f"The clock only travels forward, and {SHORTEST_JUMP_S} s or more; {when} is {ahead_s:+.0f} s from "
                "its present. Let the scenario travel to a later moment."
            )

    def jump(self, to_s: int) -> None:
        """Be at that moment (whole seconds since 1970) from now on.

        Raises:
            HarnessError: as `must_be_ahead`; then nothing has moved.
        """
        self.must_be_ahead(to_s)
        self.present = RunClock(origin_s=to_s, offset_s=math.ceil(to_s - time.time()))
        self._followed.be_off(self.present.offset_s)

    def child_env(self) -> dict[str, str]:
        """What makes a process that we start follow every jump."""
        return self._followed.env()

    @property
    def left_behind(self) -> tuple[Path, Path]:
        """What `close` removes, and somebody else must where that is not called."""
        return self._followed.left_behind

    def close(self) -> None:
        """The instance has ended."""
        self._followed.close()
