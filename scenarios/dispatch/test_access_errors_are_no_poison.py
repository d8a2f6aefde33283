"""R-54  A token that may not write here is the operator's trouble, not the event's: the sale is held, and sent later.

Given  a Meta that answers with a lack of rights (10, 200) or does not show the pixel to this token (100/33)
When   a sale is accepted, and an operator puts that right
Then   the sale was held, nothing went to the dead letters, and Meta counts it once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("R-54", proves=("011.3/retry", "011.3/dlq"), guards="good sales thrown away for a lost right")
@pytest.mark.parametrize("error", ["no_app_permission", "no_permission", "no_access"])
def test_access_errors_are_no_poison(pipeline: Pipeline, error: str) -> None:
    # Given
    pipeline.meta.arm("refusal", error=error)
    order = pipeline.gateway(like="stripe").order()
    # When
    must_accept(order.deliver())
    pipeline.meta.wait_for_events(order, verdict="refused")
    pipeline.database.wait_for_state(order, "held")
    pipeline.meta.disarm()
    pipeline.meta.renew_token()
    # Then
    pipeline.meta.wait_until_counted(order)
    pipeline.database.wait_for_state(order, "delivered")
