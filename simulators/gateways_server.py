"""`python -m simulators gateways`: the fake gateways for those who do not speak Python.

| request | answer |
|---|---|
| `GET /_golive/health` | `{"name": "gateways", "now_s"}` |
| `GET /_golive/events` | `{"gateways": [{"name", "dialects", "authenticates_body", "does_not_imitate"}], "events": [{"gateway", "dialect", "name", "vendor_name", "outcome"}], "tamperings": [{"name", "does"}]}` |
| `POST /_golive/send` `{"gateway", "event", "dialect", "secret", "to", "seed", "at_s"?, "set"?, "tracking"?, "tamper"?}` | renders, signs and sends one webhook: `{"status", "sale_id", "elapsed_ms"}` |
| `GET /_golive/sent?after=SEQ` | what was sent, oldest first: `{"sent": [Sent], "next": SEQ, "dropped": 0, "on_the_way": 0}` |
| `POST /_golive/sent/{seq}/again` | the same body once more, signed anew as vendors do: answers like `send` |

`seed` is the key of the order: same seed and `at_s`, same bytes. `set` puts values at dotted paths of the body before
it is signed. Errors are `{"error": {"code", "message"}}`: 400 for what was asked, 502 when nobody answered. Sends to
this machine only.

    Sent = {"seq", "at_s" (when it was sent), "gateway", "dialect", "event", "outcome", "sale_id", "seed", "signed_at_s",
            "order_at_s", "to" (its query left out), "set", "tracking", "tamper", "again_of": seq | null,
            "expected" (of a tampered one: what a right receiver does): "refused" | "accepted" | "either" | null,
            "status": 202 | null, "elapsed_ms", "word": "accepted" | "bad_signature" | null, "failure": null | "ConnectionError"}

Secrets are never given back, and of a target's answer only its status and its word: `status` or `error.code` of its
JSON, if that is one word. Of `set` and `tracking` the texts are told as `…`: they may be a person's.
"""  # noqa: E501 -- a table row is one line

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.control import complaint, refusal
from simulators.gateways import UnknownName, Webhook, gateway, known
from simulators.gateways._json import with_values
from simulators.gateways._tamper import TAMPERINGS, NothingToTamper, Signing, expected, tamper
from simulators.loopback import is_loopback
from simulators.people import order

Clock = Callable[[], float]
SEND_TIMEOUT_S = 10.0
#: What is remembered of what was sent.
SENT_KEPT = 1000
_WORD = re.compile(r"[a-z][a-z_]{0,39}").fullmatch


class Send(BaseModel):
    """What is asked of `POST /_golive/send`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    gateway: str
    event: str
    dialect: str
    secret: str
    to: str
    seed: str
    at_s: int | None = None
    set: dict[str, Any] = {}
    tracking: dict[str, str] = {}
    tamper: str | None = None


class NotLoopback(ValueError):
    """The address is not on this machine, or not certainly so."""


def check_loopback(url: str) -> None:
    """Return if the URL certainly leads to this machine; else raise NotLoopback.

    What two URL parsers could read differently (user names, backslashes, spaces) is refused as well.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    odd = any(mark in parts.netloc for mark in "@\\ \t\r\n")
    if parts.scheme not in {"http", "https"} or odd or not is_loopback(host):
        raise NotLoopback(f"Webhooks are sent to this machine only, not to {host!r}. Use http://127.0.0.1:PORT/….")


def prepare(wish: Send, *, now_s: int, sign_at_s: int | None = None) -> tuple[Webhook, str]:
    """The request that was wished for, and the sale's id; signed at its own time unless told otherwise.

    Raises:
        UnknownName, NotLoopback, NothingToTamper, ValueError, LookupError: what was wished for cannot be made.
    """
    check_loopback(wish.to)
    fake, at_s = gateway(wish.gateway), wish.at_s if wish.at_s is not None else now_s
    sale = order(wish.seed, now_s=at_s, tracking=wish.tracking)
    signed_s = at_s if sign_at_s is None else sign_at_s
    signing = Signing(gateway=fake, dialect=wish.dialect, secret=wish.secret, url=wish.to, now_s=signed_s)
    body = fake.render(sale, wish.event, dialect=wish.dialect, secret=wish.secret, url=wish.to, now_s=at_s)
    sent = signing.sign(with_values(body, wish.set))
    return (tamper(wish.tamper, sent, signing) if wish.tamper else sent), fake.sale_id(sale)


