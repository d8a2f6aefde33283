"""R-48  With Secrets Manager gone, no forgery is let in, and known tenants' sales go on.

Given  a tenant whose secret the front door has read, one whose secret it has not, and a Secrets Manager that is cut
       off, and then one that refuses
When   the vendor and a forger deliver to both
Then   no forgery is answered with 2xx, the known tenant's sale is accepted, and what was not accepted of the other's is
       accepted when it is delivered again
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-48", proves=("gateway/hmac",), tenants=2, guards="unverified webhooks during an outage")
@pytest.mark.each_gateway(rather="vendor")
@pytest.mark.exclusive
def test_secrets_gone_lets_no_forgery_in(pipeline: Pipeline) -> None:
    # Given
    known = pipeline.gateway()
    unknown = pipeline.gateway(known.name, tenant=pipeline.other_tenant)
    pipeline.a_later_order_arrives()
    missed = unknown.order()
    for fault in ("aws.cut", "aws.refusing"):
        with pipeline.fault(fault, service="secretsmanager"):
            # When
            genuine = known.order()
            accepted = genuine.deliver()
            forged = [
                order.deliver(webhook=order.webhook(secret="not-the-secret"))
                for order in (known.order(), unknown.order())
            ]
            missed.deliver()
        # Then
        let_in = [answer.status for answer in forged if answer.status is not None and answer.status < 300]
        assert not let_in, f"a forgery was answered with {let_in[0]} while Secrets Manager was away ({fault})"
        must_accept(accepted, f"a known tenant's sale must be accepted ({fault})")
        pipeline.meta.wait_until_counted(genuine)
    must_accept(missed.deliver(), "what was missed must be accepted when it is delivered again")
    pipeline.meta_of(pipeline.other_tenant).wait_until_counted(missed)
