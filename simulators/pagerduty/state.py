"""Everything one fake PagerDuty knows, in one place; belongs to one event loop."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.pagerduty import fetch
from simulators.pagerduty.faults import Arsenal
from simulators.pagerduty.inbox import Inbox
from simulators.pagerduty.limiter import Limiter
from simulators.pagerduty.signature import Certificates
from simulators.pagerduty.switches import Switches

Clock = Callable[[], float]
MAX_KEYS = 10_000


async def _get(url: str, host: str) -> tuple[int, bytes]:
    return await fetch.get(url, host=host)


@dataclass(kw_only=True)
class PagerDuty:
    """State of the fake. `now_s` is its clock (Unix seconds), `rng` draws the dedup keys it makes up."""

    now_s: Clock
    rng: random.Random
    switches: Switches = field(default_factory=Switches)
    inbox: Inbox = field(default_factory=Inbox)
    arsenal: Arsenal = field(default_factory=Arsenal)
    ca_pem: bytes | None = None
    keys: set[str] = field(default_factory=set)
    """Registered integration keys; they matter with `strict_keys` alone."""
    limiter: Limiter = field(init=False)
    certificates: Certificates = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.switches.rate_per_min)
        self.certificates = Certificates(_get, cert_at=self.switches.cert_at, ca_pem=self.ca_pem)

    def new_dedup_key(self) -> str:
        """For a trigger that has none: 32 hex digits, as unlike any other as the seed allows."""
        return self.rng.randbytes(16).hex()
