"""G-18  A currency without cents is not divided by a hundred, nor one with three decimals multiplied by ten.

Given  Stripe orders in yen (no decimals), Icelandic króna (sent with two zeros) and Kuwaiti dinar (three decimals)
When   they are delivered
Then   Meta is told 500 JPY, 5 ISK and 5.25 KWD
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-18", proves=("011.4c/normalised",))
@pytest.mark.each_gateway(only=("stripe",))
@pytest.mark.parametrize(("currency", "amount"), [("JPY", "500"), ("ISK", "5"), ("KWD", "5.25"), ("BRL", "5")])
def test_zero_decimal_currency(pipeline: Pipeline, currency: str, amount: str) -> None:
    # Given
    order = pipeline.gateway().order(currency=currency, amount=Decimal(amount))
    # When
    order.deliver()
    # Then
    custom = pipeline.meta.wait_until_counted(order)["custom_data"]
    assert Decimal(str(custom["value"])) == Decimal(amount), f"Meta was told {custom['value']} {currency}, not {amount}"
