"""A-02  The match rate is the share of a day's purchases that came from a known click.

Given  a visitor who clicked and left an e-mail at the checkout, and a buyer whom nobody has seen
When   the first buys twice and the second once
Then   v_match_rate_by_tenant says two of three, 66.67 %
"""

import pytest

from harness.testing import Pipeline, must_accept

RATE = """
SELECT sum(matched) || ' of ' || sum(purchases) || ', ' || string_agg(round(match_rate, 2)::text, ' ')
FROM v_match_rate_by_tenant WHERE tenant_id = %(tenant)s
"""


@pytest.mark.scenario("A-02", proves=("011.5b/match-rate-by-tenant",))
def test_match_rate(pipeline: Pipeline) -> None:
    # Given
    click = pipeline.click()
    gateway = pipeline.gateway(like="hotmart", can=("email",))
    first = gateway.order()
    email = first.order.buyer.email
    must_accept(
        pipeline.track("checkout", {"click_id": click.click_id, "email": email}), "what a page tells must be accepted"
    )
    again, stranger = gateway.order(buyer={"email": email}), gateway.order()
    # When
    for order in (first, again, stranger):
        order.deliver()
        pipeline.meta.wait_until_counted(order)
    # Then
    wanted = "2 of 3, 66.67"
    pipeline.database.wait_for_value(RATE, wanted, goal=f"v_match_rate_by_tenant says {wanted}")
