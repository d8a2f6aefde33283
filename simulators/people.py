"""Buyers and orders from a seed (Faker, pt_BR). The same key gives the same person, in every process.

Every e-mail, phone, name and document invented here is a rare canary: found anywhere in a target's tables or
logs, it can only have come from us.

Who is drawn is a person in Brazil; `company` and `foreigner` give the changes that make a company or somebody abroad
of them. Does not imitate: streets. E-mail hosts and IP addresses come from the ranges reserved for documentation
(RFC 2606, 5737, 3849), so that nothing here can belong to anybody.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

Method = Literal["card", "pix", "boleto"]
Partner = Literal["affiliate", "coproducer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys: a person, or a company by the name of whoever ordered for it."""

    full_name: str
    first_name: str
    last_name: str
    email: str
    """Mixed case on purpose: who hashes without normalising gets another hash."""
    phone_e164: str | None
    """+55, two digits of area code, nine digits; None where the checkout did not ask."""
    document: str
    """A CPF (11 digits) or a company's CNPJ (14), with right check digits; empty of a buyer from abroad."""
    ip_address: str
    user_agent: str
    city: str
    state: str
    zip_code: str
    country: str = "BR"

    @property
    def document_type(self) -> Literal["CPF", "CNPJ", ""]:
        """What the document is; empty where there is none."""
        return "CNPJ" if len(self.document) == 14 else "CPF" if self.document else ""

    @property
    def identity(self) -> str:
        """What stays the same in all purchases of one buyer."""
        return self.document or self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sale, before any vendor has put it into its own words."""

    key: str
    """What the order is a function of: `seed/scenario/number`. Vendors derive their ids from it."""
    buyer: Buyer
    product_id: str
    product_name: str
    amount: Decimal
    """Major units, exact."""
    currency: str
    created_at_s: int
    paid_at_s: int
    tracking: dict[str, str] = field(default_factory=dict)
    """What rode along the checkout link: click_id, fbclid, fbp, fbc, utm_source …; whatever is known."""
    parent_key: str | None = None
    """The `key` of the order that this one was added to (order bump, upsell) or follows on (a sale made anew)."""
    cycle: int | None = None
    """Which charge of a subscription this is, 1 being the first; None: none, unless the event is about one."""
    method: Method | None = None
    """How it is paid; None: as is usual for the event."""
    partners: tuple[Partner, ...] = ()
    """Who gets a share besides the producer and the platform."""

    @property
    def parents_key(self) -> str:
        """The key of the main order, invented where none was named."""
        return self.parent_key or f"{self.key}/main"


def order(key: str, *, now_s: int, buyer: Buyer | Mapping[str, Any] | None = None, **changes: Any) -> Order:
    """The order that belongs to `key`, created and paid within the 20 minutes before `now_s` (seconds, UTC).

    Of the same key come the same buyer, product and amount whatever `now_s` is, in every process, however many
    orders were made before. `changes` replaces fields of the Order (`amount=Decimal("10")`, `tracking={…}`), and
    `buyer` fields of its Buyer (`buyer={"phone_e164": None}`) or all of it.

    Raises:
        TypeError: a change names a field that does not exist.
    """
    draw = random.Random(int.from_bytes(hashlib.sha256(key.encode()).digest()))
    person = _buyer(draw)
    if isinstance(buyer, Buyer):
        person = buyer
    elif buyer:
        person = replace(person, **buyer)
    product_number, product_name = _product(draw)
    paid_at_s = now_s - draw.randrange(5, 300)
    drawn = Order(
        key=key,
        buyer=person,
        product_id=product_number,
        product_name=product_name,
        amount=Decimal(draw.randrange(990, 199_700)).scaleb(-2),
        currency="BRL",
        created_at_s=paid_at_s - draw.randrange(20, 900),
        paid_at_s=paid_at_s,
    )
    return replace(drawn, **changes) if changes else drawn


def company(key: str) -> dict[str, Any]:
    """The changes of a Buyer that make a company of them: `order(key, …, buyer=company(key))`."""
    draw = random.Random(int.from_bytes(hashlib.sha256(f"company/{key}".encode()).digest()))
    return {"document": _cnpj(draw)}


def foreigner(key: str) -> dict[str, Any]:
    """The changes of a Buyer that let them live abroad: country, phone, place; no document."""
    draw = random.Random(int.from_bytes(hashlib.sha256(f"foreigner/{key}".encode()).digest()))
    country, city, state, zip_code, code, digits = draw.choice(_ABROAD)
    phone = f"+{code}{draw.randrange(10 ** (digits - 1), 10**digits)}"
    place = {"country": country, "city": city, "state": state, "zip_code": zip_code}
    return {**place, "phone_e164": phone, "document": ""}


def canaries(buyer: Buyer) -> dict[str, str]:
    """What of a buyer must be found nowhere, under a name that may be printed: `email_token`, `surname` ….

    Each value is rare by itself, which a first name or a city would not be, and a postcode is only in its own
    punctuation. A hunter still has to look for other spellings: case, punctuation, NFC/NFD, backslash-u escapes. The
    IP address may be kept, because Meta asks for it, but has no business in a log.
    """
    digits = (buyer.phone_e164 or "").removeprefix("+55").removeprefix("+")
    found = {
        "email": buyer.email,
        "email_token": buyer.email.partition("@")[0].rpartition(".")[2],
        "surname": buyer.last_name.rpartition(" ")[2],
        "document": buyer.document,
        "phone": digits,
        "full_name": buyer.full_name,
        # Elsewhere a postcode is a short number like many others.
        "zip": f"{buyer.zip_code[:5]}-{buyer.zip_code[5:]}" if buyer.country == "BR" else "",
        "ip_address": buyer.ip_address,
    }
    return {name: value for name, value in found.items() if len(value) >= 6}


def _buyer(draw: random.Random) -> Buyer:
    first_names, last_names = _names()
    first = draw.choice(first_names)
    last = f"{draw.choice(last_names)} {_rare_surname(draw)}"
    city, state, zip_prefix, area_code = draw.choice(_CITIES)
    return Buyer(
        full_name=f"{first} {last}",
        first_name=first,
        last_name=last,
        email=_email(draw, first),
        phone_e164=f"+55{area_code}9{draw.randrange(10_000_000, 100_000_000)}",
        document=_cpf(draw),
        ip_address=_ip_address(draw),
        user_agent=_user_agent(draw),
        city=city,
        state=state,
        zip_code=f"{zip_prefix}{draw.randrange(1000):03}",
    )


def _rare_surname(draw: random.Random) -> str:
    """A surname that nobody bears, with an accent: four syllables, some 10**7 of them."""
    syllables = [draw.choice(_ONSETS) + draw.choice("aeiou") for _ in range(3)]
    return "".join(syllables).capitalize() + draw.choice(_ONSETS) + draw.choice("áéíóúãâô")


def _email(draw: random.Random, first_name: str) -> str:
    # A letter and a digit at fixed places: never a word, never a number.
    middle = "".join(draw.choices(_CONSONANTS + "23456789", k=5))
    token = f"{draw.choice(_CONSONANTS)}{draw.randrange(10)}{middle}{draw.randrange(10)}"
    plain = first_name.partition(" ")[0].translate(_WITHOUT_ACCENTS)
    return f"{plain}.{token}@{draw.choice(_EMAIL_HOSTS)}"


def _cpf(draw: random.Random) -> str:
    """Eleven digits, the last two computed from the first nine by the Receita Federal's modulo-11 rule."""
    digits = [draw.randrange(10) for _ in range(9)]
    if len(set(digits)) == 1:  # 000.000.000-00 and its like have right check digits and are refused all the same
        digits[8] = (digits[8] + 1) % 10
    for _ in range(2):
        rest = sum(weight * digit for weight, digit in enumerate(reversed(digits), start=2)) * 10 % 11
        digits.append(rest % 10)
    return "".join(map(str, digits))


