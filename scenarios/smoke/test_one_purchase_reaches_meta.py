"""S-01  One paid order reaches Meta, once.

Given  a tenant whose gateway is configured
When   the gateway tells of one paid order
Then   it is accepted, and Meta counts exactly one Purchase of a website, with the right value, currency, product and
       hashed buyer, for advertising as well, and with no address or browser but the buyer's
"""

from typing import Any

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("S-01", proves=("gateway/persisted", "011.6/smoke-dispatch"))
@pytest.mark.each_gateway
def test_one_purchase_reaches_meta(pipeline: Pipeline) -> None:
    # Given
    order = pipeline.gateway().order()
    # When
    with pipeline.proving("gateway/persisted", "011.6/smoke-dispatch"):
        must_accept(order.deliver())
        # Then
        event = pipeline.meta.wait_until_counted(order)
    custom, user_data = event["custom_data"], event["user_data"]
    assert type(custom["value"]) in (int, float), f"value must be a JSON number; it was {custom['value']!r}"
    wanted = (
        f"Meta must be told {order.amount} {order.order.currency}; it was told {custom['value']} {custom['currency']}"
    )
    assert float(custom["value"]) == pytest.approx(float(order.amount)), wanted
    assert custom["currency"].upper() == order.order.currency, wanted
    assert event["action_source"] == "website", f"a sale on a website was sent as {event['action_source']!r}"
    assert event["call"]["test_event_code"] is None, "test_event_code puts every sale among the tests"
    assert not event.get("opt_out"), "opt_out keeps the sale out of what the ads learn from"
    assert not event.get("data_processing_options"), "nothing was said that limits the use of this sale"
    if order.carries_email:
        assert _listed(user_data["em"]) == [order.email_hash], "em must be the buyer's hash, and no other"
    if order.carries_phone:
        assert _listed(user_data["ph"]) == [order.phone_hash], "ph must be the buyer's hash, and no other"
    products = set(_listed(custom.get("content_ids")))
    assert products <= order.product_ids, f"content_ids {products} are none of the webhook's product"
    assert products or not order.product_ids, "the webhook tells the product, and content_ids must tell it too"
    buyer = order.order.buyer
    address, browser = user_data.get("client_ip_address"), user_data.get("client_user_agent")
    assert address in (None, buyer.ip_address), "client_ip_address must be the buyer's, never the vendor's"
    assert browser in (None, buyer.user_agent), "client_user_agent must be the buyer's, never the vendor's"


def _listed(value: Any) -> list[str]:
    """Meta takes one text or a list of them."""
    return [value] if isinstance(value, str) else [str(one) for one in value or ()]
