"""P-05  A person who asks is shown everything that is stored of them, and of nobody else.

Given  a buyer who came by a click, left an e-mail at the checkout and bought, and somebody else who bought
When   the tenant's operator exports the buyer's data by e-mail alone, and by phone alone
Then   both show the purchase, its click and its visit, and neither shows anything of the other buyer
"""

import json
from typing import Any

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-05", proves=("constraint/lgpd",))
def test_person_is_shown_everything(pipeline: Pipeline) -> None:
    # Given
    pipeline.target.must_be_able_to("export_person")
    gateway = pipeline.gateway(like="perfectpay", can=("click", "email", "phone"))
    click = pipeline.click()
    order, other = gateway.order(click=click), gateway.order()
    pipeline.track("pageview", {"click_id": click.click_id})
    for one in (order, other):
        one.deliver()
        pipeline.meta.wait_until_counted(one)
    # When
    buyer, tenant = order.order.buyer, pipeline.tenant.tenant

    def export(**known: str | None) -> Any:
        return pipeline.target.act("export_person", tenant=tenant, **known)

    by_email, by_phone = export(email=buyer.email), export(phone=buyer.phone_e164)
    if by_email != by_phone:  # what was on its way has changed its state between the two, perhaps: once, not twice
        pipeline.settle()
        by_email, by_phone = export(email=buyer.email), export(phone=buyer.phone_e164)
    # Then
    assert by_email == by_phone, "whoever is found by e-mail must be found by phone"
    shown = json.dumps(by_email)
    for word in (order.sale_id, order.email_hash, order.phone_hash, click.click_id, click.fbclid):
        assert word is None or word in shown, f"the export must show all that is stored; {word} is missing"
    assert by_email["visits"], "the export must show the visits"
    for word in (other.sale_id, other.email_hash):
        assert word not in shown, "the export must show nothing of anybody else"
