"""`POST /vN.0/{pixel}/events`: one call from its bytes to its answer, and its place in the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from simulators.meta import decode, rules
from simulators.meta.errors import GraphError
from simulators.meta.faults import Context, Fault, Reply
from simulators.meta.inbox import Call
from simulators.meta.plain import PlainCall
from simulators.meta.state import Meta

Wait = Callable[[float], Awaitable[None]]


def answer_plain(meta: Meta, pixel: str, call: PlainCall, token: str | None, *, now_s: float) -> Reply:
    """Dedupe, count and file a call that no rule has anything against at `now_s`.

    Raises:
        GraphError: the token, its proof or the pixel is not right; nothing was done.
    """
    known = meta.tokens.check(token, now_s=now_s)
    meta.tokens.check_proof(known, call.proof)
    meta.tokens.check_access(known, pixel, method="post")
    columns = call.columns
    counted = meta.dedupe.count(pixel, columns.event_ids, columns.event_names, now_s)
    meta.inbox.put(
        Call(
            seq=meta.inbox.next_seq(),
            pixel=pixel,
            at_s=now_s,
            status=200,
            code=None,
            subcode=None,
            fault=None,
            token_last4=_last4(token),
            events=(),
            packed=call.body,
            verdicts=("counted",) * len(counted) if all(counted) else [_VERDICTS[one] for one in counted],
            test_event_code=_code(call.test_event_code),
        ),
        columns,
    )
    return _received(meta, len(counted))


_VERDICTS = {True: "counted", False: "duplicate"}


def _received(meta: Meta, count: int) -> Reply:
    # Written by hand, for a load run asks for little else: a number, and 23 characters that JSON takes as they are.
    body = f'{{"events_received":{count},"messages":[],"fbtrace_id":"{meta.trace_id()}"}}'
    return Reply(status=200, body=body.encode())


def _last4(token: str | None) -> str | None:
    return token[-4:] if token and len(token) >= 12 else None


def _code(given: object) -> str | None:
    return given[:100] if isinstance(given, str) and given else None


class EventsCall:
    """One call to the events edge. Order of the checks: token, pixel, data, events (facts, section 13)."""

    def __init__(self, meta: Meta, pixel: str, read: decode.Parameters | GraphError) -> None:
        self._meta = meta
        self._pixel = pixel
        self._read = read
        self._now_s = meta.now_s()
        self._fault: str | None = None
        self._latency_s = 0.0
        self._events: Sequence[Any] = ()
        self._data_error: GraphError | None = None
        if isinstance(read, GraphError):
            return
        try:
            self._events = decode.events(read.values.get("data"), limit=meta.switches.batch_limit)
        except GraphError as error:
            self._data_error = error

    async def run(self, wait: Wait) -> Reply:
        """Meet the fault that is armed for the pixel, or else do the honest work; the latency comes on top."""
        self._latency_s = self._meta.delay_s(self._pixel)
        fault = self._meta.arsenal.strike(self._pixel, self._events)
        reply = self.work() if fault is None else await self._fail(fault, wait)
        if self._latency_s:
            await wait(self._latency_s)
        return reply

    def work(self) -> Reply:
        """Validate, dedupe, count, file: the honest answer, with nothing to wait for."""
        try:
            self._validate()
        except GraphError as error:
            return self._refuse(error)
        ids, names = zip(*((event.get("event_id"), event["event_name"]) for event in self._events), strict=True)
        counted = self._meta.dedupe.count(self._pixel, ids, names, self._now_s)
        self._file(200, None, [_VERDICTS[one] for one in counted])
        return _received(self._meta, len(self._events))

    async def _fail(self, fault: Fault, wait: Wait) -> Reply:
        self._fault = fault.name

        async def work() -> Reply:
            return self.work()

        async def refuse(error: GraphError) -> Reply:
            return self._refuse(error)

        async def leave(status: int) -> None:
            self._file(status, None, ["refused"] * len(self._events))

        return await fault.act(
            Context(
                events=self._events,
                now_s=self._now_s,
                work=work,
                refuse=refuse,
                leave=leave,
                wait=wait,
                expired=lambda: self._meta.tokens.expired(now_s=self._now_s),
            )
        )

    def _validate(self) -> None:
        if isinstance(self._read, GraphError):
            raise self._read
        token = self._meta.tokens.check(self._read.token, now_s=self._now_s)
        self._meta.tokens.check_proof(token, self._read.values.get("appsecret_proof"))
        self._meta.tokens.check_access(token, self._pixel, method="post")
        if self._data_error is not None:
            raise self._data_error
        refusal = rules.first_refusal(self._events, self._now_s, self._meta.switches)
        if refusal is not None:
            raise refusal

    def _refuse(self, error: GraphError) -> Reply:
        self._file(error.status, error, ["refused"] * len(self._events))
        return Reply(status=error.status, body=orjson.dumps(error.envelope(self._meta.trace_id())), error=error)

    def _file(self, status: int, error: GraphError | None, verdicts: Sequence[str]) -> None:
        token, values = (None, {}) if isinstance(self._read, GraphError) else (self._read.token, self._read.values)
        self._meta.inbox.put(
            Call(
                seq=self._meta.inbox.next_seq(),
                pixel=self._pixel,
                at_s=self._now_s,
                status=status,
                code=None if error is None else error.code,
                subcode=None if error is None else error.subcode,
                fault=self._fault,
                token_last4=_last4(token),
                events=self._events,
                verdicts=verdicts,
                test_event_code=_code(values.get("test_event_code")),
                latency_s=self._latency_s,
            )
        )
