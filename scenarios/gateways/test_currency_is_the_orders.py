"""G-28  The currency is the order's own, whatever the vendor's home is.

Given  orders in dollars and in euros
When   they are delivered
Then   Meta is told that amount in that currency
"""

from decimal import Decimal

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-28", proves=("gateway/normalised",))
@pytest.mark.each_gateway
def test_currency_is_the_orders(pipeline: Pipeline) -> None:
    # Given
    orders = [pipeline.gateway().order(currency=currency) for currency in ("USD", "EUR")]
    # When
    for order in orders:
        order.deliver()
    # Then
    for order in orders:
        custom = pipeline.meta.wait_until_counted(order)["custom_data"]
        told, right = (str(custom["value"]), custom["currency"].upper()), (order.amount, order.order.currency)
        assert (Decimal(told[0]), told[1]) == right, f"Meta was told {' '.join(told)} instead of {right[0]} {right[1]}"
