"""What the fake gateways remember of what they sent: bounded, and without a secret or a person in what is told."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from simulators.gateways import gateway
from simulators.gateways._switches import with_switches
from simulators.gateways._tamper import expected
from simulators.wishes import Send

#: What is remembered of what was sent.
SENT_KEPT = 1000


class Answer(NamedTuple):
    """What came back."""

    status: int
    elapsed_ms: float
    word: str | None
    """What the target calls it, like `accepted` or `bad_signature`; None where it says nothing of the kind."""


@dataclass(kw_only=True, slots=True)
class Sent:
    """One webhook that went out and what came back; `wish` holds a secret and never leaves the process."""

    seq: int
    at_s: float
    signed_at_s: int
    wish: Send
    sale_id: str
    again_of: int | None
    answer: Answer | None
    failure: str | None
    run: int | None = None
    attempt: int = 1

    def to_json(self) -> dict[str, Any]:
        """As `GET /_golive/sent` tells it."""
        wish, answer = self.wish, self.answer
        event = with_switches(gateway(wish.gateway), wish.switches).events(wish.dialect)[wish.event]
        return {
            "seq": self.seq,
            "at_s": self.at_s,
            "gateway": wish.gateway,
            "dialect": wish.dialect,
            "event": wish.event,
            "outcome": event.outcome,
            "sale_id": self.sale_id,
            "seed": wish.seed,
            "signed_at_s": self.signed_at_s,
            "order_at_s": wish.at_s,
            "to": without_query(wish.to),
            "set": {path: _unless_text(value) for path, value in wish.set.items()},
            "tracking": dict.fromkeys(wish.tracking, "…"),
            "tamper": wish.tamper,
            "switches": {name: _unless_text(value) for name, value in wish.switches.items()},
            "expected": expected(wish.tamper, wish.gateway, wish.dialect) if wish.tamper else None,
            "again_of": self.again_of,
            "run": self.run,
            "attempt": self.attempt,
            "status": answer.status if answer else None,
            "elapsed_ms": round(answer.elapsed_ms, 3) if answer else None,
            "word": answer.word if answer else None,
            "failure": self.failure,
        }


def without_query(url: str) -> str:
    """The address without what rides along: Kiwify's signature, or a secret of somebody's own."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" if parts.query else "")


def _unless_text(value: Any) -> Any:
    plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else "…"


@dataclass(slots=True)
class SentLog:
    """The last webhooks, oldest first. Belongs to one event loop."""

    kept: deque[Sent] = field(default_factory=lambda: deque(maxlen=SENT_KEPT))
    numbers: count[int] = field(default_factory=lambda: count(1))
    on_the_way: int = 0

    def add(self, **about: Any) -> None:
        """Number it and keep it; the oldest is forgotten for it."""
        self.kept.append(Sent(seq=next(self.numbers), **about))

    def told(self, after: int) -> dict[str, Any]:
        """What came after, and how many of it are forgotten."""
        oldest = self.kept[0].seq if self.kept else 1
        newer = [one for one in self.kept if one.seq > after]
        return {
            "sent": [one.to_json() for one in newer],
            "next": newer[-1].seq if newer else after,
            "dropped": max(0, oldest - 1 - after),
            "on_the_way": self.on_the_way,
        }

    def find(self, seq: int) -> Sent | None:
        """The webhook of that number, if it is still there."""
        return next((one for one in self.kept if one.seq == seq), None)
