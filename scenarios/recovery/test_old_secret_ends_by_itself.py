"""R-82  A replaced secret ends when its overlap does, without anybody who ends it.

Given  a gateway whose secret was replaced, with an overlap of an hour
When   a webhook under the old secret comes ten minutes before the hour is over, and another ten minutes after
Then   the first is accepted and counted; the second is refused, and nothing of it stored or sent; the new one goes on
"""

import pytest

from harness.testing import TravellingPipeline, must_accept


@pytest.mark.scenario("R-82", proves=("gateway/hmac",))
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.time_travel(day=730, days=2)
@pytest.mark.exclusive
def test_old_secret_ends_by_itself(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway()
    account = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    new = gateway.fake.new_secret(f"{pipeline.tenant.tenant}/{gateway.name}/rotated")
    pipeline.target.act("rotate_secret", **account, secret=new, overlap_s=3600)
    # When
    pipeline.travel(minutes=50)
    early, late, fresh = (gateway.order() for _ in range(3))
    answer = early.deliver()
    # Then
    must_accept(answer, "during the overlap the old secret must do")
    pipeline.travel(minutes=20)
    assert late.deliver().refused, "when the overlap is over, the old secret must be refused"
    must_accept(fresh.deliver(webhook=fresh.webhook(secret=new)), "the new secret must go on")
    for order in (early, fresh):
        pipeline.meta.wait_until_counted(order)
    pipeline.meta.seen_nothing_of(late)
    pipeline.database.stored_nothing_of(late)
