"""S-02  One ad click can be followed to Meta.

Given  a visitor who came from an ad, and whose click the tracking endpoint has recorded
When   they buy, and the gateway's webhook carries the click id back
Then   Meta counts one Purchase whose fbc is the click's time and fbclid, letter for letter, whose fbp is the
       visitor's, and the match is stored
"""

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario(
    "S-02", proves=("011.6/smoke-click", "011.6/smoke-normalise", "011.6/smoke-match", "011.6/smoke-dispatch")
)
@pytest.mark.each_gateway
def test_one_click_reaches_meta(pipeline: Pipeline) -> None:
    # Given
    before_s = pipeline.now_s()
    click = pipeline.click()
    # When
    order = pipeline.gateway().order(click=click)
    order.deliver()
    # Then
    event = pipeline.meta.wait_until_counted(order)
    fbc = event["user_data"].get("fbc", "")
    assert fbc.endswith("." + click.fbclid), "the Purchase must carry the click's fbclid in fbc, letter for letter"
    version, clicked_at_ms = fbc.removesuffix("." + click.fbclid).rsplit(".", 1)
    assert version == "fb.1", f"fbc is fb.1.<milliseconds>.<fbclid>; it began with {version!r}"
    late_s = int(clicked_at_ms) / 1000 - before_s
    assert -2 < late_s < pipeline.now_s() - before_s + 2, f"the click's time in fbc is {late_s:+.0f} s from the click"
    assert event["user_data"].get("fbp") == click.fbp, "the Purchase must carry the visitor's fbp"
    method = pipeline.match_method()
    assert method == "click_id", f"the purchase must be matched by its click id; the stored method is {method!r}"
