"""Each vendor's own habits, as facts/gateways.md has them, and the switches for what is uncertain there."""

from __future__ import annotations

import base64
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from simulators.gateways import UnknownName, Webhook, webhook
from simulators.gateways.hotmart import Gateway as Hotmart
from simulators.gateways.kiwify import Gateway as Kiwify
from simulators.gateways.perfectpay import Gateway as PerfectPay
from simulators.gateways.stripe import Gateway as Stripe
from simulators.people import Order, order
from tests.rows import each_row

NOW_S = 1_772_366_400  # 2026-03-01T12:00:00Z
URL = "http://127.0.0.1:8080/hook"
SECRET = "a-secret-of-ours-0123456789abcdef"


def sale(**changes: Any) -> Order:
    return order("7/facts", now_s=NOW_S, **{"paid_at_s": NOW_S - 30, "created_at_s": NOW_S - 3_630} | changes)


def told(fake: Any, event: str, one: Order | None = None, *, url: str = URL) -> Webhook:
    return webhook(fake, one or sale(), event, dialect="vendor", secret=SECRET, url=url, now_s=NOW_S)


def body_of(fake: Any, event: str, one: Order | None = None) -> Any:
    return json.loads(told(fake, event, one).body, parse_float=Decimal)


def test_hotmart_sends_its_token_in_the_header_and_not_in_the_body() -> None:
    """X-HOTMART-HOTTOK is the secret; the body has it only when the switch says so."""
    sent = told(Hotmart(), "approved")
    assert sent.headers["X-HOTMART-HOTTOK"] == SECRET
    assert SECRET.encode() not in sent.body
    assert body_of(Hotmart(hottok_in_body=True), "approved")["hottok"] == SECRET


def test_hotmart_spells_statuses_both_ways() -> None:
    """Captured: COMPLETED, CANCELED, BILLET_PRINTED. Documented: COMPLETE, CANCELLED, PRINTED_BILLET."""

    def spelled(spelling: Any) -> list[str]:
        fake = Hotmart(status_spelling=spelling)
        return [body_of(fake, event)["data"]["purchase"]["status"] for event in ("complete", "refused", "pending")]

    assert spelled("captured") == ["COMPLETED", "CANCELED", "BILLET_PRINTED"]
    assert spelled("documented") == ["COMPLETE", "CANCELLED", "PRINTED_BILLET"]


def test_hotmart_counts_in_milliseconds_and_major_units() -> None:
    """approved_date is ms since 1970; 97.00 is the number 97 and 99.90 the number 99.9."""
    purchase = body_of(Hotmart(), "approved", sale(amount=Decimal("97.00")))["data"]["purchase"]
    assert purchase["approved_date"] == (NOW_S - 30) * 1000
    assert b'"price":{"value":97,"currency_value":"BRL"}' in told(Hotmart(), "approved", sale(amount=Decimal(97))).body
    assert b'"price":{"value":99.9,' in told(Hotmart(), "approved", sale(amount=Decimal("99.90"))).body
    assert "approved_date" not in body_of(Hotmart(), "pending")["data"]["purchase"]


def test_hotmart_complete_repeats_the_transaction_of_approved() -> None:
    """The same sale again weeks later: same transaction, same approved_date, another delivery id and event."""
    first, second = body_of(Hotmart(), "approved"), body_of(Hotmart(), "complete")
    for field in ("transaction", "approved_date"):
        assert first["data"]["purchase"][field] == second["data"]["purchase"][field]
    assert (first["id"], first["event"]) != (second["id"], second["event"])


def test_hotmart_instalments_raise_the_full_price_only() -> None:
    """With interest the buyer pays more than `price`, which stays what the seller sold for."""
    prices = []
    for number in range(40):
        one = order(f"7/instalments/{number}", now_s=NOW_S)
        purchase = body_of(Hotmart(), "approved", one)["data"]["purchase"]
        assert Decimal(purchase["price"]["value"]) == one.amount
        dearer = Decimal(purchase["full_price"]["value"]) > one.amount
        assert dearer == (purchase["payment"]["installments_number"] > 1)
        prices.append(dearer)
    assert {True, False} == set(prices)


