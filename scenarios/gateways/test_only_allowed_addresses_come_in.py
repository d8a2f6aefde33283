"""G-45  Where a gateway may come from is a list, and a header does not get past it.

Given  a gateway that an operator has limited to an address that is not ours
When   genuine webhooks come from ours, plainly and with headers that claim the allowed address
Then   all are refused and nothing is stored or sent; once ours is allowed too, by its range, they are accepted
"""

import pytest

from harness.testing import Pipeline, PlacedOrder, must_accept

ALLOWED = "198.51.100.7"


@pytest.mark.scenario("G-45", proves=("011.1/allowlist",))
def test_only_allowed_addresses_come_in(pipeline: Pipeline) -> None:
    # Given
    gateway = pipeline.gateway(like="perfectpay")
    other = pipeline.gateway(like="hotmart", besides=gateway)
    account = {"tenant": pipeline.tenant.tenant, "gateway": gateway.name}
    pipeline.target.act("set_allowlist", **account, allow=[ALLOWED])
    claims: tuple[dict[str, str], ...] = (
        {},
        {"X-Forwarded-For": ALLOWED},
        {"X_Forwarded_For": ALLOWED},
        {"X-Forwarded-For": f"{ALLOWED}, 127.0.0.1"},
        {"X-Real-IP": ALLOWED, "Forwarded": f"for={ALLOWED}", "True-Client-IP": ALLOWED, "CF-Connecting-IP": ALLOWED},
        {"Remote-Addr": ALLOWED, "REMOTE_ADDR": ALLOWED},
    )
    # When
    tried: list[PlacedOrder] = []
    for claim in claims:
        order = gateway.order()
        webhook = order.webhook()
        answer = pipeline.target.post(gateway.path, webhook.body, headers={**webhook.headers, **claim})
        # Then
        assert answer.refused, f"an address that is not allowed must be refused ({claim}); it was {answer.status}"
        tried.append(order)
    later = other.order()
    must_accept(later.deliver(), "another gateway's addresses must not be touched")
    pipeline.meta.wait_until_counted(later)
    pipeline.database.stored_nothing_of(*tried)
    for order in tried:
        pipeline.meta.seen_nothing_of(order)
    pipeline.target.act("set_allowlist", **account, allow=[ALLOWED, "127.0.0.0/8", "::1/128"])
    must_accept(tried[0].deliver(), "an address in an allowed range must come in")
    pipeline.target.act("set_allowlist", **account, allow=[])
    must_accept(tried[1].deliver(), "an empty list must be open")
    for order in tried[:2]:
        pipeline.meta.wait_until_counted(order)
