"""R-32  A call to Meta that breaks off on the wire, in whatever way, doubles nothing and loses nothing.

Given  a network that breaks the next connection to Meta: reset, silent, or after half an answer
When   a sale is accepted
Then   it is sent again under the same event id, and Meta counts it once
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("R-32", proves=("011.3/retry",), guards="the wire to Meta")
@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [
        ("reset_peer", {"timeout": 0}),
        ("timeout", {"timeout": 1000}),
        ("limit_data", {"bytes": 0}),
        ("limit_data", {"bytes": 60}),
    ],
    ids=["reset", "silent", "no-answer", "half-an-answer"],
)
@pytest.mark.exclusive
def test_meta_cut_off_counts_once(pipeline: Pipeline, toxic: str, attributes: dict[str, int]) -> None:
    # Given
    order = pipeline.gateway(like="stripe").order()
    with pipeline.network.break_next("meta", toxic, attributes):
        # When
        order.deliver()
        first = pipeline.meta.wait_until_counted(order)
        # Then
        tries = pipeline.meta.wait_for_events(order, count=2)
    pipeline.database.wait_for_state(order, "delivered")
    assert {one["event_id"] for one in tries} == {first["event_id"]}, "it was sent again under another event id"
    assert pipeline.meta.counted(order) == 1, "the sale must be counted once"
