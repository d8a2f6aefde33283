"""Carry out a delivery plan over HTTP: many at once, at a rate, each with its vendor's retries.

aiohttp sends, without anything of its own: no header, cookie, proxy, redirect or re-quoting of the address, so that a
webhook arrives as it was signed. Only to this machine, unless a host is allowed by name.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from yarl import URL

from simulators.gateways import Webhook
from simulators.gateways._delivery import Configuration, Schedule, Slot
from simulators.gateways._tamper import chunks, without_framing

#: Of an answer no more is read: vendors look at its status.
ANSWER_BYTES = 65_536
#: Shorter than any server's own limit (uvicorn 5 s, nginx 75 s): a connection that it is about to close is not used.
_IDLE_S = 1.0
_AUTOMATIC = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}").fullmatch

Make = Callable[[Slot, float], Webhook]
"""The request for a slot, signed at so many seconds since the plan began (in the vendor's time, not compressed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt."""

    status: int | None
    """None: there was no HTTP answer."""
    failure: str | None
    """Why not: `timeout`, `refused`, `disconnected` or an exception's name."""
    elapsed_s: float
    word: str | None = None
    """What the receiver calls it, like `bad_signature`; None where it says nothing of the kind."""

    @property
    def accepted(self) -> bool:
        """Any 2xx; a redirect is a failure for every vendor."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def name(self) -> str:
        """The status, or the failure."""
        return str(self.status) if self.status is not None else str(self.failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request of a plan that was answered, or not."""

    slot: Slot
    number: int
    """1 for the first one."""
    signed_after_s: float
    """Seconds since the plan began, in the vendor's time."""
    answer: Answer


@dataclass(slots=True)
class Tally:
    """What has come of a plan so far; a delivery is one copy of one slot with all its attempts."""

    planned: int
    """Deliveries."""
    accepted: int = 0
    given_up: int = 0
    """No attempt was accepted, and the vendor makes no more."""
    not_sent: int = 0
    """Never sent at all: the vendor had switched the configuration off."""
    attempts: int = 0
    retries: int = 0
    switched_off: bool = False
    by_name: Counter[str] = field(default_factory=Counter)
    """Attempts by status or failure."""
    words: Counter[str] = field(default_factory=Counter)
    """What refusals were called, as `401 bad_signature`."""
    elapsed_s: list[float] = field(default_factory=list)
    """Of attempts that were answered."""
    duration_s: float = 0.0
    """From the plan's beginning to the last answer."""

    @property
    def done(self) -> int:
        """Deliveries that have come to their end."""
        return self.accepted + self.given_up + self.not_sent

    def to_json(self) -> dict[str, object]:
        """The counts, by the names under which `golive trigger --json` and the fakes' runs tell them."""
        return {
            "planned": self.planned,
            "accepted": self.accepted,
            "not_accepted": self.given_up,
            "not_sent": self.not_sent,
            "unfinished": self.planned - self.done,
            "attempts": self.attempts,
            "retries": self.retries,
            "switched_off": self.switched_off,
            "by_status": dict(sorted(self.by_name.items())),
        }

    @property
    def rate_per_s(self) -> float:
        """Attempts a second."""
        return self.attempts / self.duration_s if self.duration_s else 0.0

    def add(self, answer: Answer, *, retry: bool) -> None:
        """One attempt more."""
        self.attempts += 1
        self.retries += retry
        self.by_name[answer.name] += 1
        if answer.status is not None:
            self.elapsed_s.append(answer.elapsed_s)
        if not answer.accepted and answer.word:
            self.words[f"{answer.name} {answer.word}"] += 1


async def send(session: aiohttp.ClientSession, webhook: Webhook, *, timeout_s: float) -> Answer:
    """POST it once and say what came back, whatever that is."""
    began_s = asyncio.get_running_loop().time()
    status, failure, word = None, None, None
    pieces = chunks(webhook)
    try:
        async with session.post(
            URL(webhook.url, encoded=True),
            data=webhook.body if pieces is None else _one_by_one(pieces),
            headers=without_framing(webhook),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
        ) as reply:
            body = b""
            while len(body) < ANSWER_BYTES and (piece := await reply.content.readany()):
                body += piece
            status, word = reply.status, None if reply.ok else _word(body)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        failure = _failure(error)
    return Answer(status=status, failure=failure, word=word, elapsed_s=asyncio.get_running_loop().time() - began_s)


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """What makes aiohttp send a body in chunks."""
    for piece in pieces:
        yield piece


def _failure(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "refused" if isinstance(error.os_error, ConnectionRefusedError) else "unreachable"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError):
        return "disconnected"
    return type(error).__name__


def _word(body: bytes) -> str | None:
    """A plain word in a JSON answer: an answer in full might quote a person or a secret."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for name in ("error", "code", "status"):
        told_there = told.get(name) if isinstance(told, dict) else None
        word = told_there.get("code") if isinstance(told_there, dict) else told_there
        if isinstance(word, str) and _WORD(word):
            return word
    return None


@dataclass(kw_only=True, slots=True)
class Sender:
    """Carries out one plan; `tally` can be read at any time, also after it was cancelled."""

    slots: Sequence[Slot]
    make: Make
    schedule: Schedule
    """Its time-out always; its retries where `retries` says so."""
    retries: bool = False
    compress: float = 1.0
    """How many times faster than the vendor the retries follow."""
    concurrency: int = 64
    """Slots on the way at once; a slot's copies go together."""
    told: Callable[[Tally], None] = lambda _tally: None
    """Called after every attempt."""
    seen: Callable[[Attempt], None] = lambda _attempt: None
    """Called with every attempt."""
    configuration: Configuration | None = None
    """Whether the vendor still sends, where it is shared with other plans; else this plan has one of its own."""
    tally: Tally = field(init=False)
    _began_s: float = field(init=False, default=0.0)
    _configuration: Configuration = field(init=False)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.tally = Tally(planned=sum(slot.copies for slot in self.slots))
        own = Configuration(self.schedule.off_after_failures if self.retries else None)
        self._configuration = self.configuration or own

    async def run(self) -> Tally:
        """Send everything when it is due, retries included; ends with the last answer."""
        loop = asyncio.get_running_loop()
        self._places, self._began_s = asyncio.Semaphore(self.concurrency), loop.time()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_AUTOMATIC,
            ) as session,
            asyncio.TaskGroup() as tasks,
        ):
            for slot in self.slots:
                await self._until(slot.at_s)
                await self._places.acquire()
                tasks.create_task(self._first(session, slot, tasks))
        return self.tally

    async def _until(self, at_s: float) -> None:
        early_s = self._began_s + at_s - asyncio.get_running_loop().time()
        if early_s > 0:
            await asyncio.sleep(early_s)

    async def _first(self, session: aiohttp.ClientSession, slot: Slot, tasks: asyncio.TaskGroup) -> None:
        """All copies in the same instant; whatever fails goes on by itself."""
        try:
            if self._configuration.off:
                self.tally.not_sent += slot.copies
                return
            webhook = self.make(slot, slot.at_s)
            post = partial(send, session, webhook, timeout_s=self.schedule.timeout_s)
            for answer in await asyncio.gather(*(post() for _ in range(slot.copies))):
                if not self._settled(Attempt(slot=slot, number=1, signed_after_s=slot.at_s, answer=answer)):
                    tasks.create_task(self._again(session, slot))
        finally:
            self._places.release()

    async def _again(self, session: aiohttp.ClientSession, slot: Slot) -> None:
        """The second attempt and all later ones, until one is accepted or the vendor gives up."""
        attempt, signed_after_s = 1, slot.at_s
        while (delay_s := self.schedule.delay_s(attempt)) is not None:
            signed_after_s += delay_s
            await asyncio.sleep(delay_s / self.compress)
            async with self._places:
                if self._configuration.off:
                    break
                attempt += 1
                webhook = self.make(slot, signed_after_s)
                answer = await send(session, webhook, timeout_s=self.schedule.timeout_s)
                made = Attempt(slot=slot, number=attempt, signed_after_s=signed_after_s, answer=answer)
                if self._settled(made):
                    return
        self.tally.given_up += 1

    def _settled(self, attempt: Attempt) -> bool:
        """Count the attempt; whether its delivery has come to its end."""
        answer = attempt.answer
        self.tally.add(answer, retry=attempt.number > 1)
        self.tally.duration_s = asyncio.get_running_loop().time() - self._began_s
        self._configuration.saw(accepted=answer.accepted)
        self.tally.switched_off = self._configuration.off
        self.tally.accepted += answer.accepted
        over = answer.accepted or not self.retries
        self.tally.given_up += over and not answer.accepted
        self.seen(attempt)
        self.told(self.tally)
        return over
