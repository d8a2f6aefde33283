"""What a webhook's answer says about us, and what about whoever has sent it.

Anybody can send a forged webhook: that is no failure of ours, and if it paged, anybody could page. So what strangers
send is not counted. But an account that was fine and of which suddenly everything is refused is one whose secret was
rotated at the vendor, and every sale of it is being lost: `AccountsRefusingAll` pages.

Who is a stranger? Whoever sends from an address from which this account has never proved itself, as far as this process
remembers. Behind a proxy whose `X-Forwarded-For` is not read (TRUSTED_HOPS=0) all addresses are the proxy's, and a
forger alone with a quiet account for two minutes can page; then set TRUSTED_HOPS.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from typing import Literal

from reference_impl.monitoring.meter import Meter

Outcome = Literal["accepted", "promised", "failed", "unproven", "strange"]
"""accepted: 202. promised: refused as we said we would (switched off). failed: ours to mend. unproven: 401, of an
account that there is. strange: nobody's webhook (unknown account, no JSON, an address that may not)."""

Account = tuple[str, str]
"""Tenant and gateway."""
WasFine = Callable[[Set[Account]], Set[Account]]
"""Which of these have had sales of late, by the database."""

_MOST_ACCOUNTS, _MOST_ADDRESSES, _MOST_ASKED = 10_000, 64, 50


class WebhookWatch:
    """Takes note of every webhook's end, for all threads of the web process.

    Without `was_fine`, of an account that has never proved itself to this process nothing is known.
    """

    def __init__(self, meter: Meter, *, was_fine: WasFine | None = None) -> None:
        self._meter = meter
        self._was_fine = was_fine
        self._lock = threading.Lock()
        self._homes: dict[Account, set[str]] = {}
        """From where each account has proved itself."""
        self._accepted: set[Account] = set()
        self._refused: defaultdict[Account, set[str]] = defaultdict(set)

    def answered(self, tenant: str, gateway: str, address: str | None, outcome: Outcome, *, took_ms: float) -> None:
        """A webhook has been answered, or has failed."""
        if outcome in ("accepted", "promised", "failed"):
            self._meter.count("WebhookRequests")
            self._meter.observe("WebhookLatencyMs", took_ms)
            if outcome == "failed":
                self._meter.count("WebhookFailures")
        account = (tenant, gateway)
        with self._lock:
            if outcome == "accepted":
                self._accepted.add(account)
                self._remember(account, address or "")
            elif outcome == "unproven" and len(self._refused) < _MOST_ACCOUNTS:
                seen = self._refused[account]
                if len(seen) < _MOST_ADDRESSES:
                    seen.add(address or "")

    def _remember(self, account: Account, address: str) -> None:
        if account not in self._homes and len(self._homes) >= _MOST_ACCOUNTS:
            self._homes.clear()
        homes = self._homes.setdefault(account, set())
        if len(homes) < _MOST_ADDRESSES:
            homes.add(address)

    def measure(self) -> Mapping[str, float]:
        """Of the period that has just ended: how many accounts have had every webhook refused. Raises what
        `was_fine` raises."""
        with self._lock:
            accepted, self._accepted = self._accepted, set()
            refused, self._refused = self._refused, defaultdict(set)
            known: set[Account] = set()
            unsure: set[Account] = set()
            for account, addresses in refused.items():
                if account in accepted:
                    continue
                homes = self._homes.get(account)
                if homes is None:
                    unsure.add(account)  # this process has not seen it prove itself: has anybody?
                elif homes & addresses:
                    known.add(account)
        asked = set(sorted(unsure)[:_MOST_ASKED])
        fine = self._was_fine(asked) if asked and self._was_fine else frozenset[Account]()
        return {"AccountsRefusingAll": float(len(known) + len(fine))}
