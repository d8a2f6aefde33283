"""T-08  A page on any origin may tell of clicks, page views and checkouts, of tenants that exist.

Given  the three tracking endpoints
When   a browser asks before it sends, sends, and sends for a tenant that does not exist
Then   it may from any origin, is accepted, and for an unknown tenant refused
"""

import json

import pytest

from harness.testing import Pipeline, must_accept, must_refuse

ORIGIN = "https://vendas.example.com.br"


@pytest.mark.scenario("T-08", proves=("011.6/smoke-click",))
@pytest.mark.parametrize("what", ["click", "pageview", "checkout"])
def test_browsers_may_tell(pipeline: Pipeline, what: str) -> None:
    # Given
    click = pipeline.click()
    path = pipeline.tracking_path(what, tenant=pipeline.tenant.tenant)
    nobodys = pipeline.tracking_path(what, tenant="t-nobody")
    seen = {"click_id": click.click_id, "url": f"{ORIGIN}/oferta"} if what != "click" else {"url": f"{ORIGIN}/oferta"}
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    # When
    asked = pipeline.target.request("OPTIONS", path, headers=asks)
    told = pipeline.track(what, seen, headers={"Origin": ORIGIN})
    strange = pipeline.target.post(nobodys, json.dumps(seen).encode(), headers={"Origin": ORIGIN})
    # Then
    must_accept(told, f"a {what} must be accepted")
    assert asked.status in (200, 204), f"a browser asks before it sends JSON; it was answered with {asked.status}"
    for answer in (asked, told):
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed in ("*", ORIGIN), f"a page on {ORIGIN} must be allowed; the answer allows {allowed!r}"
    names = asked.headers.get("Access-Control-Allow-Headers", "").lower()
    assert "content-type" in names or names == "*", "a page must be allowed to say that its body is JSON"
    must_refuse(strange, "unknown_tenant", "an unknown tenant must be refused")
