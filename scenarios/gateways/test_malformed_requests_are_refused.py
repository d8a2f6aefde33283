"""G-46  What is no sane HTTP request is refused at the door, and the door stays open for others.

Given  requests with two lengths, absurd lengths, endless addresses or headers, broken chunks, or no HTTP at all
When   each arrives on a connection of its own
Then   each is refused with a 4xx or cut off, never a 2xx or 5xx, and a genuine webhook is accepted right after it
"""

import pytest

from harness.testing import Pipeline, must_accept

CASES = {
    "two lengths": (b"", b"Content-Length: 2\r\nContent-Length: 40\r\n", b"{}"),
    "a list of lengths": (b"", b"Content-Length: 2, 40\r\n", b"{}"),
    "a negative length": (b"", b"Content-Length: -1\r\n", b"{}"),
    "a length with a sign": (b"", b"Content-Length: +2\r\n", b"{}"),
    "a length beyond every machine": (b"", b"Content-Length: 99999999999999999999999\r\n", b"{}"),
    "a length of petabytes": (b"", b"Content-Length: 9000000000000000\r\n", b"{}"),
    "a chunk without a length": (b"", b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "an unknown encoding": (b"", b"Transfer-Encoding: gzip\r\n", b"{}"),
    "an endless query": (b"?" + b"q" * 20_000, b"Content-Length: 2\r\n", b"{}"),
    "an endless path": (b"/" * 20_000, b"Content-Length: 2\r\n", b"{}"),
    "an endless header": (b"", b"Content-Length: 2\r\nX-Long: " + b"q" * 60_000 + b"\r\n", b"{}"),
    "very many headers": (b"", b"Content-Length: 2\r\n" + b"X-Many: q\r\n" * 500, b"{}"),
    "a NUL in a header": (b"", b"Content-Length: 2\r\nX-Nul: a\0b\r\n", b"{}"),
    "a NUL in the path": (b"%00", b"Content-Length: 2\r\n", b"{}"),
    "no HTTP": (None, b"", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
}


@pytest.mark.scenario("G-46", proves=("011.1/waf-malformed",))
@pytest.mark.parametrize("case", CASES)
def test_malformed_requests_are_refused(pipeline: Pipeline, case: str) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe")
    target, headers, body = CASES[case]
    head = b"POST %b%b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%b\r\n"
    # When
    status = pipeline.target.raw(body if target is None else head % (gateway.path.encode(), target, headers) + body)
    # Then
    assert status is None or 400 <= status < 500, f"{case}: must be refused or cut off; it was answered with {status}"
    order = gateway.order()
    must_accept(order.deliver(), f"{case}: a genuine webhook right after it must be accepted")
    pipeline.meta.wait_until_counted(order)
