"""G-43  A secret is replaced without one refused webhook, and the old one has an end.

Given  a gateway whose secret has been used a moment ago
When   an operator gives it a new secret, with an overlap
Then   the very next webhook under the new one is accepted, and so is one under the old one; a stranger's is refused;
       and when the overlap is ended, the old one is refused at once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-43", proves=("gateway/hmac",))
@pytest.mark.each_gateway
def test_secret_rotates_without_a_refusal(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    account = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.must_be_able_to("rotate_secret")
    used = gateway.order()
    assert used.deliver().status == 202, "a genuine webhook must be accepted"
    new = gateway.fake.new_secret(f"{pipeline.tenant.tenant}/{gateway.name}/rotated")
    # When
    pipeline.target.act("rotate_secret", **account, secret=new, overlap_s=3600)
    # Then
    fresh, late, forged, ended = (gateway.order() for _ in range(4))
    status = fresh.deliver(webhook=fresh.webhook(secret=new)).status
    assert status == 202, f"the first webhook under the new secret must be accepted; it was answered with {status}"
    status = late.deliver().status
    assert status == 202, f"during the overlap the old secret must still do; it was answered with {status}"
    stranger = gateway.fake.new_secret("somebody else")
    assert forged.deliver(webhook=forged.webhook(secret=stranger)).refused, "a stranger's must be refused, always"
    pipeline.target.act("rotate_secret", **account, end_overlap=True)
    assert ended.deliver().refused, "when the overlap is ended, the old secret must be refused"
    again = gateway.order()
    assert again.deliver(webhook=again.webhook(secret=new)).status == 202, "the new secret must go on"
    for order in (used, fresh, late, again):
        pipeline.meta.wait_until_counted(order)
    for order in (forged, ended):
        pipeline.meta.seen_nothing_of(order)
        pipeline.database.stored_nothing_of(order)
