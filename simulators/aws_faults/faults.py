"""Ways in which AWS fails, by name. A fault says how; `Armed` says how often.

To add one: a frozen dataclass below (its fields are its parameters, its docstring its line in the table) with a
`concerns` and an `act`, and a line in `FAULTS`. Nothing else changes.
"""

from __future__ import annotations

import difflib
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast

from simulators.arming import Armed, BadFault, armed
from simulators.aws_faults.calls import Call, Reply

MAX_DELAY_S = 900
"""SQS's own limit for DelaySeconds."""
MAX_COPIES = 10_000


Forward = Callable[[Call], Awaitable[Reply]]


class Copies:
    """Messages that are to be delivered once more, by queue; the oldest are forgotten beyond `MAX_COPIES`."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, deque[Mapping[str, Any]]] = defaultdict(lambda: deque(maxlen=MAX_COPIES))

    def keep(self, queue: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Have them delivered again by the next ReceiveMessage of that queue."""
        self._kept[queue].extend(messages)

    def take(self, queue: str, most: int) -> list[Mapping[str, Any]]:
        """Up to so many of them."""
        kept = self._kept.get(queue)
        return [kept.popleft() for _ in range(min(most, len(kept)))] if kept else []

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a fault can do with one call."""

    call: Call
    forward: Forward
    rng: random.Random
    copies: Copies


class Fault(Protocol):
    """One way of failing; the docstring of its class is its description."""

    name: ClassVar[str]

    def concerns(self, call: Call) -> bool:
        """Whether it strikes such a call at all; one that it does not concern uses up no strike."""
        ...

    async def act(self, context: Context) -> Reply:
        """Answer this call the failing way."""
        ...


@dataclass(frozen=True, kw_only=True)
class _OfService:
    service: str = ""
    """`sqs`, `secretsmanager`, …; empty: all."""
    operation: str = ""
    """`SendMessageBatch`, …; empty: all."""

    def concerns(self, call: Call) -> bool:
        """Calls of that service and operation."""
        return self.service in ("", call.service) and self.operation in ("", call.operation)


@dataclass(frozen=True, kw_only=True)
class _OfQueue:
    operation: ClassVar[str]
    queue: str = ""
    """The name of a queue; empty: every queue."""

    def concerns(self, call: Call) -> bool:
        """Calls of that operation, about that queue, in JSON."""
        return call.is_json and call.operation == self.operation and self.queue in ("", call.queue)


@dataclass(frozen=True, kw_only=True)
class Throttling(_OfService):
    """Too many calls: 400 with that code; nothing is done."""

    name: ClassVar[str] = "throttling"
    code: str = "ThrottlingException"

    async def act(self, context: Context) -> Reply:
        """The error."""
        return context.call.error(400, self.code, "Rate exceeded")


@dataclass(frozen=True, kw_only=True)
class Refusing(_OfService):
    """The credentials may not do that any more: 400 AccessDeniedException; nothing is done."""

    name: ClassVar[str] = "refusing"

    async def act(self, context: Context) -> Reply:
        """The error."""
        return context.call.error(400, "AccessDeniedException", "Not authorized to perform this action")


@dataclass(frozen=True, kw_only=True)
class Unavailable(_OfService):
    """The service is in trouble: 503 ServiceUnavailable; nothing is done."""

    name: ClassVar[str] = "unavailable"

    async def act(self, context: Context) -> Reply:
        """The error."""
        return context.call.error(503, "ServiceUnavailable", "The service is unavailable")


@dataclass(frozen=True, kw_only=True)
class Cut(_OfService):
    """The connection is reset before anything is done: what one service that is gone looks like."""

    name: ClassVar[str] = "cut"

    async def act(self, context: Context) -> Reply:
        """Cut."""
        del context
        return Reply(status=0, cut=True)


@dataclass(frozen=True, kw_only=True)
class LostAnswer(_OfService):
    """The work is done, then the connection is reset before a byte of the answer."""

    name: ClassVar[str] = "lost_answer"

    async def act(self, context: Context) -> Reply:
        """Work, then cut."""
        await context.forward(context.call)
        return Reply(status=0, cut=True)


@dataclass(frozen=True, kw_only=True)
class _PartOfBatch(_OfQueue):
    share: float = 0.5
    """Of the entries; at least one of each batch."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            message = f"{getattr(self, 'name', 'this fault')}: share is over 0 and at most 1"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """Do the rest of the batch, and list these as failed in a 200."""
        entries = [one for one in context.call.document.get("Entries", ()) if isinstance(one, dict)]
        failing = (
            set(context.rng.sample(range(len(entries)), max(1, round(len(entries) * self.share)))) if entries else ()
        )
        rest = [one for number, one in enumerate(entries) if number not in failing]
        failed = [
            {"Id": one.get("Id"), "SenderFault": False, "Code": "InternalError", "Message": "Please try again"}
            for number, one in enumerate(entries)
            if number in failing
        ]
        if rest or not entries:
            answer = await context.forward(context.call.asking({**context.call.document, "Entries": rest}))
            if answer.status != 200:
                return answer
        else:
            kind = (("Content-Type", "application/x-amz-json-1.0"),)
            answer = Reply(status=200, body=b'{"Successful": []}', headers=kind)
        told = answer.document
        return answer.saying({**told, "Failed": [*told.get("Failed", ()), *failed]})


@dataclass(frozen=True, kw_only=True)
class PartialSend(_PartOfBatch):
    """SendMessageBatch answers 200, but a share of the entries was not taken: they stand under `Failed`."""

    name: ClassVar[str] = "partial_send"
    operation: ClassVar[str] = "SendMessageBatch"


@dataclass(frozen=True, kw_only=True)
class PartialDelete(_PartOfBatch):
    """DeleteMessageBatch answers 200, but a share of the entries was not deleted: they stand under `Failed`."""

    name: ClassVar[str] = "partial_delete"
    operation: ClassVar[str] = "DeleteMessageBatch"


@dataclass(frozen=True, kw_only=True)
class DuplicateDelivery(_OfQueue):
    """Every message of an answer to ReceiveMessage is delivered once more, to whoever asks next."""

    name: ClassVar[str] = "duplicate_delivery"
    operation: ClassVar[str] = "ReceiveMessage"

    async def act(self, context: Context) -> Reply:
        """Answer honestly, and keep copies."""
        answer = await context.forward(context.call)
        if answer.status == 200:
            found = [one for one in answer.document.get("Messages") or () if isinstance(one, dict)]
            context.copies.keep(context.call.queue, found)
        return answer


@dataclass(frozen=True, kw_only=True)
class LateDelivery(_OfQueue):
    """What SendMessageBatch sends can be received only `delay_s` seconds later."""

    name: ClassVar[str] = "late_delivery"
    operation: ClassVar[str] = "SendMessageBatch"
    delay_s: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.delay_s <= MAX_DELAY_S:
            message = f"late_delivery: delay_s is within 0 and {MAX_DELAY_S}"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """Let SQS itself keep them back."""
        entries = context.call.document.get("Entries", ())
        late = [{**one, "DelaySeconds": self.delay_s} for one in entries if isinstance(one, dict)]
        return await context.forward(context.call.asking({**context.call.document, "Entries": late}))


@dataclass(frozen=True, kw_only=True)
class VisibilityLost(_OfQueue):
    """A received message becomes visible again after `after_s` seconds, whatever was asked for: in mid-work."""

    name: ClassVar[str] = "visibility_lost"
    operation: ClassVar[str] = "ReceiveMessage"
    after_s: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.after_s <= MAX_DELAY_S:
            message = f"visibility_lost: after_s is within 0 and {MAX_DELAY_S}"
            raise BadFault(message)

    async def act(self, context: Context) -> Reply:
        """Ask SQS for that visibility."""
        return await context.forward(context.call.asking({**context.call.document, "VisibilityTimeout": self.after_s}))


FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Throttling,
            Refusing,
            Unavailable,
            Cut,
            LostAnswer,
            PartialSend,
            PartialDelete,
            DuplicateDelivery,
            LateDelivery,
            VisibilityLost,
        )
    }
)


def make(name: str, parameters: Mapping[str, object]) -> Fault:
    """The fault of that name.

    Raises:
        BadFault: unknown name or parameter, or one of the wrong type or range.
    """
    kind = FAULTS.get(name)
    if kind is None:
        message = f"no such fault {name!r}{_guess(name, FAULTS)}; there are: {', '.join(sorted(FAULTS))}"
        raise BadFault(message)
    known = {one.name: str(one.type) for one in fields(cast(Any, kind))}
    for key, value in parameters.items():
        if key not in known:
            message = f"{name} has no parameter {key!r}{_guess(key, known)}; it has: {', '.join(sorted(known))}"
            raise BadFault(message)
        if type(value) not in _TYPES[known[key]]:
            message = f"{name}: {key} must be of type {known[key]}"
            raise BadFault(message)
    return kind(**parameters)


_TYPES: Mapping[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}


def _guess(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


@dataclass(kw_only=True)
class Arsenal:
    """What is armed; the one armed first strikes first."""

    copies: Copies = field(default_factory=Copies)
    _armed: dict[str, Armed[Fault]] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: count(1))

    def arm(self, fault: Fault, *, probability: float, strikes: int | None, seed: int) -> str:
        """Put the fault in place; its id.

        Raises:
            BadFault: probability is not within 0 and 1, or strikes below 1.
        """
        one = armed(f"a{next(self._ids)}", fault, probability=probability, strikes=strikes, seed=seed)
        self._armed[one.id] = one
        return one.id

    def disarm(self, name: str) -> int | None:
        """Take that one away, and the copies that were not delivered yet; how often it struck. None: there is none."""
        one = self._armed.pop(name, None)
        if one is None:
            return None
        if not any(isinstance(left.fault, DuplicateDelivery) for left in self._armed.values()):
            self.copies.clear()
        return one.struck

    def clear(self) -> None:
        """Nothing is armed any more."""
        self._armed.clear()
        self.copies.clear()

    def strike(self, call: Call) -> Armed[Fault] | None:
        """What this call meets, if anything. A spent one stays until it is taken away: its count is asked for."""
        return next((one for one in self._armed.values() if one.strikes(concerned=one.fault.concerns(call))), None)
