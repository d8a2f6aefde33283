"""G-43  A secret is replaced without one refused webhook, and the old one has an end.

Given  a gateway whose secret has been used a moment ago
When   an operator gives it a new secret, with an overlap
Then   the very next webhook under the new one is accepted, and so is one under the old one; a stranger's is refused;
       and when the overlap is ended, the old one is refused at once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("G-43", proves=("gateway/hmac",))
@pytest.mark.each_gateway
def test_secret_rotates_without_a_refusal(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    account = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.must_be_able_to("rotate_secret")
    used = gateway.order()
    must_accept(used.deliver())
    new = gateway.fake.new_secret(f"{pipeline.tenant.tenant}/{gateway.name}/rotated")
    # When
    pipeline.target.act("rotate_secret", **account, secret=new, overlap_s=3600)
    # Then
    fresh, late, forged, ended = (gateway.order() for _ in range(4))
    first = fresh.deliver(webhook=fresh.webhook(secret=new))
    must_accept(first, "the first webhook under the new secret must be accepted")
    must_accept(late.deliver(), "during the overlap the old secret must still do")
    stranger = gateway.fake.new_secret("somebody else")
    assert forged.deliver(webhook=forged.webhook(secret=stranger)).refused, "a stranger's must be refused, always"
    pipeline.target.act("rotate_secret", **account, end_overlap=True)
    assert ended.deliver().refused, "when the overlap is ended, the old secret must be refused"
    again = gateway.order()
    must_accept(again.deliver(webhook=again.webhook(secret=new)), "the new secret must go on")
    for order in (used, fresh, late, again):
        pipeline.meta.wait_until_counted(order)
    for order in (forged, ended):
        pipeline.meta.seen_nothing_of(order)
        pipeline.database.stored_nothing_of(order)