def test_hotmart_fills_sck_itself_and_can_lose_origin() -> None:
    """Without an fbclid `sck` is Hotmart's own label; a reversal may come without origin."""
    assert body_of(Hotmart(), "approved")["data"]["purchase"]["origin"] == {"sck": "HOTMART_CHECKOUT"}
    clicked = sale(tracking={"click_id": "c1", "fbclid": "IwAR"})
    assert body_of(Hotmart(), "approved", clicked)["data"]["purchase"]["origin"] == {"sck": "IwAR", "xcod": "c1"}
    assert "origin" not in body_of(Hotmart(reversals_keep_origin=False), "refunded", clicked)["data"]["purchase"]
    assert "origin" not in body_of(Hotmart(own_sck=""), "approved")["data"]["purchase"]


@each_row(
    ("phone_code", "phone", "fields"),
    [
        ("country", "+5511987654321", {"checkout_phone_code": "55", "checkout_phone": "11987654321"}),
        ("area", "+5511987654321", {"checkout_phone_code": "11", "checkout_phone": "987654321"}),
        ("absent", "+5511987654321", {}),
        ("country", None, {}),
        ("country", "+351912345678", {"checkout_phone": "351912345678"}),
    ],
)
def test_hotmart_phones(phone_code: Any, phone: str | None, fields: dict[str, str]) -> None:
    """Split after the country or the area code, or not there at all, as real sales were seen."""
    buyer = body_of(Hotmart(phone_code=phone_code), "approved", sale(buyer={"phone_e164": phone}))["data"]["buyer"]
    assert {key: value for key, value in buyer.items() if "phone" in key} == fields


@each_row(("url", "joint"), [(URL, "?"), (URL + "?tenant=t-1", "&"), (URL + "?a=1&b=2", "&")])
def test_kiwify_appends_its_signature_to_the_query(url: str, joint: str) -> None:
    """HMAC-SHA1 over the bytes sent, 40 lower-case hex digits, joined by & when there is a query already."""
    sent = told(Kiwify(), "approved", url=url)
    assert sent.url == f"{url}{joint}signature={hmac.digest(SECRET.encode(), sent.body, 'sha1').hex()}"
    assert SECRET not in str(sent.headers)


def test_kiwify_prints_json_as_javascript_does() -> None:
    """No spaces, no escaped slashes, accents as UTF-8: JSON.stringify would print these bytes."""
    sent = told(Kiwify(), "approved", sale(product_name="Pão / Açúcar"))
    assert sent.body == json.dumps(json.loads(sent.body), ensure_ascii=False, separators=(",", ":")).encode()
    assert "Pão / Açúcar".encode() in sent.body


def test_kiwify_dates_are_naive_minutes_in_brasilia_unless_switched() -> None:
    """11:59:30Z is 08:59 there, and 11:59 with the switch at UTC; never a minute that has not begun."""
    assert body_of(Kiwify(), "approved")["approved_date"] == "2026-03-01 08:59"
    assert body_of(Kiwify(utc_offset_s=0), "approved")["approved_date"] == "2026-03-01 11:59"
    assert body_of(Kiwify(), "pending")["approved_date"] is None


def test_kiwify_wraps_when_switched_and_signs_the_order_alone() -> None:
    """{url, signature, order}; both signatures are the HMAC of the compact order, not of the body."""
    sent = told(Kiwify(wrapped=True), "approved")
    body = json.loads(sent.body)
    mac = hmac.digest(SECRET.encode(), told(Kiwify(), "approved").body, "sha1").hex()
    assert list(body) == ["url", "signature", "order"]
    assert body["signature"] == mac
    assert parse_qs(urlsplit(sent.url).query)["signature"] == [mac]


