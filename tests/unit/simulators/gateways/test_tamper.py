"""Tampering by name: each changes what it says, and nothing else."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal

import pytest

from simulators.gateways import UnknownName, Webhook, gateway, known, webhook
from simulators.gateways._tamper import (
    CHUNK_BYTES,
    HUGE_BYTES,
    JUST_STALE_S,
    STALE_S,
    TAMPERINGS,
    NothingToTamper,
    Signing,
    chunks,
    expected,
    tamper,
    without_framing,
)
from simulators.people import order
from tests.rows import each_row

NOW_S = 1_772_366_400
URL = "http://127.0.0.1:8080/hook?tenant=t-1"
SPOKEN = [(name, dialect) for name, fake in sorted(known().items()) for dialect in fake.dialects]
EVENTS = [(name, dialect, event) for name, dialect in SPOKEN for event in sorted(gateway(name).events(dialect))]
NO_INTEGRITY = {("hotmart", "vendor"), ("perfectpay", "vendor")}
KIWI = ("kiwify", "vendor")
STRIPE, KIWIFY = {("stripe", "vendor")}, {KIWI}
#: Tamperings that only some schemes know; for the others they are said to be nothing.
ONLY_OF = {"several_signatures": STRIPE, "only_old_scheme": STRIPE, "forged_wrapper": KIWIFY}
STALE = {"stale_timestamp": STALE_S, "just_stale_timestamp": JUST_STALE_S}
SAME_VALUE = ("reserialised", "key_order", "escapes", "trailing_newline")
every_dialect = each_row(("name", "dialect"), SPOKEN)


def signing(name: str, dialect: str) -> Signing:
    fake = gateway(name)
    return Signing(
        gateway=fake,
        dialect=dialect,
        secret=fake.new_secret("7"),
        url=URL,
        now_s=NOW_S,
        another_tenants_secret=fake.new_secret("8"),
    )


def genuine(name: str, dialect: str, event: str = "approved") -> Webhook:
    how = signing(name, dialect)
    sale = order("7/tamper", now_s=NOW_S)
    return webhook(how.gateway, sale, event, dialect=dialect, secret=how.secret, url=URL, now_s=NOW_S)


def is_genuine(told: Webhook, name: str, dialect: str) -> bool:
    """What the sender itself says: would it have sent this, signed for that very body?"""
    how = signing(name, dialect)
    again = how.sign(told.body)
    in_body = (name, dialect) == ("perfectpay", "vendor")
    token_is_there = not in_body or _token_in(told.body) == how.secret
    return (again.url, again.headers, again.body) == (told.url, told.headers, told.body) and token_is_there


def _token_in(body: bytes) -> object:
    try:
        return json.loads(body).get("token")
    except json.JSONDecodeError:  # malformed on purpose: as text then
        return body.partition(b'"token":"')[2].partition(b'"')[0].decode()


@each_row(("name", "dialect", "event"), EVENTS)
@each_row("kind", sorted(TAMPERINGS))
def test_every_tampering_bites_on_every_event(name: str, dialect: str, event: str, kind: str) -> None:
    """The request differs from the genuine one, unless `expected` says that the vendor signs nothing of the kind."""
    before, how = genuine(name, dialect, event), signing(name, dialect)
    if (name, dialect) not in ONLY_OF.get(kind, {(name, dialect)}):
        with pytest.raises(NothingToTamper):
            tamper(kind, before, how)
        return
    after = tamper(kind, before, how)
    no_time_is_signed = kind in STALE and name != "stripe"
    assert (after == before) == no_time_is_signed


@every_dialect
@each_row(
    "kind",
    [
        *("one_byte", *SAME_VALUE, "missing_signature", "truncated_signature", "uppercase_signature"),
        *(
            "wrong_secret",
            "another_tenants_secret",
            "empty_signature",
            "prefix_only",
            "longer_signature",
            "tail_changed",
        ),
    ],
)
def test_expected_agrees_with_the_senders_own_arithmetic(name: str, dialect: str, kind: str) -> None:
    """Refused exactly where signing the received body once more gives something else than was received."""
    after = tamper(kind, genuine(name, dialect), signing(name, dialect))
    assert expected(kind, name, dialect) == ("accepted" if is_genuine(after, name, dialect) else "refused")


@every_dialect
def test_one_byte_is_one_byte_of_valid_json(name: str, dialect: str) -> None:
    """Same length, one byte apart, another value; signature and URL untouched."""
    before, after = genuine(name, dialect), tamper("one_byte", genuine(name, dialect), signing(name, dialect))
    assert (after.url, after.headers) == (before.url, before.headers)
    assert len(after.body) == len(before.body)
    assert sum(one != other for one, other in zip(before.body, after.body, strict=True)) == 1
    assert json.loads(after.body) != json.loads(before.body)


@every_dialect
@each_row("kind", SAME_VALUE)
def test_the_same_value_in_other_bytes(name: str, dialect: str, kind: str) -> None:
    """Equal as JSON, to the last decimal, and unequal as bytes."""
    before, after = genuine(name, dialect), tamper(kind, genuine(name, dialect), signing(name, dialect))
    assert after.body != before.body
    assert json.loads(after.body, parse_float=Decimal) == json.loads(before.body, parse_float=Decimal)
    assert (after.url, after.headers) == (before.url, before.headers)


@every_dialect
def test_missing_signature_takes_it_away_and_nothing_else(name: str, dialect: str) -> None:
    """One header, one parameter or one key fewer; the rest of the query and of the body stays."""
    before, after = genuine(name, dialect), tamper("missing_signature", genuine(name, dialect), signing(name, dialect))
    headers = {header.title() for header in set(before.headers) - set(after.headers)}
    keys = set(json.loads(before.body)) - set(json.loads(after.body))
    assert "tenant=t-1" in after.url
    gone = (headers, "signature=" in before.url and "signature=" not in after.url, keys)
    assert gone == {
        ("hotmart", "vendor"): ({"X-Hotmart-Hottok"}, False, set()),
        ("kiwify", "vendor"): (set(), True, set()),
        ("perfectpay", "vendor"): (set(), False, {"token"}),
        ("stripe", "vendor"): ({"Stripe-Signature"}, False, set()),
    }.get((name, dialect), ({"X-Signature"}, False, set()))


@every_dialect
def test_malformed_json_is_rightly_signed(name: str, dialect: str) -> None:
    """Only the JSON is at fault: the sender would sign these bytes so."""
    after = tamper("malformed_json", genuine(name, dialect), signing(name, dialect))
    assert is_genuine(after, name, dialect)
    with pytest.raises(json.JSONDecodeError):
        json.loads(after.body)


@each_row(("kind", "age_s"), STALE.items())
def test_stale_is_signed_that_long_ago(kind: str, age_s: int) -> None:
    """Stripe's t is so old and the signature right for that time."""
    sent, how = genuine("stripe", "vendor"), signing("stripe", "vendor")
    assert tamper(kind, sent, how) == how.sign(sent.body, now_s=NOW_S - age_s)
    assert age_s > 300, "Stripe's tolerance"


