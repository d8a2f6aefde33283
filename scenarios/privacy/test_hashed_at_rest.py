"""P-01  E-mail and phone are hashed before they are stored.

Given  a buyer whose name, e-mail, phone and document were invented for this scenario alone
When   the order is accepted and dispatched
Then   no table holds any of them in plain text, and Meta is given exactly the hashes that it asks for
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("P-01", proves=("gateway/hash", "011.6/smoke-normalise"))
@pytest.mark.each_gateway
def test_hashed_at_rest(pipeline: Pipeline) -> None:
    # Given
    before = pipeline.database.moment()
    order = pipeline.gateway().order()
    # When
    order.deliver()
    event = pipeline.meta.wait_until_counted(order)
    # Then
    leaks = pipeline.database.leaks([order], since=before)
    assert not leaks, f"personal data stands in plain text in {', '.join(leaks)}"
    user_data = event["user_data"]
    if order.carries_email:
        assert order.email_hash in user_data["em"], "Meta must be given the hash of the trimmed, lower-case e-mail"
    if "ph" in user_data or order.carries_phone:
        assert order.phone_hash in user_data["ph"], (
            "Meta must be given the hash of the phone with country code, digits only"
        )
