"""T-16  The pages of who has refused are not told to Meta.

Given  a visitor who refused at the click, and one who refuses on the page itself
When   their pages tell a page view and a checkout
Then   each is accepted, and after a later page view has gone through Meta has heard of none
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-16", proves=("constraint/lgpd", "pipeline/tracking"))
@pytest.mark.parametrize("where", ["click", "page"])
def test_refused_page_is_not_sent(pipeline: Pipeline, where: str) -> None:
    # Given
    click = pipeline.click(consent="denied" if where == "click" else "granted")
    consent = {"consent": "denied"} if where == "page" else {}
    # When
    told = {"click_id": click.click_id, "fbp": click.fbp, "email": "visita@example.com", **consent}
    answers = {what: pipeline.track(what, told) for what in ("pageview", "checkout")}
    must_accept(answers.values(), "what a page tells must be accepted")
    later = {what: pipeline.track(what, {"fbp": "fb.1.1772366400000.99"}).json()["event_id"] for what in answers}
    # Then
    names = {"pageview": "PageView", "checkout": "InitiateCheckout"}
    for what, answer in answers.items():
        pipeline.meta.wait_for_page(names[what], later[what])
        heard = pipeline.meta.events_under(names[what], answer.json()["event_id"])
        assert not heard, f"the {what} of a visitor who refused was told to Meta"
