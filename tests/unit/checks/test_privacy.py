"""Personal data is found in every disguise that careless programs give it."""

import base64
import hashlib
import html
import json
import random
import unicodedata
from collections.abc import Callable
from functools import cache
from urllib.parse import quote

from harness.checks.privacy import SECRETS, Canary, Hunt, Mask, hashes, leaks
from tests.rows import each_row

EMAIL = Canary(kind="email", text="Conceição.q7f3k2x9@compras.example")
PHONE = Canary(kind="phone", text="+5511987654321")
BARE_PHONE = Canary(kind="phone", text="11987654321")
NAME = Canary(kind="name", text="Antônia Guimarães")
CPF = Canary(kind="document", text="529.982.247-25")
BARE_CPF = Canary(kind="document", text="52998224725")
IPV4 = Canary(kind="ip_address", text="192.0.2.17")
IPV6 = Canary(kind="ip_address", text="2001:db8:1a:2b::3c")
ZIP = Canary(kind="zip", text="01310-123")
SECRET = Canary(kind="secret", text="whsec_9aB8cD7eF6gH5iJ4kL3mN2oP1qR0sT")

BODY = json.dumps({"id": 7, "email": EMAIL.text, "name": NAME.text}, ensure_ascii=False)

#: What a program does to a text before it writes it down.
DISGUISES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "URL": quote,
    "URL in a URL": lambda text: quote(quote(text)),
    "bytes": lambda text: str(text.encode()),
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
    "hex after half a byte": lambda text: "f" + text.encode().hex(),
    "bytea": lambda text: "\\x" + text.encode().hex(),
    "escaped bytea": lambda text: "".join(chr(one) if one < 128 else f"\\\\{one:03o}" for one in text.encode()),
    "hex of JSON": lambda text: json.dumps(text, ensure_ascii=False).encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, second alignment": lambda text: base64.b64encode(b"1" + text.encode()).decode(),
    "base64, third alignment": lambda text: base64.b64encode(b"12" + text.encode()).decode(),
    "base64 glued to a path": lambda text: "/v1/" + base64.urlsafe_b64encode(text.encode()).decode(),
    "URL-safe base64": lambda text: base64.urlsafe_b64encode(b"~" + text.upper().encode()).decode(),
}


def padding(count: int) -> list[Canary]:
    """So many other canaries that all are looked for at once."""
    draw = random.Random(7)
    return [
        Canary(kind="padding", text=f"Conceição.{draw.randrange(10**9):x}@compras.example.net") for _ in range(count)
    ]


FEW, MANY = (), tuple(padding(3_000))


@cache
def hunt_of(*canaries: Canary) -> Hunt:
    """A hunt for these: one among thousands takes a tenth of a second to make, and looking changes nothing in it."""
    return Hunt(canaries)


@each_row("others", [FEW, MANY], ids=["few", "many"])
@each_row("disguise", DISGUISES)
@each_row("canary", [EMAIL, NAME, SECRET])
def test_a_disguised_canary_is_found(canary: Canary, disguise: str, others: tuple[Canary, ...]) -> None:
    """Other case, escapes, encodings; alone or among thousands."""
    text = f"2026-11-24T10:00:00Z sent {DISGUISES[disguise](canary.text)} today"
    assert leaks(hunt_of(canary, *others), {"log": [text]}) == (f"log: a plain {canary.kind}",)


@each_row("disguise", ["hex", "base64", "base64, second alignment", "bytea", "URL", "JSON in JSON"])
def test_a_whole_body_is_found_in_disguise(disguise: str) -> None:
    """The raw webhook, kept: both of what it tells."""
    assert Hunt([EMAIL, NAME]).kinds_in(DISGUISES[disguise](BODY)) == {"email", "name"}


@each_row(
    "text",
    [
        "phone=5511987654321",
        "(11987654321)",
        "(11) 98765-4321",
        "11 9 8765 4321",
        "+55 (11) 98765-4321",
        "+55-11-98765.4321",
        "011 98765-4321",
        "tel:+5511987654321;x=1",
        "2026-11-24 (11) 98765-4321 10",
        b"id (11) 98765-4321".hex(),
        base64.b64encode(b'{"phone": "+5511987654321"}').decode(),
    ],
)
@each_row("canary", [PHONE, BARE_PHONE], ids=["international", "national"])
def test_a_phone_is_found_however_it_is_written(canary: Canary, text: str) -> None:
    """With and without country code, brackets, blanks, dashes."""
    assert Hunt([canary]).kinds_in(text) == {"phone"}


@each_row("text", ["cpf 52998224725", "529.982.247-25", "529 982 247 25", "529982247-25"])
@each_row("canary", [CPF, BARE_CPF], ids=["with dots", "bare"])
def test_a_document_is_found_however_it_is_written(canary: Canary, text: str) -> None:
    """With and without dots."""
    assert Hunt([canary]).kinds_in(text) == {"document"}