def test_kiwify_cuts_tracking_and_its_cart_is_another_object() -> None:
    """Values end at 50 characters [?]; an abandoned cart has neither order_id nor webhook_event_type."""
    clicked = sale(tracking={"click_id": "c1", "fbclid": "I" * 80})
    assert body_of(Kiwify(), "approved", clicked)["TrackingParameters"]["s2"] == "I" * 50
    assert body_of(Kiwify(tracking_limit=None), "approved", clicked)["TrackingParameters"]["s2"] == "I" * 80
    cart = body_of(Kiwify(), "abandoned", clicked)
    assert cart["status"] == "abandoned"
    assert not {"order_id", "webhook_event_type"} & set(cart)


def test_kiwify_refuses_to_round_money() -> None:
    """Half a cent cannot be told in cents: an error, not another amount."""
    with pytest.raises(ValueError, match=r"0\.005 has more than 2 decimals"):
        told(Kiwify(), "approved", sale(amount=Decimal("0.005")))


def test_perfectpay_body_names_its_token_its_address_and_its_time() -> None:
    """The token first, the destination as url_send_webhook_pay, naive seconds of Brasília."""
    body = body_of(PerfectPay(), "approved")
    assert (body["token"], body["url_send_webhook_pay"]) == (SECRET, URL)
    assert body["date_approved"] == "2026-03-01 08:59:30"
    assert body_of(PerfectPay(utc_offset_s=0), "approved")["date_approved"] == "2026-03-01 11:59:30"


def test_perfectpay_normalises_statuses_when_switched() -> None:
    """Raw: 10, 16, 11, 17 arrive. Normalised: as 2, 2, 6, 9, and events() says that an in-review sale looks paid."""

    def statuses(fake: PerfectPay) -> list[int]:
        names = ("completed", "in_review", "checkout_error", "pre_chargeback")
        return [body_of(fake, event)["sale_status_enum"] for event in names]

    assert statuses(PerfectPay()) == [10, 16, 11, 17]
    assert statuses(PerfectPay(normalised=True)) == [2, 2, 6, 9]
    assert PerfectPay().events("vendor")["in_review"].outcome == "ignored"
    assert PerfectPay(normalised=True).events("vendor")["in_review"].outcome == "purchase"
    assert body_of(PerfectPay(normalised=True), "in_review")["date_approved"] is not None


def test_perfectpay_switches_change_the_writing_only() -> None:
    """The amount as a string, or the body as PHP escapes it: the same values."""
    assert body_of(PerfectPay(amount_as_text=True), "approved", sale(amount=Decimal("39.90")))["sale_amount"] == "39.90"
    escaped = told(PerfectPay(php_escapes=True), "approved")
    assert escaped.body.isascii()
    assert b"http:\\/\\/" in escaped.body
    assert json.loads(escaped.body) == json.loads(told(PerfectPay(), "approved").body)


@each_row(
    ("body", "signed"),
    [
        (b'{"code":"x"}', b'{"token":"%s","code":"x"}'),
        (b" {  }", b' {"token":"%s"  }'),
        (b'{"a": {"token": "inner"}}', b'{"token":"%s","a": {"token": "inner"}}'),
        (b'{"token":"own","code":"x"}', b'{"token":"own","code":"x"}'),
        (b'{"token":"own","code":', b'{"token":"own","code":'),
        (b'{"code":', b'{"token":"%s","code":'),
        (b"[1]", b"[1]"),
        (b"not json", b"not json"),
    ],
)
def test_perfectpay_puts_its_token_into_a_body_of_ones_own(body: bytes, signed: bytes) -> None:
    """As text, only where an object has none at its root; every other byte stays as it was."""
    sent = PerfectPay().sign(body, dialect="vendor", secret=SECRET, url=URL, now_s=NOW_S)
    assert sent.body == (signed % SECRET.encode() if b"%s" in signed else signed)


def test_perfectpay_has_no_number_for_yen() -> None:
    """A currency without a documented number is refused by name."""
    with pytest.raises(UnknownName, match=r"'JPY'.*Known: BRL, EUR, USD"):
        told(PerfectPay(), "approved", sale(currency="JPY"))


