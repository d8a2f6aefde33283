"""Page views and checkouts beside the ledger: what Meta counted of them must be what a page has told.

They are no conversions, and nothing is promised of each of them; but none may come from nowhere, and what a page told
may reach Meta after a scenario has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from harness.records import Arrival

#: Meta's name for what is told at each of the target's paths.
NAMES: Mapping[str, str] = {"pageview": "PageView", "checkout": "InitiateCheckout"}


def is_told(arrival: Arrival, told: Collection[str]) -> bool:
    """Whether it is a page event under one of these event ids."""
    return arrival.event_name in NAMES.values() and arrival.event_id in told


def from_nowhere(arrivals: Iterable[Arrival], told: Collection[str]) -> list[str]:
    """A sentence for each page event that Meta counted and that no page told."""
    return [
        f"Meta counted the page event {one.event_name} (event id {one.event_id}) that no page told"
        for one in arrivals
        if one.counted and one.event_name in NAMES.values() and not is_told(one, told)
    ]
