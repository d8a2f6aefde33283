"""R-36  While the secrets cannot be read, nothing that was not verified is accepted.

Given  a tenant of whom no process has read a secret yet, and a target that cannot reach AWS
When   a forged webhook and a genuine one are delivered, and the genuine one again when the way is open
Then   the forged one is never answered with 2xx and nothing is sent of it; the genuine sale is counted once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-36", proves=("gateway/hmac",), guards="an outage of Secrets Manager")
@pytest.mark.any_gateway(like=("stripe",), dialect="vendor")
@pytest.mark.exclusive
def test_secrets_away_accepts_no_forgery(pipeline: Pipeline) -> None:
    # Given
    forged, genuine = pipeline.gateway().order(), pipeline.gateway().order()
    with pipeline.network.arm("aws", "down"):
        # When
        answer = forged.deliver(webhook=forged.webhook(secret="whsec_nobodys"))
        assert answer.refused or answer.come_again, (
            f"a forged webhook was answered with {answer.said} while the secrets could not be read"
        )
        meanwhile = genuine.deliver()
        assert meanwhile.accepted or meanwhile.come_again, (
            f"a genuine webhook was answered with {meanwhile.said}; the vendor might not deliver it again"
        )
    if not meanwhile.accepted:
        again = genuine.deliver()
        must_accept(again, "with the secrets back a genuine webhook must be accepted")
    # Then
    pipeline.meta.wait_until_counted(genuine)
    pipeline.nothing_is_sent_about(forged)
