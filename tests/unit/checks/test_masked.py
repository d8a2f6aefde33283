"""A mask that leaves too much is a leak; one that leaves nothing, or another's, is none."""

from harness.checks.privacy import Canary, Hunt, leaks
from tests.rows import each_row

HUNT = Hunt(
    [
        Canary(kind="email", text="Joana.q7f3k2x9@Mail.Example.com"),
        Canary(kind="phone", text="11987654321"),
        Canary(kind="document", text="52998224725"),
        Canary(kind="document", text="11222333000181"),
    ]
)


@each_row(
    "text",
    [
        "to jo***@mail.example.com now",
        "JO*****@MAIL.EXAMPLE.COM",
        "j****9@mail.example.com",
        "joana.q7f3•••@mail.example.com.",
        "joxxx@mail.example.com",
        "joana***x9@m***.com",
        '{"to": "jo\\u002a\\u002a\\u002a@mail.example.com"}',
        "jo%2A%2A%2A%40mail.example.com",
    ],
)
def test_a_masked_email_is_found(text: str) -> None:
    assert leaks(HUNT, {"log web": [text]}) == ("log web: a masked email",)


@each_row(
    "text",
    [
        "j***@mail.example.com",  # one letter is half the world
        "***@mail.example.com",
        "jo***@other.example.com",
        "ma***@mail.example.com",
        "jo***8@mail.example.com",
        "joana.q7f3k2x9***@mail.example.com",  # nothing of it is masked: somebody longer
        "jo*@mail.example.com",
        "SELECT count(*) FROM t WHERE a@b",
        "jo*** and mail.example.com",
    ],
)
def test_another_email_is_not_found(text: str) -> None:
    assert leaks(HUNT, {"log web": [text]}) == ()


@each_row(
    "text",
    [
        "(11) 9****-4321",
        "+55 11 *****-4321",
        "55119****4321",
        "*******4321",
        "119XXXX4321",
        "+55 (11) 9••••-4321",
        "phone=*********4321;",
    ],
)
def test_a_masked_phone_is_found(text: str) -> None:
    assert leaks(HUNT, {"log web": [text]}) == ("log web: a masked phone",)


@each_row(
    "text",
    [
        "****4321",  # a card on a receipt
        "**** **** **** 4321",
        "(11) 9****-4322",
        "(21) 9****-4321",
        "(11) 98765-43**",  # the last four are what is asked for
        "(11) 9***-4321",  # a digit short
        "**********",
        "2026-11-25 *** 4321",
    ],
)
def test_another_number_is_no_masked_phone(text: str) -> None:
    assert leaks(HUNT, {"log web": [text]}) == ()


@each_row("text", ["***.982.247-**", "529.982.***-**", "XXX.982.247-XX", "11.222.***/0001-81"])
def test_a_masked_document_is_found(text: str) -> None:
    assert leaks(HUNT, {"table t": [text]}) == ("table t: a masked document",)


@each_row("text", ["***.982.248-**", "***.***.*47-25", "529.***.***-**", "***.982.247-*", "0x529982"])
def test_another_number_is_no_masked_document(text: str) -> None:
    assert leaks(HUNT, {"table t": [text]}) == ()


@each_row("text", ["*" * 100_000, "a*" * 50_000, "1*" * 50_000, "*@" * 50_000, "x#x#X" * 20_000])
def test_many_masks_take_no_long_time(text: str) -> None:
    assert HUNT.kinds_in(text) == set()
