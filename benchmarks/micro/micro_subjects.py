"""What the micro-benchmarks measure, and the floors beside which it is measured.

A subject is a piece of work that the pipeline or the fake Meta does for each sale; its input is made by the fakes,
once, from fixed words. A floor is work of like kind that nobody here changes: standard library only. A slow machine
slows both, so what is compared from one day to the next is their ratio.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Work = Callable[[], object]

NOW_S = 1_772_366_400
SECRET = "micro"  # noqa: S105 -- of a fake
EVENTS = 10
"""In one call of Meta's, as in a load run."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that is measured. `make` prepares its input, and is not measured."""

    name: str
    floor: str
    make: Callable[[], Work]


# -- floors ------------------------------------------------------------------------------------------------------------


def _digest() -> Work:
    """One HMAC over a usual webhook's bytes, and one over few."""
    long, short = b"x" * 2_000, b"y" * 40

    def work() -> object:
        return hmac.new(b"k", long, hashlib.sha256).hexdigest(), hashlib.sha256(short).hexdigest()

    return work


def _json() -> Work:
    """One document of a webhook's size read, and a field looked up along a path."""
    buyer = {f"field{number}": f"value {number} é" for number in range(12)}
    text = json.dumps({"data": {"buyer": buyer, "items": [{"price": 1.5, "id": "x"}] * 6}, "event": "paid"}).encode()

    def work() -> object:
        told: object = json.loads(text)
        for name in "data.buyer.field7".split("."):  # noqa: SIM905 -- this is the work
            told = told.get(name) if isinstance(told, dict) else None
        return told

    return work


def _python() -> Work:
    """Function calls, small objects, texts and dictionaries, as any code of ours."""

    @dataclass(frozen=True, slots=True)
    class Pair:
        name: str
        value: int

    def one(number: int) -> Pair:
        return Pair(f"n{number}".strip().lower(), number)

    def work() -> object:
        pairs = [one(number) for number in range(20)]
        return {pair.name: pair.value for pair in pairs if pair.value % 3}

    return work


FLOORS: Mapping[str, Callable[[], Work]] = {"digest": _digest, "json": _json, "python": _python}


# -- subjects ----------------------------------------------------------------------------------------------------------


def subjects() -> Iterator[Subject]:
    """Everything that is measured, in the order of the table."""
    yield Subject("raw body", "python", _raw_body)
    for name, dialect in _spoken():
        yield Subject(f"verify {name} {dialect}", "digest", lambda name=name, dialect=dialect: _verify(name, dialect))  # type: ignore[misc]
        yield Subject(f"normalise {name} {dialect}", "json", lambda name=name, dialect=dialect: _read(name, dialect))  # type: ignore[misc]
    yield Subject("hashing", "python", _hashing)
    yield Subject("event id", "digest", _event_id)
    yield Subject("matching", "python", _matching)
    yield Subject("fake Meta, plain path", "json", _meta_plain)
    yield Subject("fake Meta, rules path", "json", _meta_rules)


def _raw_body() -> Work:
    """The reference's own reading of a usual webhook's bytes, in one request that is wound back each time."""
    from flask import Flask, request  # noqa: PLC0415 -- each subject imports what it measures

    from reference_impl.web import bodies  # noqa: PLC0415

    app = Flask("micro")
    bodies.limit(app, max_bytes=1024 * 1024)
    context = app.test_request_context("/", method="POST", data=b"x" * 2_000)
    context.push()
    real = request._get_current_object()  # type: ignore[attr-defined]
    source: io.BytesIO = io.BytesIO(b"x" * 2_000)
    real.environ["wsgi.input"] = source

    def work() -> object:
        source.seek(0)
        real.__dict__.pop("stream", None)
        return bodies.raw()

    assert work() == work() == b"x" * 2_000
    return work


def _spoken() -> Iterator[tuple[str, str]]:
    """Every gateway in each of its dialects."""
    from reference_impl import gateways  # noqa: PLC0415

    for name, adapter in sorted(gateways.known().items()):
        for dialect in adapter.dialects:
            yield name, dialect


def _delivery(name: str, dialect: str) -> tuple[Any, str]:
    """A genuine purchase as the fake gateway sends it, and its secret."""
    from reference_impl.gateways import RawDelivery  # noqa: PLC0415
    from simulators import gateways as fakes  # noqa: PLC0415
    from simulators.people import order  # noqa: PLC0415

    fake = fakes.gateway(name)
    secret = fake.new_secret(SECRET)
    sale = order("micro/1", now_s=NOW_S - 60)
    url = f"https://shop.example.com/api/v1/webhooks/{name}/micro"
    sent = fakes.webhook(fake, sale, "approved", dialect=dialect, secret=secret, url=url, now_s=NOW_S)
    headers = {key.lower(): value for key, value in sent.headers.items()}
    query = dict(parse_qsl(urlsplit(sent.url).query))
    return RawDelivery(body=sent.body, headers=headers, query=query), secret


