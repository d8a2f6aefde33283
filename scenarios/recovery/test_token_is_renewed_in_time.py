"""R-70  A Meta token that lives sixty days is renewed long before its end, and nobody notices.

Given  a tenant whose token ends in sixty days, and a sale that has been sent with it
When   two days pass, and then fifty-nine more, without anybody at the keyboard and without a restart
Then   the token was exchanged for one that lives longer, once a day; a sale after the first one's end is counted, and
       nothing was ever held
"""

import pytest

from harness.testing import TravellingPipeline

DAY_S = 86_400


@pytest.mark.scenario("R-70", proves=("pipeline/token-renewal", "risk/token-expires"))
@pytest.mark.time_travel(day=1, days=70)
@pytest.mark.exclusive
def test_token_is_renewed_in_time(travelling_pipeline: TravellingPipeline) -> None:
    # Given
    pipeline, gateway = travelling_pipeline, travelling_pipeline.gateway(like="stripe")
    pipeline.meta.limit_token(lives_s=60 * DAY_S)
    before = gateway.order()
    before.deliver()
    pipeline.meta.wait_until_counted(before)
    # When
    pipeline.travel(days=2)
    first, *renewed = pipeline.meta.wait_for_tokens(2)
    assert len(renewed) == 1, f"one renewal is due by now; Meta gave out {len(renewed)} tokens"
    assert renewed[0]["expires_at_s"] > first["expires_at_s"], "the new token must live longer than the old one"
    pipeline.travel(days=59)
    # Then
    after = gateway.order()
    after.deliver()
    pipeline.meta.wait_until_counted(after)
    refused = [call for call in pipeline.meta.probe.calls() if call["status"] != 200]
    # A cache that is timed by a monotonic clock has the old token still: to it, sixty days were two seconds. It is told
    # so by Meta, and must look for a newer one at once.
    assert len(refused) <= 1, f"the old token was dead and a newer one there, yet Meta refused {len(refused)} calls"
    pipeline.note(f"Meta refused {len(refused)} calls with the old token, which a cache in memory may still have held.")
