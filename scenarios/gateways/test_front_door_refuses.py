"""G-16  What is no webhook at all is refused, never with a 5xx.

Given  requests to unknown gateways and tenants, of the wrong kind, method or size
When   each arrives
Then   each is refused with a 4xx, and nothing is sent
"""

from collections.abc import Iterator

import pytest

from harness.testing import Pipeline, Refusal, must_refuse


@pytest.mark.scenario("G-16", proves=("011.1/waf-malformed",))
@pytest.mark.parametrize(
    ("case", "refusal"),
    [
        ("gateway", "unknown_gateway"),
        ("tenant", "unknown_tenant"),
        ("method", "wrong_method"),
        ("kind", "wrong_type"),
        ("size", "too_large"),
        ("chunked", "too_large"),
        ("empty", "bad_signature"),
    ],
)
def test_front_door_refuses(pipeline: Pipeline, case: str, refusal: Refusal) -> None:
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
    must_refuse(answer, refusal, f"{case}: must be refused")
    pipeline.nothing_is_sent_about(order)
