"""Every event and status of each vendor, as facts/gateways.md lists them; what an order tells; the switches of both."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulators.gateways import gateway, known, webhook
from simulators.gateways.hotmart import Gateway as Hotmart
from simulators.gateways.kiwify import Gateway as Kiwify
from simulators.gateways.perfectpay import Gateway as PerfectPay
from simulators.gateways.stripe import Gateway as Stripe
from simulators.people import Order, company, foreigner, order
from tests.rows import each_row

NOW_S = 1_772_366_400  # 2026-03-01T12:00:00Z
CYCLE_S = 30 * 86_400
VENDORS = [Hotmart(), Kiwify(), PerfectPay(), Stripe()]


def sale(key: str = "7/events", **changes: Any) -> Order:
    fixed = {"paid_at_s": NOW_S - 30, "created_at_s": NOW_S - 3_630, "amount": Decimal("97.00")}
    return order(key, now_s=NOW_S, **fixed | changes)


def body_of(fake: Any, event: str, one: Order | None = None) -> Any:
    told = webhook(fake, one or sale(), event, dialect="vendor", secret="s", url="http://127.0.0.1/", now_s=NOW_S)
    return json.loads(told.body, parse_float=Decimal)


def words(text: str) -> set[str]:
    """Several, written as one text."""
    return set(text.split())


def two_cycles() -> tuple[Order, Order]:
    first = sale("7/cycle/1", cycle=1)
    later = {"paid_at_s": first.paid_at_s + CYCLE_S, "created_at_s": first.created_at_s + CYCLE_S}
    return first, sale("7/cycle/2", cycle=2, buyer=first.buyer, product_id=first.product_id, **later)


@each_row("fake", VENDORS)
def test_an_event_that_is_partial_is_a_reversal(fake: Any) -> None:
    """Only a reversal can be one of a part; one that is not certain says so, and each vendor has one that is whole."""
    events = fake.events("vendor").values()
    assert all(event.outcome == "reversal" for event in events if event.partial)
    assert any(event.outcome == "reversal" and not event.partial for event in events)


# Hotmart


def purchase_of(event: str, one: Order | None = None, **switches: Any) -> Any:
    return body_of(Hotmart(**switches), event, one)["data"]["purchase"]


def test_hotmart_tells_every_documented_status() -> None:
    """The seventeen of the documentation, in its spelling."""
    bodies = [body_of(Hotmart(status_spelling="documented"), event) for event in Hotmart().events("vendor")]
    told = {body["data"]["purchase"]["status"] for body in bodies if "purchase" in body["data"]}
    assert told == words(
        "APPROVED BLOCKED CANCELLED CHARGEBACK COMPLETE EXPIRED NO_FUNDS OVERDUE PARTIALLY_REFUNDED PRE_ORDER "
        "PRINTED_BILLET PROCESSING_TRANSACTION DISPUTE REFUNDED STARTED UNDER_ANALISYS WAITING_PAYMENT"
    )


def test_hotmart_tells_every_event_but_fulfilment() -> None:
    """ORDER_FULFILLMENT was never captured, and is said to be missing."""
    told = {event.vendor_name for event in Hotmart().events("vendor").values()}
    assert told == words(
        "PURCHASE_APPROVED PURCHASE_COMPLETE PURCHASE_BILLET_PRINTED PURCHASE_DELAYED PURCHASE_CANCELED "
        "PURCHASE_EXPIRED PURCHASE_PROTEST PURCHASE_REFUNDED PURCHASE_CHARGEBACK "
        "PURCHASE_OUT_OF_SHOPPING_CART SUBSCRIPTION_CANCELLATION SWITCH_PLAN UPDATE_SUBSCRIPTION_CHARGE_DATE "
        "CLUB_FIRST_ACCESS CLUB_MODULE_COMPLETED"
    )
    assert any("ORDER_FULFILLMENT" in sentence for sentence in Hotmart.does_not_imitate)


def test_hotmart_places_statuses_by_switch() -> None:
    """Which event carries them is not public: events() and the body follow the switch, and call it uncertain."""
    fake = Hotmart(unplaced_event="PURCHASE_WAITING", partial_refund_event="PURCHASE_PROTEST")
    for event, name in {"pending_pix": "PURCHASE_WAITING", "partly_refunded": "PURCHASE_PROTEST"}.items():
        assert fake.events("vendor")[event].vendor_name == body_of(fake, event)["event"] == name
        assert fake.events("vendor")[event].uncertain


def test_hotmart_bumps_name_the_real_parents_transaction() -> None:
    """parent_purchase_transaction is the main order's own; the bump has another."""
    main = sale("7/main")
    bump = purchase_of("order_bump", sale("7/bump", parent_key=main.key))
    parent = purchase_of("approved", main)["transaction"]
    assert bump["order_bump"] == {"is_order_bump": True, "parent_purchase_transaction": parent}
    assert bump["transaction"] != parent
    assert purchase_of("approved")["order_bump"] == {"is_order_bump": False}


