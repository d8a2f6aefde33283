"""T-30  Somebody else's purchase is nobody's click, though both came from the same address.

Given  a visitor who clicked a moment ago
When   somebody buys of whom no click id, e-mail or phone is known, and whose webhook comes from that same address
Then   Meta counts the purchase without anything of the visitor's click, and no match is stored
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-30", proves=("pipeline/matching",))
@pytest.mark.each_gateway(rather="vendor")
def test_a_stranger_has_no_click(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    # When
    order = pipeline.gateway().order()
    order.deliver()
    # Then
    told = pipeline.meta.wait_until_counted(order)["user_data"]
    assert not told.get("fbc"), f"the purchase carries somebody else's click: {told['fbc']}"
    assert told.get("fbp") != click.fbp, "the purchase carries somebody else's browser"
    assert pipeline.match_method() is None, "a purchase of somebody unknown was matched to somebody else's click"
