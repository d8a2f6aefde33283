"""T-18  Browsers may send no cookies, and nothing but JSON.

Given  the tracking endpoints, and a page on another origin
When   it sends, and sends what is no JSON by its type
Then   no answer allows credentials or sets a cookie, and the other types are refused with a 4xx and a JSON error that
       the page may read
"""

import pytest

from harness.testing import Pipeline, must_accept

HEADERS = {"Origin": "https://vendas.example.com.br", "Cookie": "session=stolen"}


@pytest.mark.scenario("T-18", proves=("pipeline/tracking",))
@pytest.mark.parametrize("what", ["click", "pageview", "checkout"])
def test_browsers_send_no_credentials(pipeline: Pipeline, what: str) -> None:
    # When
    taken = pipeline.track(what, {"url": "https://vendas.example.com.br/oferta"}, headers=HEADERS)
    types = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml")
    others = [pipeline.track(what, b"{}", headers={**HEADERS, "Content-Type": one}) for one in types]
    # Then
    must_accept(taken, "what a page tells must be accepted")
    for kind, answer in zip(types, others, strict=True):
        assert answer.refused, f"{kind} must be refused with a 4xx; it was {answer.status}"
    for answer in (taken, *others):
        assert not answer.headers.get("Access-Control-Allow-Credentials"), "credentials must not be allowed"
        assert not answer.headers.get("Set-Cookie"), "a tracking answer must set no cookie"
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed in ("*", HEADERS["Origin"]), f"the page must be allowed to read the answer; {allowed!r} is"
