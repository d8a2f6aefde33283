"""R-20  A rolling restart under load fails no request and loses no sale.

Given  two replicas of the front door behind a load balancer that asks each whether it is ready, and steady sales
When   one replica is stopped with SIGTERM and started again, and then the other
Then   every sale was accepted at the first try, and Meta counts each once
"""

import pytest

from harness.testing import Balancer, Pipeline


@pytest.mark.scenario("R-20", proves=("constraint/zero-downtime",), guards="a deployment that drops webhooks")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_rolling_restart_fails_no_request(pipeline: Pipeline) -> None:
    # Given
    target = pipeline.info.target
    limit_s = pipeline.timings.stop_s
    web = next(iter(target.start), "web")
    second = pipeline.target.replica(web, f"{web}-2")
    first = target.base_url
    try:
        with (
            Balancer({first: 1, second: 1}, ready_path=target.paths.ready) as balancer,
            pipeline.traffic(per_s=40, via=_ready(balancer, first, second)) as traffic,
        ):
            # When
            traffic.wait_for_more(40)
            pipeline.target.stop(f"{web}-2")
            balancer.wait_until_ready(second, ready=False, within_s=limit_s)
            traffic.wait_for_more(20)
            third = pipeline.target.replica(web, f"{web}-3")
            balancer.weigh({first: 1, third: 1})
            balancer.wait_until_ready(third, within_s=limit_s)
            traffic.wait_for_more(20)
            pipeline.target.stop(web)
            traffic.wait_for_more(20)
            pipeline.target.start(web)
            balancer.wait_until_ready(first, within_s=limit_s)
            traffic.wait_for_more(40)
    finally:
        pipeline.target.restore()
    # Then
    refused = traffic.not_accepted()
    assert not refused, (
        f"{len(refused)} of {len(traffic.orders)} sales failed during a rolling restart: {refused[0]}; "
        f"the balancer saw: {'; '.join(balancer.failures[:3]) or 'nothing'}"
    )
    pipeline.settle()
    pipeline.note(f"{len(traffic.orders)} sales at 40/s, every one accepted while both replicas were restarted in turn")


def _ready(balancer: Balancer, *replicas: str) -> str:
    for replica in replicas:
        balancer.wait_until_ready(replica, within_s=10)
    return balancer.url