def _cnpj(draw: random.Random) -> str:
    """Fourteen digits: eight of the company, 0001 for its seat, two computed by the modulo-11 rule for companies."""
    digits = [*(draw.randrange(10) for _ in range(8)), 0, 0, 0, 1]
    for _ in range(2):
        rest = sum((at % 8 + 2) * digit for at, digit in enumerate(reversed(digits))) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    return "".join(map(str, digits))


def _ip_address(draw: random.Random) -> str:
    if draw.random() < 0.5:
        return f"2001:db8:{draw.randrange(1, 0x10000):x}:{draw.randrange(1, 0x10000):x}::{draw.randrange(1, 0x10000):x}"
    return f"{draw.choice(('203.0.113', '198.51.100', '192.0.2'))}.{draw.randrange(1, 255)}"


def _user_agent(draw: random.Random) -> str:
    chrome = f"{draw.randrange(128, 144)}.0.0.0"
    ios = f"{draw.randrange(16, 19)}_{draw.randrange(7)}"
    return draw.choice(_USER_AGENTS).format(chrome=chrome, ios=ios, ios_dotted=ios.replace("_", "."))


def _product(draw: random.Random) -> tuple[str, str]:
    return f"prod-{draw.randrange(100_000, 10_000_000)}", draw.choice(_PRODUCTS)


