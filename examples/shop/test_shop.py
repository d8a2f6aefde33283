"""The shop, tested with golive's fixtures: no account, no tunnel, no internet."""

from collections.abc import Iterator

import pytest
from shop import Shop


@pytest.fixture
def shop(stripe_gateway, meta_capi) -> Iterator[Shop]:
    """A running shop that knows this test's secret, pixel and token."""
    running = Shop(
        stripe_secret=stripe_gateway.secret,
        graph_url=meta_capi.url,
        pixel_id=meta_capi.pixel_id,
        token=meta_capi.token,
    )
    yield running
    running.close()


def test_a_sale_reaches_meta(shop, stripe_gateway, meta_capi):
    """Value, currency and the hashed e-mail, under the sale's own id."""
    sale = stripe_gateway.send(shop.url)
    assert sale.status == 202
    event = meta_capi.wait_until_counted(sale.sale_id)
    assert event["custom_data"]["value"] == float(sale.order.amount)
    assert event["user_data"]["em"] == [sale.email_hash]


def test_a_sale_that_is_told_twice_is_counted_once(shop, stripe_gateway, meta_capi):
    """Vendors deliver again whenever they like."""
    order = stripe_gateway.order()
    for _ in range(2):
        assert stripe_gateway.send(shop.url, order=order).status == 202
    assert [event["verdict"] for event in meta_capi.events] == ["counted"]


@pytest.mark.parametrize("kind", ["one_byte", "missing_signature", "wrong_secret", "stale_timestamp"])
def test_a_forgery_is_refused(shop, stripe_gateway, meta_capi, kind):
    """And nobody is told."""
    assert stripe_gateway.send(shop.url, tamper=kind).status == 401
    assert meta_capi.events == []


def test_a_pending_payment_is_no_sale(shop, stripe_gateway, meta_capi):
    """It is taken, so that the vendor is content, and not sent on."""
    assert stripe_gateway.send(shop.url, "pending").status == 202
    assert meta_capi.events == []


def test_meta_in_trouble_loses_no_sale(shop, stripe_gateway, meta_capi):
    """Two failures, then it goes through."""
    meta_capi.fail("brown_out", times=2)
    sale = stripe_gateway.send(shop.url)
    assert sale.status == 202
    assert meta_capi.wait_until_counted(sale.sale_id)
    assert [call["status"] for call in meta_capi.calls] == [500, 500, 200]
