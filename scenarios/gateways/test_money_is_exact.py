"""G-17  Money arrives at Meta to the cent, in its own currency.

Given  an order of an awkward amount
When   it is delivered
Then   Meta is told exactly that amount and currency: no float dust, no cents taken for units
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-17", proves=("gateway/normalised",))
@pytest.mark.each_gateway
@pytest.mark.parametrize("amount", ["0.01", "19.99", "1234567.89"])
def test_money_is_exact(pipeline: Pipeline, amount: str) -> None:
    # Given
    if amount == "1234567.89" and pipeline.gateway().name == "perfectpay":
        amount = "123456.78"  # decimal(8,2) at that vendor
    order = pipeline.gateway().order(amount=Decimal(amount))
    # When
    order.deliver()
    # Then
    custom = pipeline.meta.wait_until_counted(order)["custom_data"]
    assert Decimal(str(custom["value"])) == Decimal(amount), f"Meta was told {custom['value']} instead of {amount}"
    assert custom["currency"].upper() == "BRL", "the currency must be the order's"
