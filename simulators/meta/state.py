"""Everything one fake Meta knows, in one place; belongs to one event loop."""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.meta.dedupe import Dedupe
from simulators.meta.faults import Arsenal
from simulators.meta.inbox import Inbox
from simulators.meta.latency import Latency
from simulators.meta.switches import Switches
from simulators.meta.tokens import Tokens

Clock = Callable[[], float]

_TRACE_CHARS = 22
_TRACES_BYTES = 528
"""What 32 of them are made of: 22 characters of base64 hold 16½ bytes."""


class NoWayBack(ValueError):
    """The clock was asked to go back."""


@dataclass(kw_only=True)
class Meta:
    """State of the fake. `now_s` is its clock (Unix seconds), `rng` draws its trace ids and the tokens it gives out."""

    now_s: Clock
    rng: random.Random
    travelled_s: float = 0.0
    """How far a harness has moved the clock since the start; only ever forward (`travel`)."""
    switches: Switches = field(default_factory=Switches)
    inbox: Inbox = field(default_factory=Inbox)
    dedupe: Dedupe = field(default_factory=Dedupe)
    arsenal: Arsenal = field(default_factory=Arsenal)
    latency: Latency | None = None
    """Of pixels without their own; None: none."""
    latencies: dict[str, Latency] = field(default_factory=dict)
    tokens: Tokens = field(init=False)
    _traces: list[str] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.switches)
        clock = self.now_s
        self.now_s = lambda: clock() + self.travelled_s

    def travel(self, to_s: float) -> float:
        """Move the clock forward to that moment (Unix seconds); the present afterwards.

        Raises:
            NoWayBack: that moment is over.
        """
        ahead_s = to_s - self.now_s()
        if ahead_s < 0:
            raise NoWayBack(f"The clock only goes forward, and that is {-ahead_s:.0f} s ago.")
        self.travelled_s += ahead_s
        return self.now_s()

    def trace_id(self) -> str:
        """A fresh fbtrace_id: `A` and 22 of base64url (facts, section 1)."""
        if not self._traces:  # many at a time: two are drawn for each answer of a load run
            text = urlsafe_b64encode(self.rng.randbytes(_TRACES_BYTES)).decode()
            self._traces = ["A" + text[at : at + _TRACE_CHARS] for at in range(0, len(text), _TRACE_CHARS)]
        return self._traces.pop()

    def hurries(self, pixel: str) -> bool:
        """Whether the next answer to this pixel has nothing to wait for: no fault armed, no latency."""
        return not self.arsenal.armed_for(pixel) and self.latencies.get(pixel, self.latency) is None

    def delay_s(self, pixel: str) -> float:
        """How long the next answer to this pixel takes."""
        latency = self.latencies.get(pixel, self.latency)
        return 0.0 if latency is None else latency.draw_s()
