"""T-15  Who takes back their consent is not told to Meta any more.

Given  a visitor who agreed, a Meta that is ill, and a page view and a purchase of theirs that wait for it
When   they take their consent back, Meta gets well, and they buy once more
Then   both purchases are stored as suppressed, and after a later order and a later page view have gone through Meta has
       counted nothing of theirs
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-15", proves=("constraint/lgpd", "pipeline/tracking"))
@pytest.mark.any_gateway(like=("stripe", "hotmart"), dialect="vendor", can=("click",))
@pytest.mark.parametrize("how", ["consent", "pageview"])
def test_withdrawn_consent_stops_what_is_unsent(pipeline: Pipeline, how: str) -> None:
    # Given
    pipeline.meta.arm("brown_out")
    click = pipeline.click(consent="granted")
    told = {"click_id": click.click_id, "url": "https://vendas.example.com.br/oferta"}
    seen = pipeline.track("pageview", told).json()["event_id"]
    # Before anybody buys: a breaker that sales have opened tries sales first.
    pipeline.meta.wait_for_refused_page("PageView", seen)
    waiting = pipeline.gateway().order(click=click)
    must_accept(waiting.deliver())
    pipeline.database.wait_for_state(waiting, "held")
    # When
    answer = pipeline.track(how, {"click_id": click.click_id, "consent": "denied"})
    must_accept(answer, "a refusal must be taken")
    # What was in flight when they spoke nobody could stop: it must have met the ill Meta before that gets well.
    stranger = pipeline.gateway().order()
    must_accept(stranger.deliver())
    pipeline.database.wait_for_state(stranger, "held")
    pipeline.meta.disarm()
    later = pipeline.gateway().order(click=click)
    must_accept(later.deliver())
    # Then
    for order in (waiting, later):
        pipeline.database.wait_for_state(order, "suppressed")
    barrier = pipeline.track("pageview", {"fbp": click.fbp}).json()["event_id"]
    pipeline.a_later_order_arrives()
    pipeline.meta.wait_for_page("PageView", barrier)
    pipeline.meta.wait_until_counted(stranger)  # held until Meta was well
    assert not pipeline.meta.counted(waiting), "a purchase was sent after its buyer had taken back their consent"
    pipeline.meta.seen_nothing_of(later)
    counted = [one for one in pipeline.meta.events_under("PageView", seen) if one["verdict"] == "counted"]
    assert not counted, "a page view was sent after its visitor had taken back their consent"
