"""Personal data is found in every disguise that careless programs give it."""

import json
from urllib.parse import quote

import pytest

from harness.checks.privacy import Canary, Hunt, leaks

EMAIL = Canary(kind="email", text="Conceição.q7f3k2x9@compras.example")
PHONE = Canary(kind="phone", text="+5511987654321")
NAME = Canary(kind="name", text="Antônia Guimarães")
CPF = Canary(kind="document", text="529.982.247-25")


@pytest.mark.parametrize(
    ("canary", "text"),
    [
        (EMAIL, "sent to Conceição.q7f3k2x9@compras.example today"),
        (EMAIL, "conceição.q7f3k2x9@compras.example"),
        (EMAIL, json.dumps({"email": EMAIL.text})),
        (EMAIL, json.dumps({"email": EMAIL.text.lower()})),
        (EMAIL, "GET /?email=" + quote(EMAIL.text)),
        (PHONE, "phone=5511987654321"),
        (PHONE, "(11987654321)"),
        (NAME, "Olá, Antônia Guimarães!"),
        (NAME, "Antônia Guimarães"),
        (CPF, "cpf 52998224725"),
    ],
)
def test_a_disguised_canary_is_found(canary: Canary, text: str) -> None:
    """Lower case, JSON escapes, URL encoding, stripped punctuation, decomposed accents."""
    assert leaks(Hunt([canary]), {"log": [text]}) == (f"log: a plain {canary.kind}",)


def test_a_hash_is_no_leak() -> None:
    """What must be stored is not mistaken for what must not."""
    assert (
        leaks(Hunt([EMAIL, PHONE]), {"table": ["62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"]})
        == ()
    )


def test_the_report_of_a_leak_does_not_leak() -> None:
    """The finding names the place and the kind, never the text."""
    assert "q7f3k2x9" not in leaks(Hunt([EMAIL]), {"table users": [EMAIL.text]})[0]


def test_no_canaries_find_nothing() -> None:
    """An empty hunt is no match-everything."""
    assert leaks(Hunt([]), {"log": ["anything"]}) == ()