@cache
def _names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """First names and last names, of Brazil."""
    # Imported when the first buyer is drawn: Faker looks through all its languages, and most processes draw none.
    from faker.providers.person.pt_BR import Provider  # noqa: PLC0415

    first = tuple(dict.fromkeys((*Provider.first_names_male, *Provider.first_names_female)))
    return first, tuple(Provider.last_names)


_ONSETS = ("b", "br", "c", "d", "f", "g", "j", "l", "m", "n", "nh", "p", "qu", "r", "s", "t", "v", "x", "z")
_CONSONANTS = "bcdfghjkmnpqrstvwxz"
_WITHOUT_ACCENTS = str.maketrans("áàâãéêíóôõúüçÁÀÂÃÉÊÍÓÔÕÚÇ", "aaaaeeiooouucAAAAEEIOOOUC")
_EMAIL_HOSTS = ("Correio.example.com", "Mail.Example.com", "caixa.example.org", "Example.net")

# City, state, five-digit postcode prefix, the area code that rings there (Anatel's national numbering plan). 55 is
# among them: a number of area 55 looks as if it had its country code already.
_CITIES = (
    ("São Paulo", "SP", "01310", "11"),
    ("Campinas", "SP", "13015", "19"),
    ("Ribeirão Preto", "SP", "14010", "16"),
    ("Rio de Janeiro", "RJ", "20040", "21"),
    ("Vitória", "ES", "29010", "27"),
    ("Belo Horizonte", "MG", "30130", "31"),
    ("Uberlândia", "MG", "38400", "34"),
    ("Curitiba", "PR", "80010", "41"),
    ("Maringá", "PR", "87013", "44"),
    ("Florianópolis", "SC", "88010", "48"),
    ("Porto Alegre", "RS", "90010", "51"),
    ("Santa Maria", "RS", "97010", "55"),
    ("Brasília", "DF", "70040", "61"),
    ("Goiânia", "GO", "74003", "62"),
    ("Cuiabá", "MT", "78005", "65"),
    ("Salvador", "BA", "40010", "71"),
    ("Recife", "PE", "50010", "81"),
    ("São Luís", "MA", "65010", "98"),
    ("Fortaleza", "CE", "60010", "85"),
    ("Belém", "PA", "66010", "91"),
    ("Manaus", "AM", "69005", "92"),
)

# Country, city, state, postcode, calling code, how many digits a mobile number has after it. The numbers may exist, as
# Brazil's may: neither has a range for documentation that a validator would take.
_ABROAD = (
    ("PT", "Lisboa", "Lisboa", "1000-001", "3519", 8),
    ("US", "Boston", "MA", "02108", "1617", 7),
    ("AR", "Córdoba", "Córdoba", "X5000", "549351", 7),
    ("JP", "Ōsaka", "Ōsaka", "530-0001", "8190", 8),
)

_USER_AGENTS = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome} Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome} Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {ios} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/{ios_dotted} Mobile/15E148 Safari/604.1",
)

_PRODUCTS = (
    "Violão do Zero ao Palco",
    "Método Pão Artesanal em Casa",
    "Inglês para Viagem: 30 Lições",
    "Planilha Finanças & Orçamento",
    'Curso "Fotografia de Celular"',
    "Comunidade Ioga às Manhãs",
    "Programação para Não Técnicos",
    "Confeitaria Lucrativa — Edição 2",
)