@every_dialect
def test_a_longer_or_other_tail_begins_like_the_right_proof(name: str, dialect: str) -> None:
    """Two characters more, or the second half another one: what stands before is the genuine proof."""
    before, how = genuine(name, dialect), signing(name, dialect)
    longer, other = (_text(tamper(kind, before, how)) for kind in ("longer_signature", "tail_changed"))
    assert len(longer) == len(_text(before)) + 2
    assert len(other) == len(_text(before))
    changed = sum(one != two for one, two in zip(_text(before), other, strict=True))
    assert 0 < changed <= 32


def _text(sent: Webhook) -> str:
    return f"{sent.url} {sorted(sent.headers.items())} {sent.body.decode()}"


@every_dialect
def test_only_static_tokens_miss_a_changed_body(name: str, dialect: str) -> None:
    """Vendor Hotmart and vendor PerfectPay accept a changed byte; every other dialect refuses it."""
    wanted = "accepted" if (name, dialect) in NO_INTEGRITY else "refused"
    assert {expected(kind, name, dialect) for kind in ("one_byte", "reserialised")} == {wanted}
    assert expected("wrong_secret", name, dialect) == "refused"


def test_nothing_to_tamper_is_said() -> None:
    """A body without a digit, and a webhook that has lost its signature already, are errors and not false greens."""
    how = signing("kiwify", "plan")
    with pytest.raises(NothingToTamper, match="No digit"):
        tamper("one_byte", how.sign(b'{"a":"b"}'), how)
    token = signing("perfectpay", "vendor")
    bare = tamper("missing_signature", genuine("perfectpay", "vendor"), token)
    with pytest.raises(NothingToTamper, match="No signature"):
        tamper("missing_signature", bare, token)


