"""Personal data in Meta's spelling: the rules that can be told in a table, and what holds for any text."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from reference_impl.domain import normalise
from tests.rows import each_row

national = st.from_regex(r"[1-9][0-9]{9,10}", fullmatch=True)


@each_row(
    ("typed", "found"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  Ana.Lucia+Loja@Example.COM\n", "ana.lucia+loja@example.com"),
        ("JOÃO@EXAMPLE.COM", "joão@example.com"),
        *((junk, None) for junk in ("", "  ", None, "ana", "@example.com", "ana@", "ana lucia@example.com", "a@b\tc")),
    ],
)
def test_emails(typed: str | None, found: str | None) -> None:
    """Trimmed, lower case, otherwise as typed: Meta hashes dots and plus signs too."""
    assert normalise.email(typed) == found


@each_row(
    ("typed", "country", "found"),
    [
        # national: 10 (landline) or 11 digits (mobile) get 55
        ("(11) 98765-4321", "BR", "5511987654321"),
        ("11 3333-4444", "BR", "551133334444"),
        ("1133334444", None, "551133334444"),
        ("11987654321", "br", "5511987654321"),
        # the area code 55 exists: 10 or 11 digits are national even so
        ("55987654321", "BR", "5555987654321"),
        ("(55) 3333-4444", "BR", "555533334444"),
        # 12 or 13 digits that begin with 55 are international already
        ("5511987654321", "BR", "5511987654321"),
        ("551133334444", "BR", "551133334444"),
        ("+55 (11) 98765-4321", "BR", "5511987654321"),
        ("0055 11 98765-4321", "BR", "5511987654321"),
        # a trunk 0, with or without a carrier
        ("011987654321", "BR", "5511987654321"),
        ("0 15 11 98765-4321", "BR", "5511987654321"),
        ("0 21 11 3333-4444", "BR", "551133334444"),
        ("055987654321", "BR", "5555987654321"),
        # the ninth digit is never invented
        ("1187654321", "BR", "551187654321"),
        ("+55 11 8765-4321", "BR", "551187654321"),
        # foreigners are believed as they stand
        ("+1 (202) 555-0123", "BR", "12025550123"),
        ("+351 912 345 678", None, "351912345678"),
        ("12025550123", "US", "12025550123"),
        ("0044 20 7946 0958", "GB", "442079460958"),
        # other scripts' digits, and widths
        ("１１９８７６５４３２１", "BR", "5511987654321"),
        # nothing to go by
        *((junk, "BR", None) for junk in ("", None, "n/a", "123", "+", "000000000000", "1" * 16)),
    ],
)  # fmt: skip
def test_phones(typed: str | None, country: str | None, found: str | None) -> None:
    """Digits with the country's code; the Brazilian rules of decisions.md."""
    assert normalise.phone(typed, country=country) == found


@each_row(
    ("rule", "typed", "found"),
    [
        (normalise.name, "  D'Ávila  e   Souza-Lima ", "dávila e souzalima"),
        (normalise.name, "José", "josé"),
        (normalise.name, unicodedata.normalize("NFD", "José"), "josé"),
        (normalise.name, "Ana 2a", "ana a"),
        (normalise.name, "!?", None),
        (normalise.city, "São José dos Campos", "sãojosédoscampos"),
        (normalise.city, "St. Louis 2", "stlouis"),
        (normalise.state, " SP ", "sp"),
        (normalise.zip_code, "01310-100", "01310100"),
        (normalise.zip_code, "01.310-100", "01310100"),
        (normalise.zip_code, "SW1A 1AA", "sw1a1aa"),
        (normalise.zip_code, "não sei", None),
        (normalise.zip_code, "-", None),
        (normalise.country, " BR ", "br"),
        (normalise.country, "Brasil", None),
        (normalise.country, "76", None),
        *((rule, None, None) for rule in (normalise.name, normalise.city, normalise.zip_code, normalise.country)),
    ],
)
def test_the_rest(rule: object, typed: str | None, found: str | None) -> None:
    """Lower case; names keep their single spaces and accents, places have no spaces."""
    assert callable(rule)
    assert rule(typed) == found


@each_row(
    "rule",
    [
        normalise.email,
        normalise.name,
        normalise.city,
        normalise.state,
        normalise.zip_code,
        normalise.country,
        lambda text: normalise.phone(text, country="US"),
    ],
    ids=["email", "name", "city", "state", "zip_code", "country", "foreign phone"],
)
@given(text=st.one_of(st.text(), st.emails(), st.from_regex(r"\+?[0-9 ().-]{5,20}", fullmatch=True)))
@example(text="a.\u0301b")  # what punctuation kept apart would be composed at the second go
@example(text="İstanbul")
@example(text="ΣΑΣ")
def test_what_is_normalised_stays_as_it_is(rule: object, text: str) -> None:
    """Idempotent: a vendor that normalises before us leads to the same hash."""
    assert callable(rule)
    once = rule(text)
    assert once is None or (once and rule(once) == once)


@given(st.one_of(st.text(), st.from_regex(r"(\+|00|0)?[0-9 ().-]{5,20}", fullmatch=True)))
def test_a_phone_is_bare_digits_and_stable_once_it_is_international(text: str) -> None:
    """7 to 15 ASCII digits without a leading zero; with a plus before it, it is read as itself."""
    found = normalise.phone(text, country="BR")
    if found is not None:
        assert re.fullmatch(r"[1-9][0-9]{6,14}", found)
        assert normalise.phone(f"+{found}", country="BR") == found
        assert normalise.phone(f"00{found}", country="BR") == found


@given(national, st.sampled_from(["", "0", "015", "041", "55", "+55", "0055"]))
def test_however_a_brazilian_writes_it_it_is_one_number(digits: str, before: str) -> None:
    """Bare, with a trunk 0, with a carrier, with the country's code: one hash."""
    assert normalise.phone(before + digits, country="BR") == "55" + digits