@each_row(
    ("currency", "amount", "minor"),
    [
        ("BRL", "10.00", 1000),
        ("JPY", "500", 500),
        ("ISK", "5", 500),
        ("UGX", "5", 500),
        ("KWD", "1.230", 1230),
        ("BRL", "0", 0),
    ],
)
def test_stripe_counts_minor_units_by_its_own_list(currency: str, amount: str, minor: int) -> None:
    """docs.stripe.com/currencies: yen have none, ISK and UGX are written with two, dinars with three."""
    intent = body_of(Stripe(), "approved", sale(currency=currency, amount=Decimal(amount)))["data"]["object"]
    assert (intent["amount"], intent["amount_received"], intent["currency"]) == (minor, minor, currency.lower())


@each_row(("currency", "amount"), [("JPY", "1.50"), ("KWD", "1.234"), ("BRL", "0.001")])
def test_stripe_refuses_amounts_that_it_cannot_write(currency: str, amount: str) -> None:
    """No yen has decimals and no dinar a third one at Stripe: an error, not a rounded amount."""
    with pytest.raises(ValueError, match="decimals"):
        told(Stripe(), "approved", sale(currency=currency, amount=Decimal(amount)))


def test_stripe_prints_pretty_and_signs_with_the_whole_secret() -> None:
    """Two spaces of indentation; the key is the text with whsec_, not what base64 would make of it."""
    secret = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret....").decode()
    sent = Stripe().sign(b"{}", dialect="vendor", secret=secret, url=URL, now_s=NOW_S)
    mac = hmac.digest(secret.encode(), f"{NOW_S}.{{}}".encode(), "sha256").hex()
    assert sent.headers["Stripe-Signature"] == f"t={NOW_S},v1={mac}"
    assert told(Stripe(), "approved").body.startswith(b'{\n  "id": "evt_')


def test_stripe_rolls_secrets_and_marks_test_events() -> None:
    """While a secret is rolled both sign; a test-mode event has a v0 as well and says livemode false."""
    rolling = told(Stripe(old_secret="whsec_old"), "approved").headers["Stripe-Signature"]
    assert [item.partition("=")[0] for item in rolling.split(",")] == ["t", "v1", "v1"]
    test_mode = told(Stripe(livemode=False), "approved")
    names = [item.partition("=")[0] for item in test_mode.headers["Stripe-Signature"].split(",")]
    assert names == ["t", "v1", "v0"]
    assert json.loads(test_mode.body)["livemode"] is False


def test_stripe_metadata_keeps_stripes_limits() -> None:
    """Keys of at most 40 characters, values of at most 500, all of them strings."""
    intent = body_of(Stripe(), "approved", sale(tracking={"k" * 50: "v" * 600}))["data"]["object"]
    assert intent["metadata"] == {"k" * 40: "v" * 500}


@each_row("fake", [Hotmart(), Kiwify(), PerfectPay()])
def test_a_buyer_without_a_phone_can_be_told(fake: Any) -> None:
    """Where the checkout asked for no phone no phone is made up, in either dialect."""
    quiet = sale(buyer={"phone_e164": None})
    assert b"+55" not in told(fake, "approved", quiet).body
    plan = webhook(fake, quiet, "approved", dialect="plan", secret=SECRET, url=URL, now_s=NOW_S)
    assert b'"phone":null' in plan.body


@each_row(
    ("event", "is_over"),
    [
        ("chargeback", False),
        ("dispute_funds_withdrawn", False),
        ("dispute_won", True),
        ("dispute_lost", True),
        ("dispute_funds_reinstated", True),
    ],
)
def test_stripe_asks_for_evidence_only_while_a_dispute_is_open(event: str, is_over: bool) -> None:
    """A mutation tool found that no test looked at it: a seller has seven days, and none when it is over."""
    due_by = body_of(Stripe(), event)["data"]["object"]["evidence_details"]["due_by"]
    assert (due_by is None) == is_over
