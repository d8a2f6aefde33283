"""The run's clock: everything that goes onto the wire is a function of its origin, never of "now"."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import UsageError

#: Stripe accepts a signature for 300 s; a run that outlives its origin by this long stamps anew.
RESTAMP_EVERY_S = 240


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
        return {
            "LD_PRELOAD": str(_faketime_library()),
            "FAKETIME": f"{self.offset_s:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


def _faketime_library() -> Path:
    if sys.platform != "linux":
        raise UsageError("--at moves the target's clock with libfaketime, which golive carries for Linux only.")
    import libfaketime  # noqa: PLC0415 -- only a travelling run needs it

    found = sorted(Path(libfaketime.__file__).parent.glob("vendor/libfaketime/src/libfaketime.so*"))
    if not found:
        raise UsageError("--at needs the libfaketime package with its library; `make setup` installs it.")
    return found[0]
