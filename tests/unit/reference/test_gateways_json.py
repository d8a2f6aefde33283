"""A stranger's bytes end in a meaning or in a declared error, in every gateway and dialect; nothing else escapes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.domain.conversion import Ignored, Purchase, Reinstatement, Reversal
from reference_impl.domain.hashing import hash_buyer
from reference_impl.gateways import (
    BadSignature,
    MalformedBody,
    RawDelivery,
    SchemaMismatch,
    UnknownGateway,
    adapter,
    known,
)
from reference_impl.gateways._json import MAX_BYTES, MAX_INTEGER_DIGITS, parse
from tests.rows import each_row

SPOKEN = [(name, dialect) for name, one in sorted(known().items()) for dialect in one.dialects]
VECTORS = Path(__file__).parents[2] / "vectors"
BODIES = {path.relative_to(VECTORS).as_posix(): path.read_bytes() for path in sorted(VECTORS.glob("*/*/*.body"))}
BIG = b"9" * (MAX_INTEGER_DIGITS + 1)

every_dialect = each_row(("name", "dialect"), SPOKEN)


def ends_well(name: str, dialect: str, body: bytes) -> None:
    """Verify and read as the web layer does; what is read can be hashed and stored."""
    headers = {"x-signature": "sha256=00", "x-hotmart-hottok": "t", "stripe-signature": "t=1,v1=00"}
    delivery = RawDelivery(body=body, headers=headers, query={"signature": "00"})
    with pytest.raises((BadSignature, MalformedBody)):
        adapter(name).verify(delivery, dialect=dialect, secrets=["secret"], now_s=1.0)
    reads_well(name, dialect, body)


def reads_well(name: str, dialect: str, body: bytes) -> None:
    """What is read can be hashed and stored; what is not, is refused in our words."""
    try:
        found = adapter(name).read(body, dialect=dialect)
    except (MalformedBody, SchemaMismatch):
        return
    assert isinstance(found, Purchase | Reversal | Reinstatement | Ignored)
    if isinstance(found, Purchase):
        json.dumps(hash_buyer(found.buyer).as_user_data())
        assert 0 <= found.amount < 10**12
        assert found.paid_at_s is None or 0 < found.paid_at_s < 4_102_444_800
        stored = (found.sale_id, found.currency, found.product_id, found.buyer.ip_address, found.buyer.user_agent)
        assert not any("\x00" in one or "\ud800" in one for one in stored if one)


@each_row(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b"   ", "no JSON"),
        (b"{", "no JSON"),
        (b'{"a":1}x', "no JSON"),
        (b"{'a':1}", "no JSON"),
        (b'{"a":1,}', "no JSON"),
        (b'{"a":"\x01"}', "no JSON"),
        (b'\xef\xbb\xbf{"a":1}', "no JSON"),
        (b'{"a":"\xff"}', "UTF-8"),
        ('{"a":1}'.encode("utf-16"), "UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "UTF-8"),
        (b"[]", "no JSON object"),
        (b"1", "no JSON object"),
        (b"null", "no JSON object"),
        (b'"{}"', "no JSON object"),
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b'{"deep":[{"a":1,"a":null}]}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":%s}' % BIG, "too long"),
        (b'{"a":-%s}' % BIG, "too long"),
        (b'{"a":0.%s}' % (b"1" * 60), "too long"),
        (b'{"a":1e%s}' % (b"9" * 25), "no JSON|number"),
        (b'{"a":1e-%s}' % (b"9" * 25), "no JSON|number"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "no JSON"),
        (b'{"a":"' + b"x" * MAX_BYTES + b'"}', "too large"),
    ],
)
def test_what_cannot_be_read_is_malformed(body: bytes, why: str) -> None:
    """One error, which says what is wrong and repeats nothing."""
    with pytest.raises(MalformedBody, match=why):
        parse(body)
    for name, dialect in SPOKEN:
        with pytest.raises(MalformedBody):
            adapter(name).read(body, dialect=dialect)


@each_row(
    ("body", "value"),
    [
        (b'{"a":99.90}', {"a": Decimal("99.90")}),
        (b'{"a":0.1}', {"a": Decimal("0.1")}),
        (b'{"a":1e2}', {"a": Decimal("1E+2")}),
        (b' {"a":-0}\r\n', {"a": 0}),
        ('{"é":"\\u00e9\\ud83d\\ude00"}'.encode(), {"é": "é😀"}),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a":%s}' % BIG[1:], {"a": int(BIG[1:])}),
    ],
)
def test_what_can_be_read_is_exact(body: bytes, value: Mapping[str, Any]) -> None:
    """Decimals digit for digit; the same key in two objects is no duplicate."""
    assert parse(body) == value
    assert repr(parse(body)) == repr(value)


def test_the_depth_that_is_borne_is_pythons_own() -> None:
    """Nested far deeper than any vendor's, but not endlessly; and the interpreter survives to read the next."""
    deep = 200
    assert parse(b'{"a":' * deep + b"1" + b"}" * deep)
    with pytest.raises(MalformedBody):
        parse(b'{"a":' * (sys.getrecursionlimit() * 2) + b"1" + b"}" * (sys.getrecursionlimit() * 2))
    assert parse(b"{}") == {}


