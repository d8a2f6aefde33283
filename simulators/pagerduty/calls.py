"""One request to an endpoint, from its bytes to its answer and its line in the inbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulators.pagerduty import fetch, rules, sns
from simulators.pagerduty.errors import Body, Refusal, Refused, accepted
from simulators.pagerduty.inbox import Call
from simulators.pagerduty.signature import BadSignature, NoCertificate
from simulators.pagerduty.state import PagerDuty


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client is told; `later` is what is left to do when it has been told."""

    status: int
    body: Body
    later: Callable[[], Awaitable[None]] | None = None


def _admit(pagerduty: PagerDuty, key: str) -> None:
    """Return if the integration key is taken, and has calls left.

    Raises:
        Refused: 400 or 429.
    """
    if not rules.is_key(key):
        raise Refused(Refusal.of("key_length"))
    if pagerduty.switches.strict_keys and key not in pagerduty.keys:
        raise Refused(Refusal.of("key_unknown"))
    if not pagerduty.limiter.admit(key, pagerduty.now_s()):
        raise Refused(Refusal.of("throttled"))


async def events_v2(pagerduty: PagerDuty, body: bytes, call: Call) -> Answer:
    """`POST /v2/enqueue`; fills `call`.

    Raises:
        Refused: nothing was done.
    """
    told = rules.parse(body)
    key, action = told.get("routing_key"), told.get("event_action")
    call.kind = action[:20] if isinstance(action, str) else None
    if isinstance(key, str) and rules.is_key(key):
        call.key_last4 = key[-4:]
        _admit(pagerduty, key)
    event = rules.event(told)
    call.dedup_key = event.dedup_key or pagerduty.new_dedup_key()
    call.verdict = pagerduty.inbox.apply(event, dedup_key=call.dedup_key, now_s=call.at_s)
    return Answer(202, accepted(call.dedup_key))


async def sns_message(pagerduty: PagerDuty, key: str, body: bytes, call: Call) -> Answer:
    """`POST /integration/{key}/enqueue`; fills `call`.

    Raises:
        Refused: nothing was done.
    """
    call.key_last4 = key[-4:] if rules.is_key(key) else None
    _admit(pagerduty, key)
    message = sns.envelope(body)
    call.kind, call.message_id = message.type, message.get("MessageId")[:100] or None
    sns.check_topic(message, pagerduty.switches)
    if pagerduty.switches.signature == "on":
        await _check_signature(pagerduty, message)
    if message.type == "SubscriptionConfirmation":
        return _confirmation(pagerduty, message, call)
    if message.type == "UnsubscribeConfirmation":
        call.verdict = "unsubscribed"  # its SubscribeURL would subscribe again: never visited (3.4)
        return Answer(202, accepted(None))
    try:
        event = sns.event(message, key, pagerduty.switches)
    except sns.Discarded as error:
        call.verdict, call.reason = "discarded", str(error)
        status = pagerduty.switches.discard_status
        told = accepted(None) if status == 202 else Refused(Refusal.of("discarded", reason=error)).body()
        return Answer(status, told)
    assert event.dedup_key is not None
    call.dedup_key = event.dedup_key
    call.verdict = pagerduty.inbox.apply(event, dedup_key=event.dedup_key, now_s=call.at_s)
    return Answer(202, accepted(event.dedup_key))


async def _check_signature(pagerduty: PagerDuty, message: sns.Envelope) -> None:
    try:
        await pagerduty.certificates.verify(message, now_s=pagerduty.now_s())
    except BadSignature as error:
        raise Refused(Refusal.of("sns_signature", reason=error)) from None
    except NoCertificate as error:
        raise Refused(Refusal.of("sns_no_certificate", reason=error)) from None


def _confirmation(pagerduty: PagerDuty, message: sns.Envelope, call: Call) -> Answer:
    """The answer first, then the visit: a sender that waits for one must not wait for the other."""
    call.verdict = "unconfirmed"
    try:
        url = sns.url_to_visit(message, pagerduty.switches)
    except sns.NotVisited as error:
        call.reason = str(error)
        return Answer(202, accepted(None))

    async def visit() -> None:
        try:
            status, _ = await fetch.get(url)
        except fetch.FetchFailed as error:
            call.reason = str(error)
        else:
            if 200 <= status < 300:
                call.verdict = "confirmed"
            else:
                call.reason = f"SubscribeURL answers {status}"

    return Answer(202, accepted(None), visit)
