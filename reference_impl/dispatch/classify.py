"""What an answer of Meta's means for the conversions that were asked about. Pure.

Codes decide, never texts: Meta translates its messages into the account's language. One table holds
them all, so that a new code is one line.

Source:
    facts/meta_capi.md sections 6, 7 and 12 (error table, success semantics, retry practice).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is to be done."""

    SENT = "sent"
    """Meta has all events: the only success."""
    POISON = "poison"
    """Some event of the batch will never be taken: isolate it."""
    RETRY = "retry"
    """Meta is ill, and did not take the batch."""
    UNKNOWN = "unknown"
    """Meta may or may not have counted the batch: send it again, under the same event ids."""
    THROTTLED = "throttled"
    """Meta is well and wants fewer calls."""
    TOKEN = "token"  # noqa: S105 -- the name of a kind, no secret
    """The token is dead; the events are good."""
    ACCESS = "access"
    """The token lives and may not write here, or our API version is gone: a person must act."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back. `left`: the request may have reached Meta, so the outcome is unknown."""

    left: bool
    reason: str
    """The exception's type; its text could hold an address or a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The meaning of one call, for every event that was in it."""

    kind: Kind
    reason: str
    """For an operator; holds no personal data, as it is never a text of Meta's."""
    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    wait_s: float | None = None
    """How long Meta asked us to stay away; None when it did not say."""

    @property
    def proves_meta_alive(self) -> bool:
        """Whether Meta did its job, even where the answer was no. Only the rest may trip the breaker."""
        return self.kind not in (Kind.RETRY, Kind.UNKNOWN)


# (code, subcode) before (code, any). What is in neither and in no range below is retried, as the
# field does (RudderStack), until the event is too old.
_TABLE: Mapping[tuple[int, int | None], Kind] = {
    (1, None): Kind.RETRY,
    (2, None): Kind.RETRY,
    (3, None): Kind.ACCESS,
    (4, None): Kind.THROTTLED,
    (10, None): Kind.ACCESS,
    (17, None): Kind.THROTTLED,
    (32, None): Kind.THROTTLED,
    (100, 33): Kind.ACCESS,  # pixel unknown to this token: the set-up is wrong, not the event
    (100, None): Kind.POISON,
    (102, None): Kind.TOKEN,
    (104, None): Kind.TOKEN,
    (105, None): Kind.POISON,
    (190, None): Kind.TOKEN,
    (341, None): Kind.THROTTLED,
    (368, None): Kind.THROTTLED,  # temporarily blocked by policy: asking again at once makes it worse
    (613, None): Kind.THROTTLED,
    (803, None): Kind.ACCESS,
    (2500, None): Kind.ACCESS,
    (2635, None): Kind.ACCESS,  # our API version has expired
    (5000, None): Kind.RETRY,
    (21009, None): Kind.RETRY,
}
_RANGES = ((range(200, 300), Kind.ACCESS), (range(80000, 80100), Kind.THROTTLED))


def classify(reply: Answer | NoAnswer, *, sent: int) -> Outcome:
    """Say what one reply means for the `sent` events that the request carried."""
    if isinstance(reply, NoAnswer):
        return Outcome(kind=Kind.UNKNOWN if reply.left else Kind.RETRY, reason=reply.reason)
    document = _document(reply.body)
    if document is None:
        return _without_json(reply)
    error = document.get("error")
    if error is not None:
        return _refused(reply, error if isinstance(error, dict) else {})
    return _accepted(reply, document, sent=sent)


def _accepted(reply: Answer, document: Mapping[str, Any], *, sent: int) -> Outcome:
    """A document without an error: a success only if Meta says that it has every event."""
    received = document.get("events_received")
    if reply.status == 200 and received == sent and not isinstance(received, bool):
        return Outcome(kind=Kind.SENT, reason="all events received", status=200)
    told = received if isinstance(received, int) else "no number"
    return Outcome(
        kind=Kind.UNKNOWN, reason=f"HTTP {reply.status}, {told} of {sent} events received", status=reply.status
    )


def _refused(reply: Answer, error: Mapping[str, Any]) -> Outcome:
    """An error envelope, under whatever HTTP status it came."""
    code, subcode = _whole(error.get("code")), _whole(error.get("error_subcode"))
    kind = _kind_of(code, subcode)
    wait_s = _asked_wait_s(reply.headers) if kind is Kind.THROTTLED else None
    reason = f"HTTP {reply.status}, code {code}" + (f"/{subcode}" if subcode else "")
    return Outcome(kind=kind, reason=reason, status=reply.status, code=code, subcode=subcode, wait_s=wait_s)


def _kind_of(code: int | None, subcode: int | None) -> Kind:
    if code is None:
        return Kind.UNKNOWN  # an error without a code is no answer that we can hold Meta to
    if found := _TABLE.get((code, subcode)) or _TABLE.get((code, None)):
        return found
    return next((kind for codes, kind in _RANGES if code in codes), Kind.RETRY)


def _without_json(reply: Answer) -> Outcome:
    """An HTML page, half a document, or nothing at all."""
    reason = f"HTTP {reply.status} without JSON"
    if reply.status == 429:
        return Outcome(kind=Kind.THROTTLED, reason=reason, status=429, wait_s=_asked_wait_s(reply.headers))
    # A 4xx or a redirect of some proxy never reached Meta; after a 2xx or 5xx nobody can say.
    known = 300 <= reply.status < 500
    return Outcome(kind=Kind.RETRY if known else Kind.UNKNOWN, reason=reason, status=reply.status)


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    """The longest wait that any header asks for, in seconds; None if none does.

    `estimated_time_to_regain_access` stands in minutes, per business object and use case.
    """
    waits = [float(_regain_minutes(headers.get("x-business-use-case-usage")) * 60)]
    after = headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        waits.append(float(after[:9]))
    return max(waits) or None


def _regain_minutes(header: str | None) -> int:
    usage = _document((header or "").encode()) or {}
    entries = [entry for found in usage.values() if isinstance(found, list) for entry in found]
    minutes = [_whole(entry.get("estimated_time_to_regain_access")) for entry in entries if isinstance(entry, dict)]
    return max((one for one in minutes if one and one > 0), default=0)