@every_dialect
@settings(deadline=None)
@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_end_well(name: str, dialect: str, body: bytes) -> None:
    """Noise."""
    ends_well(name, dialect, body)


HARD = ["", " ", "\x00", "\ud800", "9" * 5000, "NaN", "0000-00-00", "2026-02-30",
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
        "2026-02-24T10:00:00.123456789Z", 10**29, -(10**29), 1e308, -0.0]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**40), 10**40), st.floats(), st.text(max_size=20), st.sampled_from(HARD)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from members(inner)


@each_row("file", BODIES)
def test_a_genuine_body_with_a_hard_value_in_any_field_ends_well(file: str) -> None:
    """Each in each field, and each field gone: what a few examples of the next test may never draw."""
    name, dialect, _ = file.split("/")
    root = json.loads(BODIES[file])
    for container, key in list(members(root)):
        genuine = container[key]
        for value in HARD:
            container[key] = value
            reads_well(name, dialect, json.dumps(root).encode())
        container[key] = genuine
        if isinstance(container, dict):
            there = list(container.items())
            del container[key]
            reads_well(name, dialect, json.dumps(root).encode())
            container.clear()
            container.update(there)  # the others' order is that of the body
    assert root == json.loads(BODIES[file])


@each_row("file", BODIES)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_a_genuine_body_with_anything_in_any_field_ends_well(file: str, data: st.DataObject) -> None:
    """Where random bytes never come: past the first checks, field by field, with the key gone too."""
    a_changed_body_ends_well(file, data)


@pytest.mark.nightly  # a hundred changes of each body, as Hypothesis has it by default; the test above makes twenty
@each_row("file", BODIES)
@settings(deadline=None)
@given(data=st.data())
def test_a_genuine_body_with_anything_in_any_field_ends_well_at_length(file: str, data: st.DataObject) -> None:
    """The same, of so many more that a rare one is among them."""
    a_changed_body_ends_well(file, data)


def a_changed_body_ends_well(file: str, data: st.DataObject) -> None:
    """With other values in one to three fields, or without the fields."""
    name, dialect, _ = file.split("/")
    root = json.loads(BODIES[file])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(members(root)) or [(root, "new")]))
        if data.draw(st.booleans()):
            container[key] = data.draw(values)
        elif container:
            del container[key]
    ends_well(name, dialect, json.dumps(root).encode())


@each_row("file", BODIES)
def test_a_body_cut_anywhere_is_malformed(file: str) -> None:
    """At each byte before its closing brace."""
    name, dialect, _ = file.split("/")
    for end in range(BODIES[file].rindex(b"}")):
        with pytest.raises(MalformedBody):
            adapter(name).read(BODIES[file][:end], dialect=dialect)


@every_dialect
def test_an_empty_object_lacks_something_that_is_named(name: str, dialect: str) -> None:
    """The field's name, for whoever has to mend it."""
    with pytest.raises(SchemaMismatch, match=r"^[a-z_.]+ is missing"):
        adapter(name).read(b"{}", dialect=dialect)


