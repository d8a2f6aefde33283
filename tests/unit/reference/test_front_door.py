"""Who calls, and who may come in."""

from __future__ import annotations

import pytest

from reference_impl.domain.door import may_enter, network, stricter
from reference_impl.web.addresses import client_address
from tests.rows import each_row

PROXY = "10.0.0.1"
CALLER = "203.0.113.9"
FORGED = "198.51.100.7"


@each_row(
    ("forwarded", "hops", "found"),
    [
        ([], 0, PROXY),
        ([FORGED], 0, PROXY),
        ([CALLER], 1, CALLER),
        ([f"{FORGED}, {CALLER}"], 1, CALLER),
        ([FORGED, CALLER], 1, CALLER),
        ([f"{FORGED},{CALLER} , 10.0.0.2"], 2, CALLER),
        ([f"{FORGED}, {FORGED}, {CALLER}", "10.0.0.2"], 2, CALLER),
        ([], 1, None),
        ([""], 1, None),
        ([CALLER], 2, None),
        ([f"{FORGED}, nonsense"], 1, None),
        ([f"{FORGED},"], 1, None),
    ],
)
def test_only_our_own_proxies_are_believed(forwarded: list[str], hops: int, found: str | None) -> None:
    """What stands left of what they wrote is the caller's invention; with no proxy the header means nothing."""
    assert client_address(PROXY, forwarded, trusted_hops=hops) == found


@each_row(
    ("written", "read"),
    [
        ("::ffff:203.0.113.9", CALLER),
        ("::FFFF:CB00:7109", CALLER),
        ("203.0.113.9:51234", CALLER),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("2001:0db8:0000::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ('"203.0.113.9"', CALLER),
        (" 203.0.113.9 ", CALLER),
        ("0203.0.113.9", None),
        ("203.0.113", None),
        ("unknown", None),
        ("203.0.113.9 198.51.100.7", None),
        (None, None),
    ],
)
def test_an_address_has_one_spelling(written: str | None, read: str | None) -> None:
    """IPv4 in IPv6's clothes is IPv4, or a list of IPv4 ranges would not know it."""
    assert client_address(written, [], trusted_hops=0) == read


@each_row(
    ("address", "allowed", "enters"),
    [
        (CALLER, [], True),
        (None, [], True),
        (None, ["0.0.0.0/0", "::/0"], False),
        (CALLER, ["203.0.113.9/32"], True),
        (CALLER, ["203.0.113.8/31"], True),
        (CALLER, ["203.0.113.8/32", "10.0.0.0/8"], False),
        (CALLER, ["::/0"], False),
        ("2001:db8::9", ["2001:db8::/64"], True),
        ("2001:db8:0:1::9", ["2001:db8::/64"], False),
    ],
)
def test_a_list_lets_in_what_is_in_it(address: str | None, allowed: list[str], enters: bool) -> None:
    """An empty one is open; who has no address is in no list."""
    assert may_enter(address, allowed) is enters


@each_row(
    ("written", "kept"),
    [
        ("203.0.113.9", "203.0.113.9/32"),
        (" 10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
    ],
)
def test_a_range_has_one_spelling(written: str, kept: str) -> None:
    """As an address has."""
    assert network(written) == kept


@each_row("written", ["10.0.0.1/8", "10.0.0.0/33", "example.com", "", "10.0.0.0-10.0.0.9"])
def test_what_is_no_range_is_said(written: str) -> None:
    """Before it is stored, not when a webhook comes."""
    with pytest.raises(ValueError, match=r"."):
        network(written)


def test_the_stricter_flag_counts() -> None:
    """Neither a gateway nor a tenant undoes the other's caution."""
    assert [stricter(one, other) for one in ("on", "hold", "off") for other in ("on", "hold", "off")] == [
        "on", "hold", "off", "hold", "hold", "off", "off", "off", "off",
    ]  # fmt: skip
