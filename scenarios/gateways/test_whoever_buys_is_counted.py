"""G-34  Whoever buys is counted: a company, a buyer from abroad, by card, Pix or boleto, with or without an affiliate.

Given  orders by a company (CNPJ) and by a buyer in Portugal without a Brazilian document, paid in every way
When   they are delivered
Then   each is counted once, by the e-mail and the phone that the vendor told, and nobody's document is kept
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline, must_accept

PORTUGUESE = {
    "country": "PT", "city": "Lisboa", "state": "Lisboa", "zip_code": "1000-001", "document": "",
    "phone_e164": "+351912345678",
}  # fmt: skip
COMPANY = {"document": "11222333000181"}  # made up, with right check digits


@pytest.mark.scenario("G-34", proves=("gateway/normalised", "gateway/hash"))
@pytest.mark.each_gateway(rather="vendor", can=("email",))
@pytest.mark.parametrize("buyer", [COMPANY, PORTUGUESE], ids=["company", "abroad"])
def test_whoever_buys_is_counted(pipeline: Pipeline, buyer: dict[str, str]) -> None:
    # Given
    gateway = pipeline.gateway()
    partners = {"card": (), "pix": ("affiliate",), "boleto": ("affiliate", "coproducer")}
    for number, (method, sharing) in enumerate(partners.items(), start=1):
        phone = {"phone_e164": buyer["phone_e164"][:-1] + str(number)} if "phone_e164" in buyer else {}
        order = gateway.order(buyer=buyer | phone, method=method, partners=sharing, amount=Decimal(100 + number))
        # When
        answer = order.deliver()
        must_accept(answer, f"{method} must be accepted")
        # Then
        event = pipeline.meta.wait_until_counted(order)
        assert Decimal(str(event["custom_data"]["value"])) == 100 + number, (
            f"Meta must be told {100 + number}; it was told {event['custom_data']['value']}"
        )
        assert order.email_hash in str(event["user_data"].get("em")), "the e-mail must be hashed"
        if order.carries_phone:
            assert str(order.phone_hash) in str(event["user_data"].get("ph")), (
                "the phone must be hashed with its country"
            )
