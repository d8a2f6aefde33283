"""What a red scenario shows of the wire: the webhook, the answer, Meta; and nobody in it, in whatever form."""

import json
from typing import Any

from harness.checks.privacy import Canary, Hunt, Mask
from harness.testing import Answer
from harness.testing.wire import SHOWN, Exchange, in_words
from simulators import gateways as fakes
from simulators.people import canaries, order
from tests.rows import each_row

SECRET = "whsec_a_secret_that_is_long_enough"
SPOKEN = [(name, dialect) for name, fake in sorted(fakes.known().items()) for dialect in fake.dialects]


def people() -> list[Canary]:
    found = canaries(order("7/wire", now_s=1_772_366_400).buyer)
    return [*(Canary(kind=kind, text=text) for kind, text in found.items()), Canary(kind="secret", text=SECRET)]


def exchange(name: str, dialect: str, **changes: Any) -> Exchange:
    fake = fakes.gateway(name)
    url = "http://127.0.0.1:1/hook"
    placed = order("7/wire", now_s=1_772_366_400)
    sent = fakes.webhook(fake, placed, "approved", dialect=dialect, secret=SECRET, url=url, now_s=1_772_366_400)
    told = {"event": "approved", "url": sent.url, "headers": sent.headers, "body": sent.body, **changes}
    return Exchange(answer=told.pop("answer", Answer(status=202, text="{}")), **told)


@each_row(("name", "dialect"), SPOKEN)
def test_nobody_is_named_and_no_secret(name: str, dialect: str) -> None:
    """Of no gateway and in no dialect; the amount and the sale's id are still there."""
    buyer = order("7/wire", now_s=1_772_366_400).buyer
    answer = Answer(status=500, text=f"no such buyer: {buyer.email} {SECRET}")
    told = in_words(exchange(name, dialect, answer=answer), [], Mask(people()))
    assert Hunt(people()).kinds_in("\n".join(told)) - {"ip_address"} == set()
    assert fakes.gateway(name).sale_id(order("7/wire", now_s=1_772_366_400)) in told[0]
    assert "<email>" in told[0]
    assert told[1] == "its answer: 500 no such buyer: <email> <secret>"
    assert told[2] == "Meta was sent nothing"


def test_what_meta_was_sent_and_said_is_shown() -> None:
    buyer = order("7/wire", now_s=1_772_366_400).buyer
    event = {"event_name": "Purchase", "user_data": {"em": ["ab" * 32], "fn": buyer.first_name, "zp": [buyer.email]}}
    calls = [{"status": 200, "events": []}, {"status": 400, "code": 100, "subcode": 33, "events": [event]}]
    told = in_words(exchange("stripe", "vendor"), calls, Mask(people()))
    assert told[2].startswith('Meta\'s last call of 2: [{"event_name": "Purchase", "user_data": {"em": ["ababab…"]')
    assert told[2].endswith("it answered 400, code 100/33")
    assert buyer.email not in told[2]


@each_row("body", [b"", b"\xff\xfe", b"[" * 100_000, b"x" * 10_000_000, json.dumps([0] * 100_000).encode()])
def test_any_body_is_shown_in_bounds(body: bytes) -> None:
    told = in_words(exchange("stripe", "vendor", body=body), [], Mask(people()))
    assert len(told[0]) < SHOWN + 1_000