@each_row("text", ["id 152998224725", "529982247251", "52998-22472\n5", "529.982.247:25"])
def test_part_of_a_longer_number_is_no_document(text: str) -> None:
    """Ids and times are full of digits; a hit must not be chance."""
    assert Hunt([CPF]).kinds_in(text) == set()


def test_an_address_is_found_whole_only() -> None:
    """192.0.2.17 is not 192.0.2.170, and an IPv6 address has two spellings."""
    hunt = Hunt([IPV4, IPV6, ZIP])
    assert hunt.kinds_in("192.0.2.170 2001:db8:1a:2b::3cf 01310-1234") == set()
    assert hunt.kinds_in("from 192.0.2.17:80") == {"ip_address"}
    assert hunt.kinds_in("2001:0DB8:001a:002b:0000:0000:0000:003c") == {"ip_address"}
    assert hunt.kinds_in("CEP 01310-123.") == {"zip"}


def test_what_may_be_kept_may_not_be_logged() -> None:
    """Address and hashes belong into the event and its table, and into no log."""
    hunt = Hunt([IPV4, *hashes([EMAIL, PHONE, BARE_PHONE])])
    texts = [IPV4.text, hashes([EMAIL])[0].text, hashes([PHONE])[0].text]
    assert leaks(hunt, {"table public.conversions": texts, "what Meta was told": texts}) == ()
    assert leaks(hunt, {"log target-web.log": texts}) == (
        "log target-web.log: a plain hash of a phone",
        "log target-web.log: a plain hash of an email",
        "log target-web.log: a plain ip_address",
    )


def test_a_secret_is_kept_only_where_the_target_says_so() -> None:
    """One table may be named; no log ever."""
    assert SECRET.kind in SECRETS
    places = {"table public.tenants": [SECRET.text], "table public.raws": [SECRET.text], "log web": [SECRET.text]}
    found = leaks(Hunt([SECRET]), places, may_hold_secrets=["public.tenants", "web"])
    assert found == ("table public.raws: a plain secret", "log web: a plain secret")


@each_row("text", ["", "phone", "12", "+55"])
def test_what_is_no_number_is_not_hunted(text: str) -> None:
    """Or every row with two groups of digits would be a leak of a phone that somebody left empty."""
    assert not Canary(kind="phone", text=text).stands_in("row 12, 0055 0 and 55, at 2026-11-25")


@each_row("others", [FEW, MANY], ids=["few", "many"])
def test_a_hash_is_no_leak(others: tuple[Canary, ...]) -> None:
    """What must be stored is not mistaken for what must not."""
    stored = ["62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f", hashes([EMAIL])[0].text]
    assert leaks(Hunt([EMAIL, PHONE, *others]), {"table": stored}) == ()


def test_the_report_of_a_leak_does_not_leak() -> None:
    """The finding names the place and the kind, never the text."""
    assert "q7f3k2x9" not in leaks(Hunt([EMAIL]), {"table users": [EMAIL.text]})[0]


@each_row("text", ["", "a", "anything", "%", "\\u12", "\\", "=" * 40, "A" * 13, "\udcff\ud800 %ff%00"])
def test_no_text_breaks_the_hunt_and_no_canaries_find_nothing(text: str) -> None:
    """An empty hunt is no match-everything, and a haystack may be anything."""
    assert leaks(Hunt([]), {"log": [text]}) == ()
    assert leaks(Hunt([EMAIL, PHONE]), {"log": [text]}) == ()
    assert leaks(hunt_of(EMAIL, *MANY), {"log": [text]}) == ()


@each_row(
    ("text", "found"),
    [
        ("1192.0.2.17", False),  # something longer before it
        ("192.0.2.170 and then 192.0.2.17", True),  # the first place is another's, the second is not
        ("192.0.2.17abc", True),  # a letter ends it
    ],
)
def test_every_place_of_an_address_is_looked_at_on_both_sides(text: str, *, found: bool) -> None:
    assert Canary(kind="ip_address", text="192.0.2.17").stands_in(text) is found


def test_a_sentence_of_ours_names_nobody() -> None:
    """Wherever the buyer stands in it; of a hash, right or wrong, six digits are left."""
    people = [Canary(kind="email", text="ana@canary.example"), Canary(kind="phone", text="+5511987654321")]
    wrong = hashlib.sha256(b"ANA@canary.example").hexdigest()
    said = f"em must be the hash of Ana@Canary.example; it was {wrong} (+5511987654321)"
    assert Mask(people).text(said) == f"em must be the hash of <email>; it was {wrong[:6]}… (<phone>)"
    assert Mask(people).text("it was answered with 500 {}") == "it was answered with 500 {}"


def test_a_disguised_buyer_takes_the_whole_sentence_with_it() -> None:
    people = [Canary(kind="phone", text="+5511987654321")]
    assert Mask(people).text("called at (11) 98765-4321") == "(withheld: it names a buyer's phone)"
