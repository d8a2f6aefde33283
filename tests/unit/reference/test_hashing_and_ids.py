"""What leaves for Meta in place of the buyer and of the sale: hashes, the event id, the click id's long form."""

from __future__ import annotations

import re
import subprocess
import sys

from hypothesis import assume, given
from hypothesis import strategies as st

from reference_impl.domain.conversion import Buyer
from reference_impl.domain.event import has_match_keys
from reference_impl.domain.event_id import event_id
from reference_impl.domain.fbc import fbc_of
from reference_impl.domain.hashing import hash_buyer, sha256
from tests.rows import each_row

HEX = re.compile(r"[0-9a-f]{64}")
FULL = Buyer(
    email=" Ana@Example.com ", phone="(11) 98765-4321", first_name="Ana", last_name="D'Ávila", city="São Paulo",
    state="SP", zip_code="01310-100", country="BR", ip_address="203.0.113.7", user_agent="Mozilla/5.0",
)  # fmt: skip
# Each line: printf '%s' TEXT | openssl dgst -sha256
OPENSSL = {
    "em": "8e43ca37701228e74983efdbd0cff5c16b3b1e5d4e29a7c05626d4d25a018e11",  # ana@example.com
    "ph": "029c7290f14c4516673508635f0519db95f7daf42057fd0e4ad1de84c5408a66",  # 5511987654321
    "fn": "24d4b96f58da6d4a8512313bbd02a28ebf0ca95dec6e4c86ef78ce7f01e788ac",  # ana
    "ln": "d02479935c41ea85efe078b88d2efc87541c0d02fef38b91e99ffa802da6e421",  # dávila
    "ct": "3eda1428ae1aece064071f8d40f08fe2bc59ffa66c171a163caf15122ec4d7f0",  # sãopaulo
    "st": "be18b85f77fc024db379acf19e8a1ce62307ab7bb1bca395389ecfc2dafaf741",  # sp
    "zp": "9a4a139dfbfcd2fc89a3cb4302dad65a35abd8d29a56c09a962b69c5cf3bca40",  # 01310100
    "country": "885036a0da3dff3c3e05bc79bf49382b12bc5098514ed57ce0875aba1aa2c40d",  # br
}


def test_a_buyer_is_hashed_key_by_key_as_openssl_hashes() -> None:
    """Normalised first; a list of one for each key; address and browser are no hashes and do not come along."""
    assert hash_buyer(FULL).as_user_data() == {key: [value] for key, value in OPENSSL.items()}


@each_row(
    ("buyer", "keys"),
    [
        (Buyer(), set()),
        (Buyer(email="", phone=" ", first_name="!", zip_code="-", country="Brasil"), set()),
        (Buyer(email="no address", phone="123"), set()),
        (Buyer(email="a@b.example"), {"em"}),
        (Buyer(phone="+5511987654321", country="br"), {"ph", "country"}),
    ],
)
def test_what_holds_nothing_has_no_hash(buyer: Buyer, keys: set[str]) -> None:
    """The hash of an empty text would match every other empty text."""
    found = hash_buyer(buyer).as_user_data()
    assert set(found) == keys
    assert [sha256("")] not in found.values()


@given(st.builds(Buyer, email=st.emails(), phone=st.text(), first_name=st.text(), last_name=st.text(), city=st.text()))
def test_nothing_that_was_typed_comes_out(buyer: Buyer) -> None:
    """64 lower-case hex digits, whatever went in; and neither repr shows the buyer."""
    keys = hash_buyer(buyer)
    assert all(HEX.fullmatch(one) for [one] in keys.as_user_data().values())
    assert keys.em is not None
    assert keys.em not in repr(keys)
    assert buyer.email is not None
    assert buyer.email not in repr(buyer)


@each_row(
    ("keys", "enough"),
    [
        (set(), False),
        ({"country", "st", "ct", "zp", "client_user_agent"}, False),
        ({"fn", "ge"}, False),
        ({"ln"}, False),
        ({"fn", "ln"}, True),
        ({"em"}, True),
        ({"client_user_agent", "client_ip_address"}, True),
        ({"fbc"}, True),
        ({"country", "fbp"}, True),
    ],
)
def test_too_few_keys_are_known_before_meta_refuses_the_batch(keys: set[str], enough: bool) -> None:
    """By Meta's own list (2804050); a key that holds nothing does not count."""
    assert has_match_keys({key: ["x"] for key in keys}) is enough
    assert not has_match_keys({key: [] for key in keys})


texts = st.text(max_size=20)
sales = st.fixed_dictionaries({"tenant": texts, "gateway": texts, "sale_id": texts, "kind": texts})


@given(sales, sales)
def test_two_sales_never_share_an_event_id(one: dict[str, str], other: dict[str, str]) -> None:
    """However their parts are cut: t-1 + 23 is not t-12 + 3."""
    assume(one != other)
    assert event_id(**one) != event_id(**other)


@each_row(
    ("one", "other"),
    [
        ({"tenant": "t1", "gateway": "x", "sale_id": "23"}, {"tenant": "t12", "gateway": "x", "sale_id": "3"}),
        ({"tenant": "t", "gateway": "x", "sale_id": "1:a,"}, {"tenant": "t", "gateway": "x1:", "sale_id": "a,"}),
        ({"tenant": "t", "gateway": "x,y", "sale_id": "1"}, {"tenant": "t,x", "gateway": "y", "sale_id": "1"}),
        ({"tenant": "t", "gateway": "x,0:y", "sale_id": "1"}, {"tenant": "t,0:x", "gateway": "y", "sale_id": "1"}),
        ({"tenant": "t", "gateway": "x", "sale_id": "1"}, {"tenant": "t", "gateway": "x", "sale_id": "1", "kind": "r"}),
        ({"tenant": "t", "gateway": "x", "sale_id": "é"}, {"tenant": "t", "gateway": "x", "sale_id": "e\u0301"}),
    ],
)
def test_parts_cannot_run_into_each_other(one: dict[str, str], other: dict[str, str]) -> None:
    """The cases that a plain join would confuse."""
    assert event_id(**one) != event_id(**other)


def test_an_event_id_is_the_same_in_every_process_for_ever() -> None:
    """Written down: were it to change, sales on their way at a deployment would count twice."""
    sale = {"tenant": "t-9f2c", "gateway": "kiwify", "sale_id": "KW98765"}
    program = f"from reference_impl.domain.event_id import event_id; print(event_id(**{sale!r}))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    # printf '%s' '6:t-9f2c,6:kiwify,7:KW98765,8:purchase,' | openssl dgst -sha256
    assert event_id(**sale) == other.stdout.strip() == "purchase.6b84550a2f2598d4144664ac19614fb9"


@given(st.from_regex(r"[A-Za-z0-9_-]{20,100}", fullmatch=True), st.integers(10**12, 2 * 10**12))
def test_a_click_id_keeps_every_letter(fbclid: str, clicked_at_ms: int) -> None:
    """fb.1.<milliseconds>.<fbclid>: its case is never touched."""
    assert fbc_of(fbclid, clicked_at_ms=clicked_at_ms) == f"fb.1.{clicked_at_ms}.{fbclid}"


def test_milliseconds_are_not_seconds() -> None:
    """Meta's own example."""
    assert fbc_of("AbCdEf", clicked_at_ms=1554763741205) == "fb.1.1554763741205.AbCdEf"
