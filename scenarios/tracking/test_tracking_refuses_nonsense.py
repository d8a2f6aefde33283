"""T-04  The tracking endpoints refuse nonsense with a clear error.

Given  bodies that are no JSON, no object, or of wrong types
When   they are sent to the click endpoint
Then   each is answered with a 4xx and a JSON error
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("T-04", proves=("011.6/smoke-click",))
@pytest.mark.parametrize("body", [b"{", b"[]", b'{"click_id": 7}', b'{"fbclid": {"a": 1}}', b"\xff"])
def test_tracking_refuses_nonsense(pipeline: Pipeline, body: bytes) -> None:
    # When
    answer = pipeline.track("click", body)
    # Then
    assert answer.refused, f"{body!r} must be refused with a 4xx; it was {answer.status}"