def test_hotmart_counts_the_charges_of_a_subscription() -> None:
    """recurrence_number 1, 2; one subscriber; a transaction for each; subscription.status is a documented word."""
    first, second = (body_of(Hotmart(), "approved", one)["data"] for one in two_cycles())
    assert [data["purchase"]["recurrence_number"] for data in (first, second)] == [1, 2]
    assert first["subscription"]["subscriber"] == second["subscription"]["subscriber"]
    assert first["purchase"]["transaction"] != second["purchase"]["transaction"]
    known_words = words(
        "ACTIVE INACTIVE DELAYED OVERDUE STARTED EXPIRED CANCELLED_BY_CUSTOMER CANCELLED_BY_SELLER CANCELLED_BY_ADMIN"
    )
    for event in Hotmart().events("vendor"):
        data = body_of(Hotmart(), event, sale(cycle=2))["data"]
        if "purchase" in data:
            assert data["subscription"]["status"] in known_words


def test_hotmart_refunds_parts_under_the_same_transaction() -> None:
    """Twice PARTIALLY_REFUNDED, each its own delivery; no amount changes, for none was ever captured."""
    bodies = [body_of(Hotmart(), event) for event in ("partly_refunded", "partly_refunded_again", "refunded")]
    assert len({body["id"] for body in bodies}) == 3
    assert len({body["data"]["purchase"]["transaction"] for body in bodies}) == 1
    assert len({body["data"]["purchase"]["price"]["value"] for body in bodies}) == 1
    assert [body["data"]["purchase"]["status"] for body in bodies] == ["PARTIALLY_REFUNDED"] * 2 + ["REFUNDED"]


def test_hotmart_payments_follow_the_order() -> None:
    """CREDIT_CARD, BILLET, and the PIX that is in no documented list; a boleto's fields only by recollection."""
    kinds = {method: purchase_of("approved", sale(method=method))["payment"] for method in ("card", "pix", "boleto")}
    assert {method: payment["type"] for method, payment in kinds.items()} == {
        "card": "CREDIT_CARD", "pix": "PIX", "boleto": "BILLET",
    }  # fmt: skip
    assert {"pix_qrcode", "pix_code", "pix_expiration_date"} <= set(kinds["pix"])
    assert not [key for key in kinds["boleto"] if "billet" in key]
    recalled = purchase_of("pending", recollected_fields=True)["payment"]
    assert {"billet_url", "billet_barcode"} <= set(recalled)
    assert "refusal_reason" in purchase_of("refused", sale(method="card"), recollected_fields=True)["payment"]


