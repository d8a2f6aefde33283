"""Money is read exactly, or refused by name; nothing is rounded and no float is involved."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.domain.money import BadMoney, currency, from_minor, major
from tests.rows import each_row

ZERO_DECIMAL = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
THREE_DECIMAL = ["BHD", "JOD", "KWD", "OMR", "TND"]
TWO_DECIMAL = ["BRL", "USD", "EUR", "ISK", "UGX", "HUF", "TWD"]  # the last four are Stripe's special cases

amounts = st.decimals(min_value=0, max_value=Decimal(10) ** 12 - 1, places=2)


@each_row(
    ("written", "amount"),
    [
        (Decimal("99.90"), "99.90"),
        ("99.90", "99.90"),
        (" 1234.50 ", "1234.50"),
        ("0", "0"),
        (0, "0"),
        (97, "97"),
        (Decimal("-0.0"), "0.0"),
        (Decimal("1E+3"), "1E+3"),
        ("0.000001", "0.000001"),
        ("999999999999.999999", "999999999999.999999"),
    ],
)
def test_an_amount_keeps_every_digit(written: object, amount: str) -> None:
    """As it was written, a free order's 0 included, and without a sign."""
    assert str(major(written)) == amount


@each_row(
    "written",
    [
        *(None, True, False, 1.5, [], {}, b"1", ""),
        *("-1", "+1", "1,50", "1.234,50", "R$ 10", "1e3", "NaN", "Infinity", ".5", "5.", "1_000", "0x10"),
        *("\u0661\u0662", "1.0000000", "1" * 16, "1\n2"),
        *(-1, Decimal("-0.01"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("0.0000001")),
        *(10**12, 10**30, Decimal("1E+999999"), Decimal("1E-999999"), Decimal("1000000000000")),
    ],
)
def test_what_is_no_amount_is_refused(written: object) -> None:
    """As BadMoney and nothing else, which does not repeat what was written."""
    with pytest.raises(BadMoney) as refusal:
        major(written)
    assert repr(written) not in str(refusal.value)


@given(amounts)
def test_text_and_number_are_the_same_amount(amount: Decimal) -> None:
    """`99.90` and `"99.90"` are one sum."""
    assert major(amount) == major(format(amount, "f")) == amount


@given(st.integers(0, 10**11), st.sampled_from([*ZERO_DECIMAL, *THREE_DECIMAL, *TWO_DECIMAL]))
def test_minor_units_are_divided_by_stripes_own_list(minor: int, code: str) -> None:
    """500 yen are 500; 500 centavos 5.00; 5000 fils 5.000; krónur and shillings have two decimals at Stripe."""
    exponent = 0 if code in ZERO_DECIMAL else 3 if code in THREE_DECIMAL else 2
    found = from_minor(minor, code)
    assert found * 10**exponent == minor
    assert found.as_tuple().exponent == -exponent


@each_row("written", [None, True, "500", 5.0, Decimal(500), -1, 10**15, 10**30])
def test_minor_units_are_whole_and_not_negative(written: object) -> None:
    """An integer, or BadMoney."""
    with pytest.raises(BadMoney):
        from_minor(written, "BRL")


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.decimals(), st.binary()))
def test_any_value_is_an_amount_or_bad_money(value: object) -> None:
    """Never another error; what is accepted is finite, not negative and below the limit."""
    for read in (major, lambda one: from_minor(one, "BRL"), lambda one: from_minor(one, "JPY")):
        try:
            found = read(value)
        except BadMoney:
            continue
        assert found.is_finite()
        assert 0 <= found < 10**12


@each_row(("written", "code"), [("BRL", "BRL"), ("brl", "BRL"), (" eUr ", "EUR")])
def test_a_currency_is_three_letters(written: str, code: str) -> None:
    """In upper case."""
    assert currency(written) == code


@each_row("written", [None, 986, "", "R$", "BR", "BRLX", "986", "B L", "ÇÇÇ", "aß", ["BRL"]])
def test_what_is_no_currency_is_refused(written: object) -> None:
    """Numbers, symbols, and letters that only become three when they are written in capitals."""
    with pytest.raises(BadMoney):
        currency(written)
