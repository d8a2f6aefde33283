"""T-14  A visitor's address and browser are stored so that nobody can read them.

Given  a Meta that is ill, so that what is to be told to it stays in the target's tables
When   a visitor clicks, looks at a page, and buys
Then   no table holds their address or browser in plain text while they wait, nor after Meta was given them
"""

import pytest

from harness.testing import Pipeline, Visitor


@pytest.mark.scenario("T-14", proves=("constraint/lgpd", "pipeline/tracking"))
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor", can=("click",))
def test_visitor_is_sealed_at_rest(pipeline: Pipeline) -> None:
    # Given
    visitor = Visitor(address="127.14.77.201", browser="GoliveSealed/14.7741 (a browser that nobody else has)")
    pipeline.meta.arm("brown_out")
    # When
    click = pipeline.click(visitor=visitor)
    event_id = pipeline.track("pageview", {"click_id": click.click_id}, visitor=visitor).json()["event_id"]
    order = pipeline.gateway().order(click=click)
    order.deliver()
    pipeline.meta.wait_for_calls(1, status=500)
    # Then
    _nowhere(pipeline, visitor)
    pipeline.meta.disarm()
    page = pipeline.meta.wait_for_page("PageView", event_id)
    sale = pipeline.meta.wait_until_counted(order)
    for event in (page, sale):
        assert event["user_data"].get("client_ip_address") == visitor.address, "Meta wants the address as it is"
        assert event["user_data"].get("client_user_agent") == visitor.browser, "Meta wants the browser as it is"
    _nowhere(pipeline, visitor)


def _nowhere(pipeline: Pipeline, visitor: Visitor) -> None:
    for kind, text in (("address", visitor.address), ("browser", visitor.browser)):
        places = pipeline.database.places_of(text)
        assert not places, f"the visitor's {kind} stands in plain text in {', '.join(places)}"
