"""G-18  A currency without cents is not divided by a hundred.

Given  Stripe orders in yen (no decimals) and in Icelandic króna (sent with two zeros)
When   they are delivered
Then   Meta is told 500 JPY and 5 ISK
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-18", proves=("011.4c/normalised",))
@pytest.mark.each_gateway(only=("stripe",))
@pytest.mark.parametrize(("currency", "amount"), [("JPY", "500"), ("ISK", "5"), ("BRL", "5")])
def test_zero_decimal_currency(pipeline: Pipeline, currency: str, amount: str) -> None:
    # Given
    order = pipeline.gateway().order(currency=currency, amount=Decimal(amount))
    # When
    order.deliver()
    # Then
    custom = pipeline.meta.wait_until_counted(order)["custom_data"]
    assert Decimal(str(custom["value"])) == Decimal(amount), f"Meta was told {custom['value']} {currency}, not {amount}"
