"""Buyers and orders from a seed."""

from __future__ import annotations

import dataclasses
import ipaddress
import random
import re
from decimal import Decimal

import pytest
from faker.providers.company.pt_BR import company_id_checksum

from simulators.people import canaries, company, foreigner, order
from tests.rows import each_row

NOW_S = 1_772_366_400
MANY = [order(f"7/people/{number}", now_s=NOW_S) for number in range(3_000)]
DOCUMENTATION = [
    ipaddress.ip_network(n) for n in ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32")
]
ANATEL_AREA_CODES = {
    *range(11, 20), 21, 22, 24, 27, 28, *range(31, 36), 37, 38, *range(41, 50), 51, 53, 54, 55, *range(61, 70), 71, 73,
    74, 75, 77, 79, *range(81, 90), *range(91, 100),
}  # fmt: skip


def test_an_order_is_a_function_of_its_key_alone() -> None:
    """Neither earlier orders nor the global random state change who buys, and asking leaves that state alone."""
    random.seed(1)
    before = random.getstate()
    first = order("7/a/1", now_s=NOW_S)
    assert random.getstate() == before
    order("7/a/2", now_s=NOW_S)
    random.seed(2)
    assert order("7/a/1", now_s=NOW_S) == first


def test_the_time_moves_the_times_only() -> None:
    """The same key a day later is the same buyer, product and amount."""
    today, tomorrow = order("7/b", now_s=NOW_S), order("7/b", now_s=NOW_S + 86_400)
    assert (today.buyer, today.product_id, today.amount) == (tomorrow.buyer, tomorrow.product_id, tomorrow.amount)
    assert tomorrow.paid_at_s - today.paid_at_s == 86_400


def test_orders_are_paid_after_they_were_made_and_never_in_the_future() -> None:
    """now - 20 min <= created < paid < now."""
    assert all(NOW_S - 1_200 <= one.created_at_s < one.paid_at_s < NOW_S for one in MANY)


def test_every_canary_is_rare() -> None:
    """No two of 3,000 buyers share an e-mail, its token, a phone, a document, and no surname is a dictionary word."""
    found = [canaries(one.buyer) for one in MANY]
    for name in ("email", "email_token", "phone", "document"):
        assert len({one[name] for one in found}) == len(MANY), name
    assert len({one["surname"] for one in found}) > 0.99 * len(MANY)


def test_emails_are_mixed_case_and_belong_to_nobody() -> None:
    """A capital to be lowered, a token to be hunted, and a host under the names reserved by RFC 2606."""
    for one in MANY:
        local, _, host = one.buyer.email.partition("@")
        assert one.buyer.email != one.buyer.email.lower()
        assert re.fullmatch(r"[A-Za-z]+\.[a-z][0-9][a-z0-9]{5}[0-9]", local), one.buyer.email
        assert re.search(r"(^|\.)example\.(com|org|net)$", host.lower())


def test_documents_have_right_check_digits() -> None:
    """Weights 10…2, then 11…2, modulo 11, as the Receita Federal computes a CPF."""
    for one in MANY:
        digits = [int(digit) for digit in one.buyer.document]
        assert len(digits) == 11
        assert len(set(digits)) > 1
        for length in (9, 10):
            rest = sum(digit * (length + 1 - at) for at, digit in enumerate(digits[:length])) % 11
            assert digits[length] == (0 if rest < 2 else 11 - rest)


def test_phones_are_brazilian_mobiles_and_area_55_is_among_them() -> None:
    """+55, a real area code, nine digits that begin with 9."""
    phones = [one.buyer.phone_e164 or "" for one in MANY]
    assert all(re.fullmatch(r"\+55[1-9][0-9]9[0-9]{8}", phone) for phone in phones)
    areas = {int(phone[3:5]) for phone in phones}
    assert areas <= ANATEL_AREA_CODES
    assert 55 in areas


def test_ip_addresses_are_from_documentation_ranges() -> None:
    """IPv4 and IPv6 both occur, and none of them is anybody's."""
    addresses = [ipaddress.ip_address(one.buyer.ip_address) for one in MANY]
    assert {address.version for address in addresses} == {4, 6}
    assert all(any(address in net for net in DOCUMENTATION if net.version == address.version) for address in addresses)


def test_names_have_accents_and_amounts_have_cents() -> None:
    """Most surnames end in an accent, and amounts are exact decimals with two places."""
    assert all(not one.buyer.last_name.isascii() for one in MANY)
    assert all(one.amount.as_tuple().exponent == -2 and one.amount > 0 for one in MANY)


def test_changes_replace_exactly_what_they_name() -> None:
    """A changed amount or buyer field leaves all else as drawn."""
    plain = order("7/c", now_s=NOW_S)
    changed = order("7/c", now_s=NOW_S, amount=Decimal("10"), buyer={"phone_e164": None}, tracking={"click_id": "c1"})
    assert (changed.amount, changed.buyer.phone_e164, changed.tracking) == (Decimal("10"), None, {"click_id": "c1"})
    assert (changed.buyer.email, changed.product_id, changed.paid_at_s) == (
        plain.buyer.email,
        plain.product_id,
        plain.paid_at_s,
    )
    assert order("7/d", now_s=NOW_S, buyer=plain.buyer).buyer == plain.buyer


@each_row("change", [{"price": 1}, {"buyer": {"mail": "x"}}])
def test_a_change_of_no_field_is_refused(change: dict[str, object]) -> None:
    """A misspelt field is an error, not a change that nobody notices."""
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        order("7/e", now_s=NOW_S, **change)


def test_companies_have_a_cnpj_that_others_accept() -> None:
    """Faker's own rule computes the same two last digits; nothing else of the buyer changes."""
    for number in range(200):
        plain = order(f"7/firm/{number}", now_s=NOW_S)
        firm = order(f"7/firm/{number}", now_s=NOW_S, buyer=company(f"7/firm/{number}"))
        digits = [int(digit) for digit in firm.buyer.document]
        assert digits[12:] == company_id_checksum(digits[:12])
        assert (firm.buyer.document_type, plain.buyer.document_type) == ("CNPJ", "CPF")
        assert dataclasses.replace(firm.buyer, document=plain.buyer.document) == plain.buyer


def test_foreigners_have_no_document_and_a_phone_of_their_own_country() -> None:
    """Several countries occur; none of the numbers is Brazilian; what identifies them is the e-mail."""
    codes = {"PT": "+351", "US": "+1", "AR": "+54", "JP": "+81"}
    abroad = [order(f"7/f/{n}", now_s=NOW_S, buyer=foreigner(f"7/f/{n}")).buyer for n in range(100)]
    assert {buyer.country for buyer in abroad} == set(codes)
    assert all((buyer.phone_e164 or "").startswith(codes[buyer.country]) for buyer in abroad)
    assert {buyer.document_type for buyer in abroad} == {""}
    assert all(buyer.identity == buyer.email for buyer in abroad)
    assert not any("zip" in canaries(buyer) for buyer in abroad)


def test_an_orders_parent_is_the_one_named_or_one_of_its_own() -> None:
    """Without a parent there is one all the same, another for each order."""
    assert order("7/c", now_s=NOW_S, parent_key="7/a").parents_key == "7/a"
    assert order("7/c", now_s=NOW_S).parents_key != order("7/d", now_s=NOW_S).parents_key
