"""T-10  A page that tells its event again is heard once.

Given  a page view, told under an id that the target made up
When   the page's script tells it again under that id, and a later page view has gone through
Then   Meta was told of it by the target's server once
"""

import pytest

from harness.testing import Pipeline, must_accept


@pytest.mark.scenario("T-10", proves=("pipeline/tracking",))
@pytest.mark.parametrize(("what", "name"), [("pageview", "PageView"), ("checkout", "InitiateCheckout")])
def test_page_told_twice_is_one(pipeline: Pipeline, what: str, name: str) -> None:
    # Given
    body = {"fbp": "fb.1.1772366400000.1234567890", "url": "https://vendas.example.com.br/oferta"}
    event_id = pipeline.track(what, body).json().get("event_id")
    assert event_id, f"the answer to a {what} without an event id must hold the one that was made up"
    # When
    again = pipeline.track(what, {**body, "event_id": event_id})
    must_accept(again, "what a page tells must be accepted")
    assert again.json().get("event_id") == event_id, "a page that is told twice keeps its event id"
    later = pipeline.track(what, body).json()["event_id"]
    pipeline.meta.wait_for_page(name, event_id)
    pipeline.meta.wait_for_page(name, later)
    # Then
    told = len(pipeline.meta.events_under(name, event_id))
    assert told == 1, f"a {what} told twice must be one event at Meta; it was told {told} times"
