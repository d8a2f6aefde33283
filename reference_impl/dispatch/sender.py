"""Claimed conversions to Meta, until each is delivered, held, expired or dead-lettered; the tenants side by side.

Nothing waits here but for Meta. What must be tried later is held in the database with a time, and comes back through
the outbox; so SQS's receive count counts crashes only, and a slow tenant keeps no thread.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from reference_impl.db import reversals
from reference_impl.dispatch import side_by_side, store
from reference_impl.dispatch.backoff import full_jitter_s
from reference_impl.dispatch.batches import halve, plan
from reference_impl.dispatch.breaker import Pass, Refusal
from reference_impl.dispatch.breaker_store import BreakerStore
from reference_impl.dispatch.classify import Answer, Kind, NoAnswer, classify
from reference_impl.dispatch.loops import Connection
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.store import Call, Claimed
from reference_impl.dispatch.token import MetaToken, TokenBook
from reference_impl.logs import place
from reference_impl.monitoring.meter import Meter

log = logging.getLogger(__name__)

UNKNOWN_LIMIT_S = 47 * 3600
"""Meta forgets an event id after 48 h. What it may have counted is not sent again after 47 h."""


class Capi(Protocol):
    """What the sender needs of the HTTP client, in several threads."""

    def send(self, *, pixel_id: str, token: str, events: Sequence[Mapping[str, Any]]) -> Answer | NoAnswer:
        """One request; never raises for I/O."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What Meta is to be asked."""

    pixel_id: str
    token: str = field(repr=False)
    events: Sequence[Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What came back, and after how long."""

    reply: Answer | NoAnswer
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How soon to come back. Seconds."""

    retry_base_s: float
    retry_max_s: float
    recheck_s: float
    """For what a person or a token renewal must heal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Sends for one thread. `tokens` and `pauses` are shared by the threads of a process."""

    capi: Capi
    breakers: BreakerStore
    tokens: TokenBook
    dead_letters: Queue
    timing: Timing
    rng: random.Random
    monotonic_s: Callable[[], float]
    new_id: Callable[[], UUID]
    to_event: Callable[[Claimed], Mapping[str, Any]]
    too_old: Callable[[Claimed], bool]
    pauses: dict[str, float] = field(default_factory=dict)
    """Pixels that Meta throttles, and until when by the monotonic clock."""
    helpers: side_by_side.Helpers | None = None
    """Wait for Meta where several tenants have something to send; None: one tenant after the other."""
    batch_size: int = 50
    meter: Meter = field(default_factory=Meter)
    """How purchases end, and how long Meta takes."""

    def dispatch(
        self, connection: Connection, groups: Sequence[Sequence[Claimed]], *, may_begin: Callable[[], bool]
    ) -> None:
        """Settle conversions, each group one tenant's; what cannot be begun any more goes back to the outbox."""
        failures = side_by_side.Failures()
        by_pixel: defaultdict[str, list[_Round]] = defaultdict(list)
        # Whatever else may take its time, tokens first of all, before anything is asked: no answer waits for it.
        for claimed in groups:
            with failures.alone():
                if rest := self._still_sendable(connection, claimed):
                    by_pixel[rest[0].pixel_id].append(_Round(self, connection, may_begin, rest))
        # Two tenants of one pixel in turn: the second profits from the first's probe, and heeds what throttled it.
        rounds = [_in_turn(sharing) for sharing in by_pixel.values()]
        side_by_side.run(rounds, self._ask, helpers=self.helpers)
        failures.raise_first()

    def token_of(self, tenant: str) -> MetaToken | None:
        """The token to send with; None where there is none, it was refused, or nobody can be asked for it."""
        return self._known(tenant, lambda: self.tokens.current(tenant))

    def newer_token(self, tenant: str, refused: MetaToken) -> MetaToken | None:
        """The one to go on with after that one was refused; None as above."""
        return self._known(tenant, lambda: self.tokens.refused(tenant, refused))

    def _known(self, tenant: str, look: Callable[[], MetaToken | None]) -> MetaToken | None:
        # A secret that cannot be read is a reason to hold, like a token that is dead; raised, it would count as a crash
        # of the consumer, and after five of those SQS takes the sales to the dead letters.
        try:
            return look()
        except Exception as error:  # noqa: BLE001 -- whatever the secret store raises
            log.warning("the Meta token of %s cannot be read: %s", tenant, place(error))
            return None

    def _ask(self, question: Question) -> Told:
        begun_s = self.monotonic_s()
        reply = self.capi.send(pixel_id=question.pixel_id, token=question.token, events=question.events)
        return Told(reply, round((self.monotonic_s() - begun_s) * 1000))

    def _still_sendable(self, connection: Connection, claimed: Sequence[Claimed]) -> list[Claimed]:
        """Without what was paid back, what Meta would refuse for its age, and what it might count a second time."""
        paid_back = [one for one in claimed if one.reversed]
        store.end(connection, paid_back, state="suppressed", reason="reversed before the dispatch")
        # A reversal that was undone since the claim has found nothing to revive.
        reversals.reconsider_all(connection, [one.id for one in paid_back if not self.too_old(one)])
        refused = [one for one in claimed if one.refused and not one.reversed]
        store.end(connection, refused, state="suppressed", reason="consent withdrawn before the dispatch")
        gone = {one.id for one in (*paid_back, *refused)}
        old = [one for one in claimed if one.id not in gone and self.too_old(one)]
        store.end(connection, old, state="expired", reason="older than 7 days")
        self._count(old, failed=True)
        gone |= {one.id for one in old}
        fresh = [one for one in claimed if one.id not in gone]
        doubtful = [one.id for one in fresh if one.unknown_outcome]
        ages_s = store.unknown_for_s(connection, doubtful) if doubtful else {}
        stale = [one for one in fresh if ages_s.get(one.id, 0.0) >= UNKNOWN_LIMIT_S]
        if stale:
            self.bury(connection, stale, "outcome unknown for 47 hours")
        return [one for one in fresh if ages_s.get(one.id, 0.0) < UNKNOWN_LIMIT_S]

    def bury(
        self, connection: Connection, conversions: Sequence[Claimed], reason: str, call: Call | None = None
    ) -> None:
        """To the dead letters, with the reason. The letter goes first: a crash leaves one too many, never one too few.

        Raises LettersRefused where SQS does not take them; the conversions then stay claimed and come back.
        """
        ids = [str(one.id) for one in conversions]
        if self.dead_letters.send(ids, reasons=dict.fromkeys(ids, reason)):
            raise LettersRefused
        store.end(connection, conversions, state="dead_lettered", reason=reason, call=call)
        self._count(conversions, failed=True)
        log.error("dead-lettered %s: %s", ", ".join(ids), reason)

    def _count(self, ended: Sequence[Claimed], *, failed: bool) -> None:
        """Purchases only: a page view that is lost wakes nobody."""
        purchases = sum(one.event_name == "Purchase" for one in ended)
        self.meter.count("DispatchesEnded", purchases)
        if failed:
            self.meter.count("DispatchesFailed", purchases)

    def note(self, batch: Sequence[Claimed], *, kind: Kind, duration_ms: float) -> None:
        """Meta was asked about a batch, and what came of it is written."""
        self.meter.observe("DispatchLatencyMs", duration_ms, times=len(batch))
        if kind is Kind.SENT:
            self._count(batch, failed=False)


class LettersRefused(Exception):
    """SQS would not take a dead letter."""


def _in_turn(rounds: Sequence[_Round]) -> Generator[Question, Told, None]:
    """One after the other; one that fails ends alone, and the first failure is raised at the end."""
    failures = side_by_side.Failures()
    for one in rounds:
        with failures.alone():
            yield from one.run()
    failures.raise_first()


class _Round:
    """The batches of one tenant, until none is left; what it sends them with is asked for when it is made."""

    def __init__(
        self, sender: Sender, connection: Connection, may_begin: Callable[[], bool], members: list[Claimed]
    ) -> None:
        self._sender = sender
        self._connection = connection
        self._may_begin = may_begin
        self._tenant, self._pixel = members[0].tenant_id, members[0].pixel_id
        self._batches = plan(members, size=sender.batch_size)
        self._token = sender.token_of(self._tenant)

    def run(self) -> Generator[Question, Told, None]:
        """Ask about batch after batch, or hold what may not be asked about."""
        token = self._token
        if token is None:
            self._hold_rest("token", self._sender.timing.recheck_s)
        while self._batches:
            if not self._may_begin():
                self._hold_rest("released", 0.0)
            elif (pause_s := self._pause_s()) > 0:
                self._hold_rest("throttled", pause_s)
            elif isinstance(admitted := self._sender.breakers.admit(self._connection, self._pixel), Refusal):
                self._hold_rest("breaker", admitted.wait_s)
            else:
                assert token is not None
                token = yield from self._ask(self._next(admitted), token, admitted)

    def _next(self, admitted: Pass) -> list[Claimed]:
        """The next batch; of it only the first where this is the breaker's probe."""
        batch = self._batches.pop(0)
        if admitted.probe is not None and len(batch) > 1:
            self._batches.insert(0, batch[1:])
            batch = batch[:1]
        return batch

    def _ask(self, batch: list[Claimed], token: MetaToken, admitted: Pass) -> Generator[Question, Told, MetaToken]:
        """Ask Meta once and settle what it says; the token to go on with."""
        sender = self._sender
        events = [sender.to_event(one) for one in batch]
        told = yield Question(pixel_id=self._pixel, token=token.value, events=events)
        outcome = classify(told.reply, sent=len(batch))
        call = Call(batch_id=sender.new_id(), outcome=outcome, duration_ms=told.duration_ms)
        if outcome.kind is not Kind.SENT:
            log.warning("Meta, pixel %s, %d events: %s (%s)", self._pixel, len(batch), outcome.kind, outcome.reason)
        # The settlement first: should the breaker's row be out of reach, what Meta has counted is on record.
        token = self._settle(batch, call, token)
        sender.note(batch, kind=outcome.kind, duration_ms=told.duration_ms)
        sender.breakers.report(self._connection, self._pixel, admitted, alive=outcome.proves_meta_alive)
        return token

    def _settle(self, batch: list[Claimed], call: Call, token: MetaToken) -> MetaToken:
        outcome = call.outcome
        match outcome.kind:
            case Kind.SENT:
                store.deliver(self._connection, batch, call)
            case Kind.POISON if len(batch) == 1:
                self._sender.bury(self._connection, batch, outcome.reason, call)
            case Kind.POISON:
                store.record(self._connection, batch, call)
                self._batches[:0] = halve(batch)
            case Kind.RETRY | Kind.UNKNOWN:
                self._hold(batch, "retry", self._backoffs_s(batch), call)
            case Kind.THROTTLED:
                self._throttled(batch, call)
            case Kind.TOKEN | Kind.ACCESS:
                return self._refused(batch, call, token)
        return token

    def _refused(self, batch: list[Claimed], call: Call, token: MetaToken) -> MetaToken:
        """Meta does not want this token: go on with a newer one, or hold everything until there is one."""
        newer = self._sender.newer_token(self._tenant, token)
        if newer is not None:
            store.record(self._connection, batch, call)
            self._batches.insert(0, batch)
            return newer
        recheck_s = self._sender.timing.recheck_s
        self._hold(batch, call.outcome.kind.value, [recheck_s] * len(batch), call)
        self._hold_rest(call.outcome.kind.value, recheck_s)
        return token

    def _throttled(self, batch: list[Claimed], call: Call) -> None:
        """Stay away from this pixel for as long as Meta says, or for a backoff; the other threads too."""
        backoff_s = self._backoffs_s(batch[:1])[0]
        wait_s = backoff_s if call.outcome.wait_s is None else call.outcome.wait_s
        self._sender.pauses[self._pixel] = self._sender.monotonic_s() + wait_s
        # Spread over a backoff beyond the wait, so that the end of a throttle is no stampede.
        self._hold(batch, "throttled", [wait_s + extra_s for extra_s in self._backoffs_s(batch)], call)

    def _pause_s(self) -> float:
        return self._sender.pauses.get(self._pixel, 0.0) - self._sender.monotonic_s()

    def _backoffs_s(self, batch: Sequence[Claimed]) -> list[float]:
        timing = self._sender.timing
        return [
            full_jitter_s(one.attempts, base_s=timing.retry_base_s, max_s=timing.retry_max_s, rng=self._sender.rng)
            for one in batch
        ]

    def _hold(self, batch: Sequence[Claimed], reason: str, waits_s: Sequence[float], call: Call) -> None:
        unknown = call.outcome.kind is Kind.UNKNOWN
        store.hold(self._connection, batch, reason=reason, waits_s=waits_s, call=call, unknown=unknown)

    def _hold_rest(self, reason: str, wait_s: float) -> None:
        """Park all that was not asked about."""
        rest = [one for batch in self._batches for one in batch]
        self._batches.clear()
        store.hold(self._connection, rest, reason=reason, waits_s=[wait_s] * len(rest))
