"""G-60  Who cannot prove who they are is told nothing about their body, because nobody has read it.

Given  a stranger without the secret
When   they send a body that is a webhook, and one that is no JSON at all, both with a proof that is wrong
Then   both get the same answer: what is in the body makes no difference before its sender is known
"""

from dataclasses import replace

import pytest

from harness.testing import Pipeline


@pytest.mark.scenario("G-60", proves=("gateway/hmac", "011.1/waf-malformed"))
@pytest.mark.each_gateway
def test_unproven_bodies_are_not_read(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway()
    if gateway.name == "perfectpay" and gateway.dialect == "vendor":
        pipeline.not_applicable("its token stands inside the body, which has to be read first")
    order = gateway.order()
    wrong = order.webhook(secret="what a stranger would guess")
    # When
    readable = order.deliver(webhook=wrong)
    unreadable = order.deliver(webhook=replace(wrong, body=order.tampered("malformed_json").body))
    # Then
    assert readable.refused, f"a wrong proof must be refused with a 4xx; it was {readable.status}"
    assert (unreadable.status, unreadable.text) == (readable.status, readable.text), (
        f"a stranger's body was read before its signature: as JSON it is answered with {readable.status} "
        f"{readable.text[:120]}, as rubbish with {unreadable.status} {unreadable.text[:120]}"
    )
    pipeline.refused_means_refused(order)
