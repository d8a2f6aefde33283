"""What the fakes sign is what openssl computes: the third witness, written by neither half of a gateway.

The bodies are written by hand here, byte for byte; each digest was computed outside of Python with

    openssl dgst -sha256 -hmac SECRET BODY_FILE        (plan dialect; Stripe: the file begins with `t.`)
    openssl dgst -sha1   -hmac SECRET BODY_FILE        (Kiwify)
"""

from __future__ import annotations

import pytest

from simulators.gateways import gateway

URL = "http://127.0.0.1:8080/hook"
NOW_S = 1_772_366_400
PLAN_BODY = (
    '{"order_id":"HT12345","customer":{"email":"João@example.com","phone":"+5511987654321"},"amount":99.90,'
    '"currency":"BRL","status":"approved","event_time":"2026-02-24T10:00:00Z","product_id":"prod-123"}'
).encode()
KIWIFY_BODY = (
    '{"order_id":"c5b2","webhook_event_type":"order_approved","Customer":{"full_name":"José / Açaí"},'
    '"Commissions":{"charge_amount":5073}}'
).encode()
STRIPE_BODY = b'{\n  "id": "evt_1",\n  "object": "event",\n  "type": "payment_intent.succeeded"\n}'


@pytest.mark.parametrize("name", ["hotmart", "kiwify", "perfectpay"])
def test_plan_signatures_are_openssls(name: str) -> None:
    """HMAC-SHA256 over the raw bytes, accents and 99.90 included, with a secret that is not ASCII."""
    sent = gateway(name).sign(PLAN_BODY, dialect="plan", secret="plan-secret-ção", url=URL, now_s=NOW_S)
    assert sent.headers["X-Signature"] == "sha256=61cf98fcce3a17eeb42592c77bdb17ff92d28b0df0e95ca6de3314fa65fa7c61"
    assert (sent.url, sent.body) == (URL, PLAN_BODY)


def test_kiwify_signatures_are_openssls() -> None:
    """HMAC-SHA1 over the raw UTF-8 bytes, in the query."""
    sent = gateway("kiwify").sign(KIWIFY_BODY, dialect="vendor", secret="kw0token9", url=URL, now_s=NOW_S)
    assert sent.url == f"{URL}?signature=b00a4e0fc76acdf49d78f091aff1d59f8e9464e8"
    assert sent.body == KIWIFY_BODY


def test_stripe_signatures_are_openssls() -> None:
    """HMAC-SHA256 over `t.body` with the whole secret, which is never decoded."""
    secret = "whsec_dGhpcyBpcyBub3QgZGVjb2RlZA=="
    sent = gateway("stripe").sign(STRIPE_BODY, dialect="vendor", secret=secret, url=URL, now_s=NOW_S)
    wanted = "t=1772366400,v1=8a0db51f712da4feaec198048689cd43c098bf277269c83779bef6f936167201"
    assert (sent.headers["Stripe-Signature"], sent.body) == (wanted, STRIPE_BODY)
