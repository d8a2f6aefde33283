"""G-24  Whatever is done to a webhook on its way, it gets the answer that its vendor's scheme allows.

Given  a genuine webhook, and everything that an attacker, a proxy or a careless framework may do to one
When   each is delivered, every time for a new order
Then   what the scheme can notice is refused with a 4xx, stored nowhere and sent to nobody; what is genuine all the
       same is accepted; and nothing is ever answered with a 5xx or not at all
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-24", proves=("gateway/hmac", "011.5a/raw-body", "011.1/waf-malformed"), tenants=2)
@pytest.mark.each_gateway
def test_whatever_happens_on_the_way(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    refused, wrong = [], []
    for kind, right in gateway.order().tamperings().items():
        # When
        order = gateway.order()
        answer = order.deliver(webhook=order.tampered(kind))
        # Then
        accepted, turned_away = answer.accepted, answer.refused
        if not {"refused": turned_away, "accepted": accepted, "either": accepted or turned_away}[right]:
            wrong.append(f"{kind} was answered with {answer.status}, right is: {right}")
        if right == "refused":
            refused.append(order)
        pipeline.note(f"{kind}: {answer.status}")
    assert not wrong, f"{gateway.name} ({gateway.dialect}): {'; '.join(wrong)}"
    pipeline.a_later_order_arrives()
    pipeline.database.stored_nothing_of(*refused)
    for order in refused:
        pipeline.meta.seen_nothing_of(order)
