"""The short cut for plain calls never takes what the rules refuse, and leaves the same traces as the long way."""

import asyncio
import json
import random
from copy import deepcopy
from hashlib import sha256
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulators import wire
from simulators.meta import app, decode, rules
from simulators.meta.app import create_app
from simulators.meta.errors import GraphError
from simulators.meta.events import EventsCall
from simulators.meta.inbox import Call
from simulators.meta.plain import plain
from simulators.meta.state import Meta
from simulators.meta.switches import Switches
from simulators.meta.tokens import Token
from simulators.meta.versions import served
from tests.rows import each_row

NOW_S = 1_772_366_400.5
HASH = sha256(b"maria@example.com").hexdigest()
TOKEN = "EAAplain0000000"
SWITCHES = Switches()
JSON = [(b"content-type", b"application/json")]


def event(**changes: Any) -> dict[str, Any]:
    """A right Purchase with every key that a plain one may have."""
    return {
        "event_name": "Purchase",
        "event_time": int(NOW_S) - 60,
        "event_id": "purchase.1",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/obrigado",
        "user_data": {
            "em": [HASH],
            "ph": [HASH.upper(), HASH],
            "external_id": ["7"],
            "client_ip_address": "192.0.2.1",
            "client_user_agent": "curl",
            "fbp": "fb.1.1772366400000.42",
            "fbc": "fb.1.1772366400000.AbC",
        },
        "custom_data": {
            "value": 297.5,
            "currency": "brl",
            "order_id": "HP1",
            "content_ids": ["p-1"],
            "content_type": "product",
            "contents": [{"id": "p-1", "quantity": 1, "item_price": 2.5}],
            "num_items": 1,
        },
        **changes,
    }


def body(*events: Any, **beside: Any) -> bytes:
    """A request's body."""
    return json.dumps({"data": list(events), "access_token": TOKEN, **beside}, ensure_ascii=False).encode()


def refused(raw: bytes) -> bool:
    """Whether the long way refuses that body."""
    try:
        asked = decode.parameters(b"", "application/json", "", raw)
        events = decode.events(asked.values.get("data"), limit=SWITCHES.batch_limit)
    except GraphError:
        return True
    return rules.first_refusal(events, NOW_S, SWITCHES) is not None


def is_plain(raw: bytes) -> bool:
    """Whether the short cut takes it."""
    return plain(raw, now_s=NOW_S, switches=SWITCHES) is not None


def test_a_right_call_is_plain() -> None:
    """Or the short cut would be none."""
    assert is_plain(body(event()))
    assert is_plain(body(event(event_name="Lead", custom_data=None), event(event_id=None)))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=70),
    st.sampled_from(
        [HASH, HASH[:-1], HASH + "0", HASH[:-1] + "g", "", " ", "Purchase", "physical_store", "USD", "XXX"]
    ),
    st.sampled_from(
        [int(NOW_S) - 7 * 86_400, int(NOW_S) - 7 * 86_400 - 1, int(NOW_S) + 61, int(NOW_S) + 60, 1.0, 0, -1]
    ),
)
_VALUES = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(st.text(max_size=5), _SCALARS, max_size=2)
)
_PATHS = [
    (),
    *[(key,) for key in (*event(), "opt_out", "stranger")],
    *[("user_data", key) for key in (*rules.HASHED_KEYS, *event()["user_data"], "stranger")],
    *[("custom_data", key) for key in (*rules.CUSTOM_KEYS, "stranger")],
    *[("custom_data", "contents", 0, key) for key in (*rules.CONTENT_KEYS, "stranger")],
]