def test_another_tenants_secret_has_to_be_told() -> None:
    """Without one, or with one's own, there is nothing to tamper with: it would be a genuine webhook."""
    how = signing("stripe", "vendor")
    for other in (None, how.secret):
        with pytest.raises(NothingToTamper, match="other tenant's secret"):
            tamper("another_tenants_secret", genuine("stripe", "vendor"), replace(how, another_tenants_secret=other))


@every_dialect
def test_chunks_are_the_genuine_bytes(name: str, dialect: str) -> None:
    """Nothing but the framing is another one: body, address, proof and all other headers stay."""
    before, after = genuine(name, dialect), tamper("chunked", genuine(name, dialect), signing(name, dialect))
    pieces = chunks(after)
    assert pieces is not None
    assert b"".join(pieces) == before.body
    assert (len(pieces) > 1) == (len(before.body) > CHUNK_BYTES)
    assert (after.url, without_framing(after)) == (before.url, dict(before.headers))
    assert chunks(before) is None


def test_an_unknown_tampering_is_refused() -> None:
    """With the nearest name that exists, in `tamper` and in `expected`."""
    with pytest.raises(UnknownName, match="Did you mean 'one_byte'"):
        tamper("one_bite", genuine("stripe", "vendor"), signing("stripe", "vendor"))
    with pytest.raises(UnknownName, match="Did you mean 'one_byte'"):
        expected("one_bite", "stripe", "vendor")


def test_every_tampering_says_what_it_does() -> None:
    """The registry is what `golive list` prints."""
    assert all((apply.__doc__ or "").strip() for apply in TAMPERINGS.values())


@every_dialect
def test_a_body_that_is_no_utf8_is_rightly_signed(name: str, dialect: str) -> None:
    """Only the encoding is at fault."""
    after = tamper("not_utf8", genuine(name, dialect), signing(name, dialect))
    how = signing(name, dialect)
    assert how.sign(after.body) == after
    with pytest.raises(UnicodeDecodeError):
        after.body.decode()


@every_dialect
def test_a_huge_body_is_rightly_signed(name: str, dialect: str) -> None:
    """Only its length is at fault."""
    after = tamper("huge", genuine(name, dialect), signing(name, dialect))
    assert len(after.body) == HUGE_BYTES
    assert signing(name, dialect).sign(after.body) == after
    assert json.loads(after.body) == json.loads(genuine(name, dialect).body)


@every_dialect
def test_a_compressed_body_says_that_it_is(name: str, dialect: str) -> None:
    """What was signed comes out again; the signature is untouched."""
    before, after = genuine(name, dialect), tamper("compressed", genuine(name, dialect), signing(name, dialect))
    assert gzip.decompress(after.body) == before.body
    assert after.headers == {**before.headers, "Content-Encoding": "gzip"}


@every_dialect
def test_duplicate_keys_leave_the_value_to_the_last_one(name: str, dialect: str) -> None:
    """Python's parser reads the genuine value; one that takes the first key reads nulls."""
    before, after = genuine(name, dialect), tamper("duplicate_keys", genuine(name, dialect), signing(name, dialect))
    assert json.loads(after.body) == json.loads(before.body)
    first = json.loads(after.body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert set(first.values()) == {None}


def test_a_forged_wrapper_holds_the_genuine_order_and_another_one() -> None:
    """The signature is right for `order`; the root tells another order with another amount."""
    before, after = genuine("kiwify", "vendor"), tamper("forged_wrapper", genuine("kiwify", "vendor"), signing(*KIWI))
    told, genuine_order = json.loads(after.body), json.loads(before.body)
    assert told["order"] == genuine_order
    assert after.url == before.url
    assert told["order_id"] != genuine_order["order_id"]
    assert set(told) == {*genuine_order, "order"}


def test_a_body_that_stays_as_it_is_was_not_tampered_with() -> None:
    """A mutation tool found that no test looked at it: an empty body has nothing to be emptied."""
    how = signing("stripe", "vendor")
    with pytest.raises(NothingToTamper, match="looks the same"):
        tamper("empty_body", how.sign(b""), how)
