"""R-36  While the secrets cannot be read, nothing that was not verified is accepted.

Given  a tenant of whom no process has read a secret yet, and a target that cannot reach AWS
When   a forged webhook and a genuine one are delivered, and the genuine one again when the way is open
Then   the forged one is never answered with 2xx and nothing is sent of it; the genuine sale is counted once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-36", proves=("gateway/hmac",), guards="an outage of Secrets Manager")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_secrets_away_accepts_no_forgery(pipeline: Pipeline) -> None:
    # Given
    forged, genuine = pipeline.gateway().order(), pipeline.gateway().order()
    with pipeline.network.arm("aws", "down"):
        # When
        answer = forged.deliver(webhook=forged.webhook(secret="whsec_nobodys"))
        assert answer.status is None or answer.status >= 400, (
            f"a forged webhook was answered with {answer.status} while the secrets could not be read"
        )
        meanwhile = genuine.deliver()
        assert meanwhile.status is None or meanwhile.status == 202 or meanwhile.status >= 500, (
            f"a genuine webhook was answered with {meanwhile.status}; the vendor might not deliver it again"
        )
    if meanwhile.status != 202:
        again = genuine.deliver()
        assert again.status == 202, f"with the secrets back a genuine webhook was answered with {again.status}"
    # Then
    pipeline.meta.wait_until_counted(genuine)
    pipeline.nothing_is_sent_about(forged)
