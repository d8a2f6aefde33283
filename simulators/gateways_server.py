"""`python -m simulators gateways`: the fake gateways for those who do not speak Python.

| request | answer |
|---|---|
| `GET /_golive/health` | `{"name": "gateways", "now_s"}` |
| `GET /_golive/events` | `{"gateways": [{"name", "dialects", "authenticates_body", "does_not_imitate"}], "events": [{"gateway", "dialect", "name", "vendor_name", "outcome"}], "tamperings": [{"name", "does"}]}` |
| `POST /_golive/send` `{"gateway", "event", "dialect", "secret", "to", "seed", "at_s"?, "set"?, "tracking"?, "tamper"?}` | renders, signs and sends one webhook: `{"status", "sale_id", "elapsed_ms"}` |

`seed` is the key of the order: same seed and `at_s`, same bytes. `set` puts values at dotted paths of the body before
it is signed. Errors are `{"error": {"code", "message"}}`: 400 for what was asked, 502 when nobody answered. Secrets
and answers of the target are never given back. Sends to this machine only.
"""  # noqa: E501 -- a table row is one line

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.gateways import UnknownName, Webhook, gateway, known
from simulators.gateways._json import with_values
from simulators.gateways._tamper import TAMPERINGS, NothingToTamper, Signing, tamper
from simulators.people import order

Clock = Callable[[], float]
SEND_TIMEOUT_S = 10.0


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
    if parts.scheme not in {"http", "https"} or odd or not _is_loopback(host):
        raise NotLoopback(f"Webhooks are sent to this machine only, not to {host!r}. Use http://127.0.0.1:PORT/….")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def prepare(wish: Send, *, now_s: int) -> tuple[Webhook, str]:
    """The request that was wished for, and the sale's id.

    Raises:
        UnknownName, NotLoopback, NothingToTamper, ValueError, LookupError: what was wished for cannot be made.
    """
    check_loopback(wish.to)
    fake, at_s = gateway(wish.gateway), wish.at_s if wish.at_s is not None else now_s
    sale = order(wish.seed, now_s=at_s, tracking=wish.tracking)
    signing = Signing(gateway=fake, dialect=wish.dialect, secret=wish.secret, url=wish.to, now_s=at_s)
    body = fake.render(sale, wish.event, dialect=wish.dialect, secret=wish.secret, url=wish.to, now_s=at_s)
    sent = signing.sign(with_values(body, wish.set))
    return (tamper(wish.tamper, sent, signing) if wish.tamper else sent), fake.sale_id(sale)


def send(webhook: Webhook) -> tuple[int, float]:
    """POST it, as vendors do: no proxy, no redirect followed. The status and the time it took, in ms.

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
        return answer.status_code, answer.elapsed.total_seconds() * 1000


async def _aside(call: Callable[[], tuple[int, float]]) -> tuple[int, float]:
    """The call's answer or exception, from a thread that dies with the process.

    A thread pool would be joined at exit: SIGTERM would then wait for a target that does not answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[int, float]] = loop.create_future()

    def settle(result: tuple[int, float] | None, error: Exception | None) -> None:
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


def create_app(clock: Clock) -> ASGIApp:
    """The HTTP face; `clock` gives seconds since 1970."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"name": "gateways", "now_s": clock()})

    async def events(_request: Request) -> JSONResponse:
        return JSONResponse(catalogue())

    async def send_one(request: Request) -> JSONResponse:
        try:
            wish = Send.model_validate_json(await request.body())
            webhook, sale_id = prepare(wish, now_s=int(clock()))
        except ValidationError as error:
            return _error(400, "bad_request", _complaint(error))
        except (ValueError, LookupError) as error:
            return _error(400, _CODES.get(type(error), "bad_request"), str(error.args[0]))
        try:
            status, elapsed_ms = await _aside(lambda: send(webhook))
        except requests.RequestException as error:
            return _error(502, "unreachable", f"Nobody answered: {type(error).__name__}.")
        return JSONResponse({"status": status, "sale_id": sale_id, "elapsed_ms": round(elapsed_ms, 3)})

    return Starlette(
        routes=[
            Route("/_golive/health", health),
            Route("/_golive/events", events),
            Route("/_golive/send", send_one, methods=["POST"]),
        ]
    )


_CODES: Mapping[type[Exception], str] = {
    UnknownName: "unknown_name",
    NotLoopback: "not_loopback",
    NothingToTamper: "nothing_to_tamper",
}


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)


def _complaint(error: ValidationError) -> str:
    """Which fields are wrong and why, without their values: one of them is a secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def build(args: argparse.Namespace) -> ASGIApp:
    """The application, its clock shifted by `args.clock_offset_s`."""
    offset_s = float(args.clock_offset_s)
    return create_app(lambda: time.time() + offset_s)
