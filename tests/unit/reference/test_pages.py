"""What a page's address may tell, and which fbc is whose."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.domain.fbc import fbc_for
from reference_impl.domain.pages import harmless_campaign, harmless_url
from tests.rows import each_row

HOST = "https://shop.example"


@each_row(
    ("url", "kept"),
    [
        (f"{HOST}/oferta?utm_source=fb&utm_content=120210000000000000", None),
        (f"{HOST}:8443/a/b/", None),
        ("http://[2001:db8::1]/x", None),
        (f"{HOST}/oferta?fbclid=IwAR0aB-c_1234567890123&x=1", f"{HOST}/oferta?fbclid=IwAR0aB-c_1234567890123"),
        (f"{HOST}/?email=ana@x.example&phone=5511987654321&nome=Ana", f"{HOST}/"),
        (f"{HOST}/?utm_content=ana%40x.example&utm_term=11%2098765-4321&utm_source=fb", f"{HOST}/?utm_source=fb"),
        (f"{HOST}/obrigado/ana%40x.example/fim", f"{HOST}/obrigado/"),
        (f"{HOST}/cliente/52998224725", f"{HOST}/cliente/"),
        (f"{HOST}/a#ana@x.example", f"{HOST}/a"),
        ("https://ana:secret@shop.example/a", f"{HOST}/a"),
    ],
)
def test_a_page_is_told_without_its_visitor(url: str, kept: str | None) -> None:
    """The campaign stays; whatever may be somebody goes."""
    assert harmless_url(url) == (kept or url)


@each_row(
    "url", [None, "", "shop.example/a", "javascript:alert(1)", "file:///etc/passwd", "https://", "http://[::1", "x:y@z",
            "https://shop.example:99999/", "https://ana@x.example@/"]
)  # fmt: skip
def test_what_is_no_web_page_is_none(url: str | None) -> None:
    """And no error either: browsers are asked for `location.href`, and anybody may send anything."""
    assert harmless_url(url) is None


@given(st.text(max_size=80))
def test_nothing_that_looks_like_an_address_of_a_person_gets_through(text: str) -> None:
    """Wherever in a URL it stands."""
    for url in (f"{HOST}/{text}@x.example?utm_term={text}@x#@", f"{HOST}/?utm_id={text}%40x.example"):
        assert "@" not in (harmless_url(url) or "").replace("%40", "@")


def test_a_campaign_loses_what_looks_like_a_person() -> None:
    """By value; an ad's long number is none."""
    told = {"utm_source": "fb", "utm_term": "(11) 98765-4321", "utm_content": "a@b.example", "utm_campaign": "1" * 17}
    assert harmless_campaign(told) == {"utm_source": "fb", "utm_campaign": "1" * 17}


@each_row(
    ("fbclid", "cookie", "fbc"),
    [
        ("aBc.d", None, "fb.1.5.aBc.d"),
        ("aBc", "fb.1.4.aBc", "fb.1.4.aBc"),
        ("aBc.d", "fb.2.4.aBc.d", "fb.2.4.aBc.d"),
        ("aBc", "fb.1.4.abc", "fb.1.5.aBc"),
        (None, "fb.1.4.older", "fb.1.4.older"),
        (None, None, None),
    ],
)
def test_the_pixels_cookie_is_told_if_it_is_of_this_click(
    fbclid: str | None, cookie: str | None, fbc: str | None
) -> None:
    """Letter for letter; one of an earlier click would credit that."""
    assert fbc_for(fbclid=fbclid, cookie=cookie, clicked_at_ms=5) == fbc