class Answer(NamedTuple):
    """What came back."""

    status: int
    elapsed_ms: float
    word: str | None
    """What the target calls it, like `accepted` or `bad_signature`; None where it says nothing of the kind."""


def send(webhook: Webhook) -> Answer:
    """POST it, as vendors do: no proxy, no redirect followed.

    Raises:
        requests.RequestException: nobody answered in time.
    """
    with requests.Session() as session:
        session.trust_env = False  # a proxy of the environment would see what must stay on this machine
        answer = session.post(
            webhook.url,
            data=webhook.body,
            headers=dict(webhook.headers),
            timeout=SEND_TIMEOUT_S,
            allow_redirects=False,
        )
        return Answer(answer.status_code, answer.elapsed.total_seconds() * 1000, _word(answer.content))


def _word(body: bytes) -> str | None:
    """`status` or `error.code` of a JSON answer, if it is one plain word: an answer might quote a person."""
    try:
        told = json.loads(body[:4096])
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    error = told.get("error")
    word = error.get("code") if isinstance(error, dict) else told.get("status")
    return word if isinstance(word, str) and _WORD(word) else None


async def _aside(call: Callable[[], Answer]) -> Answer:
    """The call's answer or exception, from a thread that dies with the process.

    A thread pool would be joined at exit: SIGTERM would then wait for a target that does not answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def settle(result: Answer | None, error: Exception | None) -> None:
        if answer.done():  # whoever asked is gone
            return
        if error is not None:
            answer.set_exception(error)
        elif result is not None:
            answer.set_result(result)

    def work() -> None:
        result, error = None, None
        try:
            result = call()
        except requests.RequestException as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True).start()
    return await answer


def catalogue() -> dict[str, Any]:
    """All gateways, events and tamperings, as `GET /_golive/events` tells them."""
    fakes = known().values()
    return {
        "gateways": [
            {
                "name": fake.name,
                "dialects": fake.dialects,
                "authenticates_body": dict(fake.authenticates_body),
                "does_not_imitate": fake.does_not_imitate,
            }
            for fake in fakes
        ],
        "events": [
            {
                "gateway": fake.name,
                "dialect": dialect,
                "name": event.name,
                "vendor_name": event.vendor_name,
                "outcome": event.outcome,
            }
            for fake in fakes
            for dialect in fake.dialects
            for event in fake.events(dialect).values()
        ],
        "tamperings": [{"name": name, "does": (apply.__doc__ or "").strip()} for name, apply in TAMPERINGS.items()],
    }


@dataclass(kw_only=True, slots=True)
class Sent:
    """One webhook that went out and what came back; `wish` holds a secret and never leaves the process."""

    seq: int
    at_s: float
    signed_at_s: int
    wish: Send
    sale_id: str
    again_of: int | None
    answer: Answer | None
    failure: str | None

    def to_json(self) -> dict[str, Any]:
        """As `GET /_golive/sent` tells it."""
        wish, answer = self.wish, self.answer
        event = gateway(wish.gateway).events(wish.dialect)[wish.event]
        return {
            "seq": self.seq,
            "at_s": self.at_s,
            "gateway": wish.gateway,
            "dialect": wish.dialect,
            "event": wish.event,
            "outcome": event.outcome,
            "sale_id": self.sale_id,
            "seed": wish.seed,
            "signed_at_s": self.signed_at_s,
            "order_at_s": wish.at_s,
            "to": _without_query(wish.to),
            "set": {path: _unless_text(value) for path, value in wish.set.items()},
            "tracking": dict.fromkeys(wish.tracking, "…"),
            "tamper": wish.tamper,
            "expected": expected(wish.tamper, wish.gateway, wish.dialect) if wish.tamper else None,
            "again_of": self.again_of,
            "status": answer.status if answer else None,
            "elapsed_ms": round(answer.elapsed_ms, 3) if answer else None,
            "word": answer.word if answer else None,
            "failure": self.failure,
        }


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" if parts.query else "")


def _unless_text(value: Any) -> Any:
    plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if plain else "…"


@dataclass(slots=True)
class SentLog:
    """The last webhooks, oldest first. Belongs to one event loop."""

    kept: deque[Sent] = field(default_factory=lambda: deque(maxlen=SENT_KEPT))
    numbers: count[int] = field(default_factory=lambda: count(1))
    on_the_way: int = 0

    def told(self, after: int) -> dict[str, Any]:
        """What came after, and how many of it are forgotten."""
        oldest = self.kept[0].seq if self.kept else 1
        newer = [one for one in self.kept if one.seq > after]
        return {
            "sent": [one.to_json() for one in newer],
            "next": newer[-1].seq if newer else after,
            "dropped": max(0, oldest - 1 - after),
            "on_the_way": self.on_the_way,
        }

    def find(self, seq: int) -> Sent | None:
        """The webhook of that number, if it is still there."""
        return next((one for one in self.kept if one.seq == seq), None)


class _Courier:
    """Sends what is wished for, and remembers it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.log = SentLog()

    async def deliver(self, wish: Send, *, again_of: int | None = None) -> JSONResponse:
        """Render, sign, send; the answer for whoever asked."""
        now_s = int(self._clock())
        try:
            signed_at_s = now_s if again_of is not None or wish.at_s is None else wish.at_s
            webhook, sale_id = prepare(wish, now_s=now_s, sign_at_s=signed_at_s)
        except (ValueError, LookupError) as error:
            return refusal(400, _CODES.get(type(error), "bad_request"), str(error.args[0]))
        dated = wish if wish.at_s is not None else wish.model_copy(update={"at_s": now_s})
        answer, failure = None, None
        began_s = self._clock()
        self.log.on_the_way += 1
        try:
            answer = await _aside(lambda: send(webhook))
        except requests.RequestException as error:
            failure = type(error).__name__
        finally:
            self.log.on_the_way -= 1
        self.log.kept.append(
            Sent(
                seq=next(self.log.numbers),
                at_s=began_s,
                signed_at_s=signed_at_s,
                wish=dated,
                sale_id=sale_id,
                again_of=again_of,
                answer=answer,
                failure=failure,
            )
        )
        if answer is None:
            return refusal(502, "unreachable", f"Nobody answered: {failure}.")
        return JSONResponse({"status": answer.status, "sale_id": sale_id, "elapsed_ms": round(answer.elapsed_ms, 3)})