def _verify(name: str, dialect: str) -> Work:
    from reference_impl.gateways import adapter  # noqa: PLC0415

    known = adapter(name)
    delivery, secret = _delivery(name, dialect)
    return lambda: known.verify(delivery, dialect=dialect, secrets=[secret], now_s=NOW_S)


def _read(name: str, dialect: str) -> Work:
    from reference_impl.domain.conversion import Purchase  # noqa: PLC0415
    from reference_impl.gateways import adapter  # noqa: PLC0415

    known = adapter(name)
    delivery, _ = _delivery(name, dialect)
    assert isinstance(known.read(delivery.body, dialect=dialect), Purchase)
    return lambda: known.read(delivery.body, dialect=dialect)


def _hashing() -> Work:
    from reference_impl.domain.conversion import Buyer  # noqa: PLC0415
    from reference_impl.domain.hashing import hash_buyer  # noqa: PLC0415

    buyer = Buyer(
        email=" Maria.Souza@Example.com ",
        phone="(11) 99999-1234",
        first_name="Maria",
        last_name="da Conceição",
        city="São Paulo",
        state="SP",
        zip_code="01310-100",
        country="BR",
    )
    assert hash_buyer(buyer).em
    return lambda: hash_buyer(buyer).as_user_data()


def _event_id() -> Work:
    from reference_impl.domain.event_id import event_id  # noqa: PLC0415

    return lambda: event_id(tenant="micro", gateway="stripe", sale_id="pi_3MtwBwLkdIwHu7ix28a3tqPa")


def _matching() -> Work:
    """Twenty clicks of which the buyer's stands in the middle, found by e-mail: three identifiers are asked before."""
    from reference_impl.domain.conversion import Trail  # noqa: PLC0415
    from reference_impl.domain.matching import Candidate, best_match  # noqa: PLC0415

    clicks = [
        Candidate(
            click_id=f"c{number}",
            clicked_at_s=NOW_S - 100 * number - 100,
            fbclid=f"f{number}",
            em=hashlib.sha256(f"e{number}".encode()).hexdigest(),
            ph=hashlib.sha256(f"p{number}".encode()).hexdigest(),
        )
        for number in range(20)
    ]
    trail = Trail(click_id="unknown", fbclid="unknown")

    def work() -> object:
        return best_match(
            clicks,
            paid_at_s=NOW_S,
            paid_within_s=1.0,
            window_s=7 * 86_400,
            trail=trail,
            em=clicks[10].em,
            ph=clicks[10].ph,
        )

    assert work() is not None
    return work


def _call() -> bytes:
    """One call of the events edge with Purchases in it, as a load run sends it."""
    event = {
        "event_name": "Purchase",
        "event_time": NOW_S - 60,
        "action_source": "website",
        "event_source_url": "https://shop.example.com/obrigado",
        "user_data": {
            "em": [hashlib.sha256(b"maria@example.com").hexdigest()],
            "ph": [hashlib.sha256(b"5511999999999").hexdigest()],
            "client_ip_address": "203.0.113.7",
            "client_user_agent": "Mozilla/5.0",
            "fbp": "fb.1.1772366400000.1234567890",
        },
        "custom_data": {"value": 297.0, "currency": "BRL", "order_id": "o-1"},
    }
    events = [{**event, "event_id": f"purchase.{number}"} for number in range(EVENTS)]
    return json.dumps({"data": events, "access_token": "EAAmicro"}).encode()


def _meta_plain() -> Work:
    from simulators.meta.plain import plain  # noqa: PLC0415
    from simulators.meta.switches import Switches  # noqa: PLC0415

    body, switches = _call(), Switches()
    assert plain(body, now_s=NOW_S, switches=switches) is not None
    return lambda: plain(body, now_s=NOW_S, switches=switches)


def _meta_rules() -> Work:
    from simulators.meta import decode, rules  # noqa: PLC0415
    from simulators.meta.switches import Switches  # noqa: PLC0415

    body, switches = _call(), Switches()

    def work() -> object:
        asked = decode.parameters(b"", "application/json", "", body)
        events = decode.events(asked.values.get("data"), limit=switches.batch_limit)
        return rules.first_refusal(events, NOW_S, switches)

    assert work() is None
    return work