NEEDED = {
    "hotmart/plan/approved": ("amount", "currency", "event_time"),
    "hotmart/vendor/purchase_approved": (
        "data.purchase.price.value",
        "data.purchase.price.currency_value",
        "data.purchase.approved_date",
    ),
    "kiwify/plan/completed": ("value", "currency"),
    "kiwify/vendor/order_approved": ("Commissions.charge_amount", "Commissions.currency", "approved_date"),
    "perfectpay/plan/approved": ("sale_amount", "currency", "approved_at"),
    "perfectpay/vendor/approved": ("sale_amount", "currency_enum_key", "date_approved"),
    "stripe/vendor/payment_intent_succeeded": ("data.object.amount_received", "data.object.currency", "created"),
}
IDS = {
    "hotmart/plan/approved": "order_id",
    "hotmart/vendor/purchase_approved": "data.purchase.transaction",
    "kiwify/plan/completed": "purchase_id",
    "kiwify/vendor/order_approved": "order_id",
    "perfectpay/plan/approved": "sale_code",
    "perfectpay/vendor/approved": "code",
    "stripe/vendor/payment_intent_succeeded": "data.object.id",
}


def read_with(case: str, path: str, value: Any) -> Purchase:
    """That purchase with another value at a dotted path."""
    name, dialect, _ = case.split("/")
    root = json.loads(BODIES[f"{case}.body"])
    *way, last = path.split(".")
    place = root
    for step in way:
        place = place[step]
    place[last] = value
    found = adapter(name).read(json.dumps(root).encode(), dialect=dialect)
    assert isinstance(found, Purchase)
    return found


@each_row(("case", "path"), [(case, path) for case, needed in NEEDED.items() for path in needed])
@each_row(
    "junk",
    ["top-secret", "x" * 5000, -1, True, {"top-secret": 1}, ["top-secret"]],
)
def test_a_wrong_field_is_named_and_its_value_is_not(case: str, path: str, junk: Any) -> None:
    """SchemaMismatch for amount, currency and time; no value comes back to who sent it."""
    with pytest.raises(SchemaMismatch) as refusal:
        read_with(case, path, junk)
    assert path.rpartition(".")[2] in str(refusal.value)
    assert "top-secret" not in str(refusal.value)


@each_row(("case", "path"), IDS.items())
@each_row("junk", [None, "", "  ", True, {}, [], 1.5, "x" * 256, "a\x00b"])
def test_a_sale_without_a_usable_id_is_refused(case: str, path: str, junk: Any) -> None:
    """Two such sales would be taken for one."""
    with pytest.raises(SchemaMismatch, match=path.rpartition(".")[2]):
        read_with(case, path, junk)


@each_row(("case", "path"), IDS.items())
@each_row(("written", "sale_id"), [("x" * 255, "x" * 255), (12345, "12345"), (" é ", "é")])
def test_a_sale_id_is_text_or_digits(case: str, path: str, written: Any, sale_id: str) -> None:
    """Trimmed, and a number taken as its digits."""
    assert read_with(case, path, written).sale_id == sale_id


@each_row(
    ("written", "paid_at_s"),
    [
        (None, None),
        ("", None),
        ("2026-02-24T10:00:00Z", 1771927200),
        ("2026-02-24T07:00:00-03:00", 1771927200),
        ("2026-02-24T10:00:00.999999+00:00", 1771927200),
    ],
)
def test_a_written_time_keeps_its_zone(written: str | None, paid_at_s: int | None) -> None:
    """Whole seconds, cut off; absent, the first receipt will count."""
    assert read_with("hotmart/plan/approved", "event_time", written).paid_at_s == paid_at_s


@each_row(
    "written",
    ["yesterday", "2026-02-30T10:00:00Z", "1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"],
)
def test_what_is_no_time_of_ours_is_refused(written: str) -> None:
    """Before 1970, after 2099, no day of any month."""
    with pytest.raises(SchemaMismatch, match="event_time"):
        read_with("hotmart/plan/approved", "event_time", written)


def test_an_unknown_gateway_is_said_so() -> None:
    """As its own error; a helper module of the folder is none either."""
    for name in ("paypal", "_json", "", "../stripe", "Stripe"):
        with pytest.raises(UnknownGateway):
            adapter(name)