def create_app(clock: Clock) -> ASGIApp:
    """The HTTP face; `clock` gives seconds since 1970."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"name": "gateways", "now_s": clock()})

    async def events(_request: Request) -> JSONResponse:
        return JSONResponse(catalogue())

    courier = _Courier(clock)

    async def send_one(request: Request) -> JSONResponse:
        try:
            wish = Send.model_validate_json(await request.body())
        except ValidationError as error:
            return refusal(400, "bad_request", complaint(error))
        return await courier.deliver(wish)

    async def sent(request: Request) -> JSONResponse:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            return refusal(400, "bad_request", "after: a whole number, from 0.")
        return JSONResponse(courier.log.told(int(after)))

    async def again(request: Request) -> JSONResponse:
        found = courier.log.find(request.path_params["seq"])
        if found is None:
            return refusal(404, "unknown_webhook", "No such webhook is remembered; GET /_golive/sent tells which are.")
        return await courier.deliver(found.wish, again_of=found.seq)

    return Starlette(
        routes=[
            Route("/_golive/health", health),
            Route("/_golive/events", events),
            Route("/_golive/send", send_one, methods=["POST"]),
            Route("/_golive/sent", sent),
            Route("/_golive/sent/{seq:int}/again", again, methods=["POST"]),
        ]
    )


_CODES: Mapping[type[Exception], str] = {
    UnknownName: "unknown_name",
    NotLoopback: "not_loopback",
    NothingToTamper: "nothing_to_tamper",
}


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`."""
    offset_s = float(args.clock_offset_s)
    return create_app(lambda: time.time() + offset_s)
