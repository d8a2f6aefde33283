"""Reads the other fakes' control routes, and keeps the last rows of both for whoever looks at the page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from simulators.console.rows import meta_rows, off_row, sent_row

#: Rows of each kind that are kept.
KEPT = 1000
#: The fakes are on this machine: who has not answered by then is not there.
ASK_TIMEOUT_S = 2.0
#: A target may think this long about a webhook that is sent again.
AGAIN_TIMEOUT_S = 15.0
#: A call without events is in no list of arrivals: of so many pixels every one is asked each time.
ASK_ALL_PIXELS = 8

Row = dict[str, Any]


class NotThere(Exception):
    """A fake does not answer; says which."""


@dataclass(slots=True)
class Feed:
    """Numbered rows, bounded."""

    rows: deque[Row] = field(default_factory=lambda: deque(maxlen=KEPT))
    last: int = 0
    up: bool = False

    def add(self, row: Row) -> None:
        """Number it and keep it."""
        self.last += 1
        self.rows.append({**row, "n": self.last})

    def since(self, n: int) -> Row:
        """What is newer, as the page gets it."""
        return {"up": self.up, "last": self.last, "rows": [row for row in self.rows if row["n"] > n]}


class Collector:
    """Belongs to one event loop; asks the fakes from threads, one question at a time."""

    def __init__(self, *, gateways_url: str, meta_url: str, pixels: Sequence[str] = ()) -> None:
        self.gateways_url, self.meta_url = gateways_url, meta_url
        self.sent, self.meta = Feed(), Feed()
        self.on_the_way = 0
        self.switched_off: list[Row] = []
        self._sent_after = self._arrived_after = 0
        self._seen_after: dict[str, int] = dict.fromkeys(pixels, 0)
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Fetch what is new; a fake that does not answer is marked so and keeps its old rows."""
        async with self._lock:
            await self._guarded(self.sent, self.gateways_url, self._read_sent)
            await self._guarded(self.meta, self.meta_url, self._read_meta)

    async def _guarded(self, feed: Feed, url: str, read: Callable[[], None]) -> None:
        if not url:
            return
        try:
            await asyncio.to_thread(read)
            feed.up = True
        except NotThere:
            feed.up = False

    def _read_sent(self) -> None:
        told = _get(f"{self.gateways_url}/_golive/sent", {"after": self._sent_after})
        for one in told["sent"]:
            self.sent.add(sent_row(one, self.gateways_url))
        self._sent_after, self.on_the_way = told["next"], told["on_the_way"]
        self.switched_off = [off_row(one) for one in told["switched_off"]]

    def _read_meta(self) -> None:
        arrived = _get(f"{self.meta_url}/_golive/arrivals", {"after": self._arrived_after})
        pixels = {one[1] for one in arrived["arrivals"]}
        for pixel in pixels:
            self._seen_after.setdefault(pixel, 0)
        asked = self._seen_after if len(self._seen_after) <= ASK_ALL_PIXELS else pixels
        calls = [call for pixel in list(asked) for call in self._calls(pixel)]
        for call in sorted(calls, key=lambda one: one["seq"]):
            for row in meta_rows(call):
                self.meta.add(row)
        self._arrived_after = arrived["next"]

    def _calls(self, pixel: str) -> list[Row]:
        told = _get(f"{self.meta_url}/_golive/seen", {"pixel": pixel, "after": self._seen_after[pixel]})
        calls: list[Row] = told["calls"]
        if calls:
            self._seen_after[pixel] = calls[-1]["seq"]
        return calls

    async def again(self, seq: int) -> tuple[int, Row]:
        """Have the webhook sent once more: the gateways' status and answer.

        Raises:
            NotThere: the fake gateways do not answer.
        """
        return await asyncio.to_thread(self._again, seq)

    async def switch_on(self, number: int) -> tuple[int, Row]:
        """Have a configuration switched on that the vendor has given up: the gateways' status and answer.

        Raises:
            NotThere: the fake gateways do not answer.
        """
        return await asyncio.to_thread(self._post, f"configurations/{number}/on")

    def _again(self, seq: int) -> tuple[int, Row]:
        return self._post(f"sent/{seq}/again")

    def _post(self, path: str) -> tuple[int, Row]:
        try:
            with _session() as session:
                answer = session.post(f"{self.gateways_url}/_golive/{path}", timeout=AGAIN_TIMEOUT_S)
                return answer.status_code, answer.json()
        except (requests.RequestException, ValueError):
            raise NotThere(f"The fake gateways do not answer at {self.gateways_url}.") from None


def _get(url: str, asked: Mapping[str, Any]) -> Row:
    try:
        with _session() as session:
            answer = session.get(url, params=dict(asked), timeout=ASK_TIMEOUT_S)
            answer.raise_for_status()
            told: Row = answer.json()
            return told
    except (requests.RequestException, ValueError):
        raise NotThere(f"Nobody answers at {url}.") from None


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy of the environment between the parts of one machine
    return session
