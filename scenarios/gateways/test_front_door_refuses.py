"""G-16  What is no webhook at all gets its own status, never a 5xx.

Given  requests to unknown gateways and tenants, of the wrong kind, method or size
When   each arrives
Then   each is answered with its own 4xx and a JSON error
"""

from collections.abc import Iterator

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-16", proves=("011.1/waf-malformed",))
@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("gateway", 404),
        ("tenant", 404),
        ("method", 405),
        ("kind", 415),
        ("size", 413),
        ("chunked", 413),
        ("empty", 401),
    ],
)
def test_front_door_refuses(pipeline: Pipeline, case: str, status: int) -> None:
    # Given
    gateway = pipeline.gateway(like="stripe", can=("integrity",))
    order = gateway.order()
    webhook = order.webhook()
    headers = dict(webhook.headers)
    method, path = "POST", gateway.path
    body: bytes | Iterator[bytes] = webhook.body
    if case == "gateway":
        path = pipeline.info.target.paths.webhook.format(gateway="strpe", tenant=pipeline.tenant.tenant)
    elif case == "tenant":
        path = gateway.path.replace(pipeline.tenant.tenant, "t-nobody")
    elif case == "method":
        method = "PUT"
    elif case == "kind":
        headers = {**headers, "Content-Type": "text/html"}
    elif case == "size":
        body = b" " * (2 * 1024 * 1024)
    elif case == "chunked":
        body = iter([b" " * 65_536] * 32)
    elif case == "empty":
        body = b""
    # When
    answer = pipeline.target.request(method, path, body=body, headers=headers)
    # Then
    assert answer.status == status, (
        f"{case}: must be answered with {status}; it was {answer.status} {answer.text[:200]}"
    )
    assert answer.json()["error"]["code"], "a refusal has a code for programs"
    pipeline.nothing_is_sent_about(order)
