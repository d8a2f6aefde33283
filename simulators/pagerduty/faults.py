"""Ways of failing, by name. Each reverts by itself: after its strikes, or when its time is over.

To add one: a line in `FAULTS`, and what it does in `Fault`'s fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulators.pagerduty.errors import Refusal, Refused

Endpoint = Literal["sns", "events_v2"]
MAX_ARMED = 100


class TooManyFaults(ValueError):
    """More are armed than anybody means."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of failing."""

    answer: str | None
    """The row of `errors.TABLE` it answers with; None: the connection is reset."""
    hangs: bool = False
    """Nothing is sent for `hang_s` first."""
    works: bool = False
    """The honest work is done all the same, and only its answer is lost."""

    def refusal(self) -> Refused | None:
        """What the client is told, if anything."""
        return None if self.answer is None else Refused(Refusal.of(self.answer))


FAULTS: Mapping[str, Fault] = {
    "server_error": Fault("server_error"),
    "throttle": Fault("throttled"),
    "hang": Fault(None, hangs=True),
    "lose_reply": Fault(None, works=True),
}


@dataclass(kw_only=True, slots=True)
class Armed:
    """A fault that waits for calls; `until_s` is Unix seconds on the fake's clock, None: strikes alone end it."""

    name: str
    strikes: int | None
    until_s: float | None
    endpoint: Endpoint | None = None
    hang_s: float = 30.0

    def over(self, now_s: float) -> bool:
        """Whether it has reverted."""
        return self.strikes == 0 or (self.until_s is not None and now_s >= self.until_s)


class Arsenal:
    """The armed faults, the one armed first strikes first."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []

    def arm(self, fault: Armed) -> None:
        """From the next call on.

        Raises:
            TooManyFaults: there are `MAX_ARMED` already.
        """
        if len(self._armed) >= MAX_ARMED:
            message = f"{MAX_ARMED} faults are armed; DELETE /_golive/faults disarms them"
            raise TooManyFaults(message)
        self._armed.append(fault)

    def disarm(self) -> None:
        """All of them."""
        self._armed.clear()

    def armed(self, now_s: float) -> list[Armed]:
        """Those that have not reverted."""
        self._armed = [one for one in self._armed if not one.over(now_s)]
        return list(self._armed)

    def strike(self, endpoint: Endpoint, now_s: float) -> Armed | None:
        """The fault this call meets; it has one strike less."""
        for one in self.armed(now_s):
            if one.endpoint in {None, endpoint}:
                if one.strikes is not None:
                    one.strikes -= 1
                return one
        return None