def test_hotmart_shares_add_up() -> None:
    """MARKETPLACE, PRODUCER, AFFILIATE, COPRODUCER: together the price, to the cent; the affiliate is named."""
    data = body_of(Hotmart(), "approved", sale(partners=("affiliate", "coproducer"), amount=Decimal("97.01")))["data"]
    assert [one["source"] for one in data["commissions"]] == ["MARKETPLACE", "PRODUCER", "AFFILIATE", "COPRODUCER"]
    assert sum(Decimal(one["value"]) for one in data["commissions"]) == Decimal("97.01")
    assert data["product"]["has_co_production"] is True
    assert data["affiliates"][0]["affiliate_code"]
    assert body_of(Hotmart(), "approved")["data"]["affiliates"] == [{"affiliate_code": "", "name": ""}]


def test_hotmart_switches_of_spelling_and_place() -> None:
    """xcode for xcod; an address of country alone; src and sck of the link where no click of ours took their place."""
    clicked = sale(tracking={"click_id": "c1", "src": "s"})
    assert purchase_of("approved", clicked, third_key="xcode")["origin"]["xcode"] == "c1"
    assert set(body_of(Hotmart(whole_address=False), "approved")["data"]["buyer"]["address"]) == {
        "country", "country_iso",
    }  # fmt: skip
    linked = sale(tracking={"src": "newsletter", "sck": "a|b|c", "xcod": "x-1", "utm_source": "meta"})
    assert purchase_of("approved", linked)["origin"] == {"src": "newsletter", "sck": "a|b|c", "xcod": "x-1"}


@each_row(
    ("buyer", "document_type", "country"),
    [({}, "CPF", "BR"), (company("7"), "CNPJ", "BR"), (foreigner("7"), "", foreigner("7")["country"])],
)
def test_hotmart_buyers(buyer: dict[str, Any], document_type: str, country: str) -> None:
    """People, companies, and whoever is from abroad and has neither document."""
    told = body_of(Hotmart(), "approved", sale(buyer=buyer))["data"]["buyer"]
    assert (told["document_type"], told["address"]["country_iso"]) == (document_type, country)
    assert len(told["document"]) == {"CPF": 11, "CNPJ": 14, "": 0}[document_type]


# Kiwify


def test_kiwify_tells_every_trigger() -> None:
    """webhook_event_type and order_status, pair by pair, and the cart that has neither."""
    bodies = [body_of(Kiwify(), event) for event in Kiwify().events("vendor")]
    told = {(body.get("webhook_event_type"), body.get("order_status")) for body in bodies}
    assert told == {
        ("billet_created", "waiting_payment"), ("pix_created", "waiting_payment"), (None, None),
        ("order_rejected", "refused"), ("order_approved", "paid"), ("order_refunded", "refunded"),
        ("chargeback", "chargedback"), ("subscription_canceled", "paid"),
        ("subscription_late", "waiting_payment"), ("subscription_renewed", "paid"),
    }  # fmt: skip


@each_row(
    ("renewal", "told"),
    [
        ("both", {"renewed", "renewed_approved"}),
        ("renewed", {"renewed"}),
        ("approved", {"renewed_approved"}),
        ("neither", set()),
    ],
)
def test_kiwify_tells_renewals_by_switch(renewal: Any, told: set[str]) -> None:
    """subscription_renewed, order_approved, both or neither; both name one order."""
    fake = Kiwify(renewal=renewal)
    assert {event for event in fake.events("vendor") if event.startswith("renewed")} == told
    assert len({body_of(fake, event)["order_id"] for event in told}) == bool(told)


def test_kiwify_subscriptions_stay_and_orders_change() -> None:
    """One subscription, begun once and charged monthly; an order id for each cycle."""
    first, second = (body_of(Kiwify(), "approved", one) for one in two_cycles())
    assert first["subscription_id"] == second["subscription_id"] == second["Subscription"]["id"]
    assert first["Subscription"]["start_date"] == second["Subscription"]["start_date"]
    assert first["Subscription"]["next_payment"] < second["Subscription"]["next_payment"]
    assert first["order_id"] != second["order_id"]
    assert "Subscription" not in body_of(Kiwify(), "approved")


