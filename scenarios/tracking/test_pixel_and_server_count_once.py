"""T-09  A page's Pixel and its server tell one event, and Meta counts it once.

Given  a visitor whose page gives its event the same id in the browser's Pixel and in what it tells the target
When   both tell it, in either order
Then   the target's event reaches Meta under that very id, as a website's, with the visitor's own address, browser, fbp
       and fbc, and Meta has counted one of the two
"""

import uuid

import pytest

from harness.testing import Pipeline, Visitor, must_accept

NAMES = {"pageview": "PageView", "checkout": "InitiateCheckout"}


@pytest.mark.scenario("T-09", proves=("pipeline/tracking",))
@pytest.mark.parametrize("what", ["pageview", "checkout"])
@pytest.mark.parametrize("first", ["browser", "server"])
def test_pixel_and_server_count_once(pipeline: Pipeline, what: str, first: str) -> None:
    # Given
    visitor = Visitor(address="127.0.0.9", browser="Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile")
    click = pipeline.click(visitor=visitor)
    event_id = f"page-{uuid.uuid5(uuid.NAMESPACE_URL, f'{pipeline.info.seed}/{what}/{first}')}"
    name = NAMES[what]
    body = {"event_id": event_id, "click_id": click.click_id, "url": "https://vendas.example.com.br/oferta"}
    # When
    if first == "browser":
        pipeline.meta.pixel(name, event_id)
    answer = pipeline.track(what, body, visitor=visitor)
    must_accept(answer, f"a {what} must be accepted")
    event = pipeline.meta.wait_for_page(name, event_id)
    if first == "server":
        pipeline.meta.pixel(name, event_id)
    # Then
    both = pipeline.meta.events_under(name, event_id)
    counted = [one["call"]["source"] for one in both if one["verdict"] == "counted"]
    assert counted == [first], f"Meta must count the {name} once, the {first}'s; it counted {counted}"
    assert event["action_source"] == "website", "the event must say that it comes from a website"
    assert event["event_source_url"] == "https://vendas.example.com.br/oferta", "the event must name the page"
    user_data = event["user_data"]
    assert user_data.get("client_ip_address") == visitor.address, "the address must be the visitor's"
    assert user_data.get("client_user_agent") == visitor.browser, "the browser must be the visitor's"
    assert user_data.get("fbp") == click.fbp, "the visitor's fbp must be told"
    assert user_data.get("fbc", "").endswith("." + click.fbclid), "the click's fbclid must be told, letter for letter"
    assert not (event.get("custom_data") or {}).get("order_id"), "a page event is no order"