def _put(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Set what stands at that path; where the path no longer leads there, nothing."""
    if not path:
        return value
    holder = whole
    try:
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        return whole
    return whole


@settings(max_examples=600, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(_PATHS), _VALUES), min_size=1, max_size=3), st.booleans())
@example([(("user_data",), {"client_user_agent": "curl"})], True)
@example([(("custom_data", "value"), None)], True)
@example([(("custom_data",), None)], False)
def test_what_the_rules_refuse_is_never_plain(changes: list[tuple[tuple[Any, ...], Any]], alone: bool) -> None:
    """Any value in any place: what is plain is right by every rule."""
    whole: Any = event()
    for path, value in changes:
        whole = _put(deepcopy(whole) if isinstance(whole, dict) else event(), path, value)
    raw = body(whole) if alone else body(event(), whole)
    assert not (is_plain(raw) and refused(raw))


_TEXT = body(event()).decode()
_SPOILT = [
    ("297.5", "1e999"),
    ("297.5", "-0.5"),
    ("297.5", "NaN"),
    ("297.5", "0297.5"),
    ("297.5", '"297.5"'),
    (str(int(NOW_S) - 60), f"{int(NOW_S) - 60}.0"),
    (str(int(NOW_S) - 60), f"{int(NOW_S) - 60}e0"),
    (str(int(NOW_S) - 60), "99999999999999999999999"),
    ('"purchase.1"', r'"\ud800"'),
    ('"purchase.1"', '"a\x01b"'),
    ('"purchase.1"', r'"\x41"'),
    ('"Purchase"', '"Purchase", "event_name": "  "'),
    ('"Purchase"', '"Purchase", "event_name": 7'),
    ('"currency": "brl"', '"currency": "brl", "currency": null'),
    ('"currency": "brl"', '"currency": "brl", "currency": "XXX"'),
    ('{"data"', '\ufeff{"data"'),
    ("}]", "},]"),
    (f'"{TOKEN}"', f'"{TOKEN}"}} {{}}'),
    ('"data": [', '"data": [1, '),
    ('"access_token"', '"data": [], "access_token"'),
    ('"access_token"', '"stranger": 1e999, "access_token"'),
]


@each_row(("old", "new"), _SPOILT)
def test_odd_json_is_no_way_around_the_rules(old: str, new: str) -> None:
    """Two readers of JSON must not disagree on what passes."""
    raw = _TEXT.replace(old, new, 1).encode()
    assert raw.decode() != _TEXT
    assert not (is_plain(raw) and refused(raw))


@each_row("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00"])
@each_row("place", [b"purchase.1", b"HP1", b"curl", b"p-1"])
def test_bytes_that_are_no_utf8_are_no_way_around_the_rules(bad: bytes, place: bytes) -> None:
    """In any text."""
    raw = body(event()).replace(place, place + bad, 1)
    assert not (is_plain(raw) and refused(raw))


def _meta() -> Meta:
    meta = Meta(now_s=lambda: NOW_S, rng=random.Random(0))
    meta.tokens.register("900", [Token(token=TOKEN, issued_at_s=0)])
    return meta


def _calls(meta: Meta, pixel: str) -> tuple[list[Call], int]:
    return asyncio.run(meta.inbox.wait_for_calls(pixel, after=0, count=0, wait_s=0))


def _traces(meta: Meta) -> tuple[Any, Any, int]:
    calls, dropped = _calls(meta, "900")
    return [one.to_json() for one in calls], meta.inbox.arrivals(after=0, limit=1000), dropped


@each_row("headers", [JSON, [*JSON, (b"authorization", b"Bearer EAAother")]])
def test_both_ways_leave_the_same_traces(headers: list[tuple[bytes, bytes]]) -> None:
    """Inbox, short list and deduplication cannot tell which way a call went."""
    short, long = _meta(), _meta()
    raws = [body(event(), event(event_id="2")), body(event(), test_event_code="TEST1"), body(event(event_id=None))]
    for raw in raws:
        assert is_plain(raw)
        found = create_app(short).at_once(b"/v26.0/900/events", b"", headers, raw)  # type: ignore[attr-defined]
        said = EventsCall(long, "900", decode.parameters(b"", "application/json", "", raw)).work()
        assert found is not None
        assert (found[0].status, json.loads(found[0].body)["events_received"]) == (
            200,
            json.loads(said.body)["events_received"],
        )
    assert _traces(short) == _traces(long)


@each_row(
    ("pixel", "raw", "code"),
    [
        ("900", body(event(), access_token="EAAdead00000000"), 190),
        ("900", body(event(), access_token=None), 104),
        ("901", body(event()), 100),
        ("900", body(event(), event(event_id=7)), 100),
    ],
)
def test_a_refusal_goes_the_long_way(pixel: str, raw: bytes, code: int) -> None:
    """A dead token, a foreign pixel, a wrong event: told and filed as ever, once."""
    meta = _meta()
    found = create_app(meta).at_once(f"/v26.0/{pixel}/events".encode(), b"", JSON, raw)  # type: ignore[attr-defined]
    assert found is not None
    assert json.loads(found[0].body)["error"]["code"] == code
    assert [one.code for one in _calls(meta, pixel)[0]] == [code]


@each_row("path", ["/v26.0/900/events", "/v12.0/900/events", "/900/events"])
@each_row("token", [TOKEN, "EAAdead00000000"])
def test_the_head_of_a_quick_answer_is_that_of_a_slow_one(path: str, token: str) -> None:
    """The same names and values in the same order, a warning about the version and a refusal's header among them."""
    quick, slow = _meta(), _meta()
    found = create_app(quick).at_once(path.encode(), b"", JSON, body(event(), access_token=token))  # type: ignore[attr-defined]
    reply = found[0]
    for one in (quick, slow):  # the same ids from here on, none left of those that were drawn before
        one.rng, one._traces = random.Random(7), []
    target = served(path, "upgrade")
    quick_lines = app._lines(quick, target, reply)
    assert quick_lines == wire.as_lines(app._headers(slow, target, reply))
    assert b"x-fb-trace-id: A" in quick_lines