def test_kiwify_bumps_are_orders_of_their_own_and_linked_by_switch() -> None:
    """The name of the link is not public: there is none, unless the switch names it."""
    main, bump = sale("7/main"), sale("7/bump", parent_key="7/main")
    assert body_of(Kiwify(), "order_bump", bump)["order_id"] != Kiwify().sale_id(main)
    assert Kiwify().sale_id(main) not in json.dumps(body_of(Kiwify(), "order_bump", bump), default=str)
    assert body_of(Kiwify(bump_link="parent_id"), "order_bump", bump)["parent_id"] == Kiwify().sale_id(main)


def test_kiwify_switches_change_keys_and_types() -> None:
    """CNPJ or CPF for a company; cents and merchant as texts; no s1 to s3 in older payloads."""
    firm = sale(buyer=company("7"))
    assert "CPF" not in body_of(Kiwify(), "approved", firm)["Customer"]
    assert len(body_of(Kiwify(), "approved", firm)["Customer"]["CNPJ"]) == 14
    assert len(body_of(Kiwify(company_field="CPF"), "approved", firm)["Customer"]["CPF"]) == 14
    assert body_of(Kiwify(), "approved", sale(buyer=foreigner("7")))["Customer"]["CPF"] is None
    assert body_of(Kiwify(amounts_as_text=True), "approved")["Commissions"]["charge_amount"] == "9700"
    assert isinstance(body_of(Kiwify(merchant_id_as_text=True), "approved")["payment_merchant_id"], str)
    old = body_of(Kiwify(knows_s_keys=False), "approved", sale(tracking={"click_id": "c1"}))["TrackingParameters"]
    assert set(old) == {"src", "sck", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"}


def test_kiwify_brings_all_of_its_parameters_back() -> None:
    """src, sck, utm_*, s1 to s3 under their names; null where the link had none."""
    names = ("src", "sck", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "s1", "s2", "s3")
    given = {name: f"{name}-value" for name in names}
    assert body_of(Kiwify(), "approved", sale(tracking=given))["TrackingParameters"] == given
    assert body_of(Kiwify(), "approved")["TrackingParameters"] == dict.fromkeys(names)


def test_kiwify_shares_add_up_and_payments_follow_the_order() -> None:
    """Cents of the stores and the fee are the charge; boleto and Pix have their fields, and no instalments."""
    commissions = body_of(Kiwify(), "approved", sale(partners=("affiliate", "coproducer")))["Commissions"]
    stores = commissions["commissioned_stores"]
    assert [store["type"] for store in stores] == ["producer", "affiliate", "coproducer"]
    assert sum(store["value"] for store in stores) + commissions["kiwify_fee"] == commissions["charge_amount"] == 9700
    for method, field in (("boleto", "boleto_barcode"), ("pix", "pix_code"), ("card", "card_last4digits")):
        paid = body_of(Kiwify(), "approved", sale(method=method))
        fields = {key for key in ("boleto_barcode", "pix_code", "card_last4digits") if paid[key]}
        assert (fields, paid["installments"]) == ({field}, 1 if method == "card" else None)


# PerfectPay

STATUSES = {
    0: "none", 1: "pending", 2: "approved", 3: "in_process", 4: "in_mediation", 5: "rejected", 6: "cancelled",
    7: "refunded", 8: "authorized", 9: "charged_back", 10: "completed", 11: "checkout_error", 12: "precheckout",
    13: "expired", 15: "cancelled_regenerated", 16: "in_review", 17: "pre_chargeback", 18: "pre_refunded", 19: "med",
    20: "pre_med",
}  # fmt: skip
NORMALISED = {8: 2, 10: 2, 16: 2, 11: 6, 17: 9, 18: 7, 19: 7, 20: 7}


def test_perfectpay_tells_every_status() -> None:
    """All numbers that are known (14 is not), each with its key; events() tells the number that is sent."""
    told = {}
    for name, event in PerfectPay().events("vendor").items():
        body = body_of(PerfectPay(), name)
        told[body["sale_status_enum"]] = body["sale_status_enum_key"]
        assert event.vendor_name == str(body["sale_status_enum"])
    assert told == STATUSES


def test_perfectpay_normalises_every_status() -> None:
    """The official description's own mapping; all others stay; and what then looks paid has a date of approval."""
    raw, mapped = PerfectPay().events("vendor"), PerfectPay(normalised=True).events("vendor")
    for name in raw:
        number = int(raw[name].vendor_name)
        assert int(mapped[name].vendor_name) == NORMALISED.get(number, number)
        if mapped[name].outcome == "purchase":
            assert body_of(PerfectPay(normalised=True), name)["date_approved"]
    assert raw["authorised"].outcome == "ignored"
    assert mapped["authorised"].outcome == "purchase"


@each_row(
    ("event", "changes", "method", "kind"),
    [
        ("approved", {}, (1, "visa"), (1, "credit_card")),
        ("approved", {"method": "pix"}, (0, "none"), (7, "pix")),
        ("approved", {"method": "boleto"}, (2, "bolbradesco"), (2, "ticket")),
        ("approved", {"amount": Decimal(0)}, (8, "free_price"), (5, "free_price")),
        ("upsell", {}, (1, "visa"), (6, "credit_card_upsell")),
        ("renewed", {}, (1, "visa"), (1, "credit_card")),
    ],
)
def test_perfectpay_payments(event: str, changes: dict[str, Any], method: Any, kind: Any) -> None:
    """Numbers and keys of the documented table; a renewal is told as credit_card, as captured, not as recurrent."""
    body = body_of(PerfectPay(), event, sale(**changes))
    assert (body["payment_method_enum"], body["payment_method_enum_key"]) == method
    assert (body["payment_type_enum"], body["payment_type_enum_key"]) == kind


def test_perfectpay_boletos_and_pix_have_their_page() -> None:
    """billet_url: empty for a card, the Pix page for a Pix; the digitable line has 47 digits and is a boleto's only."""
    boleto, pix, card = (body_of(PerfectPay(), "approved", sale(method=one)) for one in ("boleto", "pix", "card"))
    assert (len(boleto["billet_number"]), pix["billet_number"], card["billet_url"]) == (47, None, "")
    assert pix["billet_url"].startswith("https://pix.")
    assert body_of(PerfectPay(boleto_key="billet"), "pending_boleto")["payment_type_enum_key"] == "billet"


def test_perfectpay_formats_and_links() -> None:
    """regular, orderbump, upsell; a sale made anew names the old one's code, a bump names nothing."""
    fake = PerfectPay(bump_format=7, upsell_format=8)
    told = {event: body_of(fake, event, sale(parent_key="7/main")) for event in ("approved", "order_bump", "upsell")}
    assert {
        (body["payment_format_enum"], body["payment_format_enum_key"], body["original_code"]) for body in told.values()
    } == {(1, "regular", None), (7, "orderbump", None), (8, "upsell", None)}
    again = body_of(fake, "regenerated", sale(parent_key="7/main"))
    assert again["original_code"] == fake.sale_id(sale("7/main")) != again["code"]


def test_perfectpay_counts_the_charges_of_a_subscription() -> None:
    """One subscription code, charges 1 and 2, started and renewed; a code for each sale; midnight in Brasília."""
    first, second = (body_of(PerfectPay(), "approved", one) for one in two_cycles())
    assert first["subscription"]["code"] == second["subscription"]["code"]
    assert first["code"] != second["code"]
    told = [(one["subscription"]["charges_made"], one["subscription"]["status_event"]) for one in (first, second)]
    assert told == [(1, "subscription_started"), (2, "subscription_renewed")]
    assert first["subscription"]["next_charge_date"].endswith("T03:00:00.000000Z")


def test_perfectpay_metadata_has_what_it_documents() -> None:
    """Nine keys always, null where unknown; _fbp, _fbc and utm_perfect when known; any other only by switch."""
    nine = {"src", "sck", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "ttclid", "ref"}
    assert body_of(PerfectPay(), "approved")["metadata"] == dict.fromkeys(nine)
    clicked = sale(tracking={"fbp": "fb.1", "utm_perfect": "u", "gclid": "g", "ttclid": "t", "ref": "PPA1", "src": "x"})
    told = body_of(PerfectPay(), "approved", clicked)["metadata"]
    assert set(told) == nine | {"_fbp", "utm_perfect"}
    assert (told["ttclid"], told["ref"], told["src"], told["utm_perfect"]) == ("t", "PPA1", "x", "u")
    assert body_of(PerfectPay(copies_any_parameter=True), "approved", clicked)["metadata"]["gclid"] == "g"


def test_perfectpay_switches_change_keys_numbers_and_plus() -> None:
    """No twin of a number, at any depth; no plus; the numbers that nobody published."""
    assert "_enum_key" not in json.dumps(body_of(PerfectPay(enum_keys=False), "approved"), default=str)
    assert body_of(PerfectPay(), "approved")["customer"]["phone_formated_ddi"].startswith("+55")
    assert body_of(PerfectPay(ddi_plus=False), "approved")["customer"]["phone_formated_ddi"].startswith("55")
    firm = body_of(PerfectPay(company_type=(5, "juridica")), "approved", sale(buyer=company("7")))["customer"]
    assert (firm["customer_type_enum"], firm["customer_type_enum_key"]) == (5, "juridica")
    assert firm["identification_type"] == "CNPJ"
    shared = sale(partners=("affiliate", "coproducer"), amount=Decimal("97.01"))
    parts = body_of(PerfectPay(affiliate_type=8, coproducer_type=9), "approved", shared)["commission"]
    assert [part["affiliation_type_enum"] for part in parts] == [1, 8, 9, 0]
    assert sum(Decimal(part["commission_amount"]) for part in parts) == Decimal("97.01")


# Stripe


def object_of(event: str, one: Order | None = None, **switches: Any) -> Any:
    return body_of(Stripe(**switches), event, one)["data"]["object"]


def test_stripe_tells_every_related_type() -> None:
    """Each type that the facts name for purchases, and two of reviews and warnings."""
    told = {event.vendor_name for event in Stripe().events("vendor").values()}
    intents = "created processing requires_action amount_capturable_updated partially_funded payment_failed canceled"
    wanted = {f"payment_intent.{word}" for word in words(f"{intents} succeeded")}
    wanted |= {f"charge.{word}" for word in words("succeeded pending failed captured updated expired refunded")}
    wanted |= {"charge.refund.updated"} | {f"refund.{word}" for word in words("created updated failed")}
    disputes = "created updated closed funds_withdrawn funds_reinstated"
    wanted |= {f"charge.dispute.{word}" for word in words(disputes)}
    sessions = "completed expired async_payment_succeeded async_payment_failed"
    wanted |= {f"checkout.session.{word}" for word in words(sessions)}
    wanted |= {f"invoice.{word}" for word in words("created finalized paid payment_failed payment_succeeded voided")}
    subscriptions = "created updated deleted paused resumed trial_will_end"
    wanted |= {f"customer.subscription.{word}" for word in words(subscriptions)}
    wanted |= {"radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"}
    wanted |= {"review.opened", "review.closed"}
    assert told == wanted | {"v1.payment_intent.succeeded"}


def test_stripe_partial_refunds_add_up() -> None:
    """A Charge: amount_refunded is the sum so far, `refunded` true only of all; each refund has its own id."""
    told = [object_of(event) for event in ("charge_succeeded", "partly_refunded", "partly_refunded_again", "refunded")]
    assert [charge["amount_refunded"] for charge in told] == [0, 3233, 6466, 9700]
    assert [charge["refunded"] for charge in told] == [False, False, False, True]
    assert {charge["id"] for charge in told} == {told[0]["id"]}
    part, whole = object_of("partial_refund_created"), object_of("refund_created")
    assert (part["amount"], whole["amount"]) == (3233, 9700)
    assert part["id"] != whole["id"]


@each_row(
    ("currency", "amount", "refunded"),
    [("JPY", "500", 166), ("ISK", "500", 16_600), ("UGX", "5000", 166_600), ("KWD", "5.25", 1_750), ("BRL", "1", 33)],
)
def test_stripe_refunds_parts_that_the_currency_has(currency: str, amount: str, refunded: int) -> None:
    """No half yen, no aurar though they are written, no third decimal of a dinar."""
    one = sale(currency=currency, amount=Decimal(amount))
    assert object_of("partly_refunded", one)["amount_refunded"] == refunded


def test_stripe_cannot_refund_a_part_of_nearly_nothing() -> None:
    """Two cents have no three parts: an error, not a refund of nothing."""
    with pytest.raises(ValueError, match="too small to be paid back in parts"):
        object_of("partly_refunded", sale(amount=Decimal("0.02")))


@each_row("currency", ["ISK", "UGX"])
def test_stripe_writes_two_zeros_and_takes_nothing_else(currency: str) -> None:
    """500 stands for 5 ISK, and half a króna is refused."""
    assert object_of("approved", sale(currency=currency, amount=Decimal(5)))["amount"] == 500
    with pytest.raises(ValueError, match="decimals"):
        object_of("approved", sale(currency=currency, amount=Decimal("5.50")))


def test_stripe_disputes_have_a_course() -> None:
    """Opened, evidence handed in, lost or won; or an inquiry, which is no dispute yet. Money moves twice."""
    statuses = {
        "chargeback": "needs_response", "dispute_funds_withdrawn": "needs_response", "dispute_updated": "under_review",
        "dispute_lost": "lost", "dispute_won": "won", "dispute_funds_reinstated": "won",
        "inquiry": "warning_needs_response", "inquiry_closed": "warning_closed",
    }  # fmt: skip
    told = {event: object_of(event) for event in statuses}
    assert {event: dispute["status"] for event, dispute in told.items()} == statuses
    assert len({dispute["id"] for dispute in told.values()}) == 1
    moved = {event: [one["amount"] for one in dispute["balance_transactions"]] for event, dispute in told.items()}
    assert moved["dispute_funds_withdrawn"] == [-9700]
    assert moved["dispute_funds_reinstated"] == [-9700, 9700]
    outcomes = {name: event.outcome for name, event in Stripe().events("vendor").items() if name in statuses}
    assert {name for name, outcome in outcomes.items() if outcome == "reversal"} == {
        "chargeback", "dispute_funds_withdrawn", "dispute_lost",
    }  # fmt: skip
    assert {name for name, outcome in outcomes.items() if outcome == "reinstatement"} == {
        "dispute_won", "dispute_funds_reinstated",
    }  # fmt: skip


def test_stripe_says_what_was_before_only_of_what_was_updated() -> None:
    """previous_attributes: on every *.updated, on nothing else; each names what now is different."""
    for name, event in Stripe().events("vendor").items():
        data = body_of(Stripe(), name).get("data", {})
        assert ("previous_attributes" in data) == event.vendor_name.endswith(".updated")
        for key, before in data.get("previous_attributes", {}).items():
            assert data["object"][key] != before


def test_stripe_can_make_two_events_of_one_change() -> None:
    """Another evt_ id, and the same object to the last byte."""
    one, twin = body_of(Stripe(), "approved"), body_of(Stripe(), "approved_twin")
    assert one["id"] != twin["id"]
    assert (one["type"], one["data"]) == (twin["type"], twin["data"])


def test_stripe_cycles_have_an_intent_and_an_invoice_each() -> None:
    """One subscription and customer; pi_, ch_ and in_ for each cycle; the invoice says which cycle it is."""
    first, second = two_cycles()
    told = [{event: object_of(event, one) for event in ("approved", "invoice_paid")} for one in (first, second)]
    for event in ("approved", "invoice_paid"):
        assert told[0][event]["id"] != told[1][event]["id"]
        assert told[0][event]["customer"] == told[1][event]["customer"] is not None
    invoices = [one["invoice_paid"] for one in told]
    assert [one["billing_reason"] for one in invoices] == ["subscription_create", "subscription_cycle"]
    assert (
        invoices[0]["parent"]["subscription_details"]["subscription"] == object_of("subscription_updated", second)["id"]
    )
    assert object_of("subscription_updated", second)["latest_invoice"] == invoices[1]["id"]
    assert object_of("approved")["customer"] is None


def test_stripe_links_intents_and_invoices_in_older_versions_only() -> None:
    """Since basil an intent does not name its invoice, nor the invoice its intent."""
    old, renewed = {"api_version": "2025-02-24.acacia"}, two_cycles()[1]
    intent, invoice = object_of("renewed", renewed, **old), object_of("invoice_paid", renewed, **old)
    assert (intent["invoice"], invoice["payment_intent"]) == (invoice["id"], intent["id"])
    assert object_of("approved", **old)["invoice"] is None
    assert "invoice" not in object_of("renewed", renewed)
    assert "payment_intent" not in object_of("invoice_paid", renewed)


def test_stripe_copies_no_metadata_by_itself() -> None:
    """Session and subscription keep theirs; the intent has some only where the seller's code has set it."""
    clicked = sale(tracking={"click_id": "c1"})
    assert object_of("approved", clicked)["metadata"] == {"click_id": "c1"}
    assert object_of("approved", clicked, intent_has_metadata=False)["metadata"] == {}
    assert object_of("checkout_completed", clicked, intent_has_metadata=False)["metadata"] == {"click_id": "c1"}
    assert object_of("checkout_completed", clicked)["client_reference_id"] == "c1"
    assert object_of("subscription_updated", clicked, intent_has_metadata=False)["metadata"] == {"click_id": "c1"}
    assert object_of("approved", clicked, intent_has_email=False)["receipt_email"] is None


def test_stripe_waits_for_boleto_and_pix() -> None:
    """A session is complete and unpaid; then it is paid, or never; meanwhile the intent shows what is to be paid."""
    events = ("checkout_unpaid", "checkout_paid_later", "checkout_failed_later", "checkout_completed", "abandoned")
    told = {event: object_of(event) for event in events}
    states = [(one["status"], one["payment_status"]) for one in told.values()]
    complete = [("complete", word) for word in ("unpaid", "paid", "unpaid", "paid")]
    assert states == [*complete, ("expired", "unpaid")]
    assert object_of("pending_boleto")["next_action"]["type"] == "boleto_display_details"
    assert object_of("pending_pix")["next_action"]["type"] == "pix_display_qr_code"
    assert object_of("approved", sale(method="pix"))["latest_charge"].startswith("py_")


def test_stripe_thin_events_hold_no_sale() -> None:
    """An id to fetch: no amount, no buyer."""
    thin = body_of(Stripe(), "thin")
    assert thin["object"] == "v2.core.event"
    assert thin["related_object"]["id"] == Stripe().sale_id(sale())
    assert "data" not in thin


@each_row("fake", VENDORS)
def test_nobodys_switch_is_without_a_word(fake: Any) -> None:
    """docs/catalogue.md has a row for every switch of every gateway."""
    page = (Path(__file__).parents[4] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and fake.name in line.split("|")[1]]
    for field in dataclasses.fields(fake):
        assert any(f"`{field.name}`" in row for row in rows), f"no row for {fake.name}'s {field.name}"
    assert known()[fake.name] == gateway(fake.name)
