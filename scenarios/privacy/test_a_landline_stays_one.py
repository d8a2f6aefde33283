"""P-20  A landline is hashed as the number it is: no ninth digit is invented.

Given  a buyer who left a landline of eight digits, whose area code is the one of São Paulo or, like the country, 55
When   the order is accepted and dispatched
Then   Meta is given the hash of that very number
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-20", proves=("gateway/hash",))
@pytest.mark.each_gateway
@pytest.mark.parametrize("area", ["11", "55"])
def test_a_landline_stays_one(pipeline: Pipeline, area: str) -> None:
    # Given
    number = f"3{pipeline.info.seed * 7919 % 10_000_000:07}"
    order = pipeline.gateway().order(buyer={"phone_e164": f"+55{area}{number}"})
    if not order.carries_phone:
        pipeline.not_applicable("this vendor tells no phone")
    # When
    order.deliver()
    # Then
    told = pipeline.meta.wait_until_counted(order)["user_data"].get("ph")
    assert told == [order.phone_hash], "Meta must be given the hash of the landline as it is, digit for digit"
