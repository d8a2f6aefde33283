"""T-17  A page's address that names a person is kept and told without them.

Given  a page whose address carries an e-mail, a phone and a name, as shops fill their checkouts
When   a click and a page view tell it
Then   no table holds them, and Meta is told the page without them, and with its campaign
"""

import pytest

from harness.testing import Pipeline

URL = (
    "https://vendas.example.com.br/checkout/obrigado.q7x4w@example.com?utm_source=facebook&email=ana.q7x4w%40example.com"
    "&phone=%2B55%2011%2098765-4329&name=Ana+Qorvalgem&utm_content=ana.q7x4w@example.com#ana.q7x4w@example.com"
)
PERSON = ("q7x4w", "98765-4329", "Qorvalgem")


@pytest.mark.scenario("T-17", proves=("constraint/lgpd", "pipeline/tracking"))
def test_urls_tell_nobody(pipeline: Pipeline) -> None:
    # When
    click = pipeline.click(url=URL, utm_content="ana.q7x4w@example.com")
    event_id = pipeline.track("pageview", {"click_id": click.click_id, "url": URL}).json()["event_id"]
    # Then
    event = pipeline.meta.wait_for_page("PageView", event_id)
    told = event["event_source_url"]
    assert told.startswith("https://vendas.example.com.br/checkout/"), f"the page itself must be told; it was {told!r}"
    assert "utm_source=facebook" in told, "the campaign must be told"
    for word in PERSON:
        assert word not in str(event), f"Meta was told {word!r} of the page's address"
        places = pipeline.database.places_of(word)
        assert not places, f"{word!r} of the page's address stands in {', '.join(places)}"
