"""Version N takes over from version N-1 under load, over N's schema, and gives it back."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.testing import Balancer, Traffic

if TYPE_CHECKING:
    from conftest import Release, Site  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

PER_S = 30


# Three whole deployments, one after the other, under load: 18 CPU-s. Draining and migrations are tested every day.
@pytest.mark.nightly
def test_canary_then_everything_then_rollback(site: Site, before: Release) -> None:
    """10 %, 100 %, back to 0 %: every sale is answered 202 and counted once, under an id both versions agree on."""
    old_url, old_web = site.start_web(before)  # over N's schema: it must call itself ready
    old_behind = site.start_behind(before)
    new_url, new_web = site.start_web()
    with Balancer({old_url: 1, new_url: 0}, ready_path="/health/ready") as balancer, ExitStack() as stack:
        for url in (old_url, new_url):
            balancer.wait_until_ready(url, within_s=10)
        traffic = stack.enter_context(Traffic(site, per_s=PER_S, via=balancer.url))  # type: ignore[arg-type]  # enough of a pipeline
        traffic.wait_for_more(20)
        # The canary: N takes in, N-1 sends on.
        balancer.weigh({old_url: 90, new_url: 10})
        taken = balancer.answered_by(new_url), balancer.answered_by(old_url)
        traffic.wait_for_more(60)
        share = [balancer.answered_by(new_url) - taken[0], balancer.answered_by(old_url) - taken[1]]
        assert 0.05 < share[0] / sum(share) < 0.15, f"{share} is not 10 %"
        # All of it: what N-1 has queued, N sends on.
        balancer.weigh({old_url: 0, new_url: 1})
        site.stop(*old_behind)
        new_behind = site.start_behind()
        traffic.wait_for_more(60)
        # Rollback: N is taken out while it works, and N-1 sends on what N has taken in.
        balancer.weigh({old_url: 1, new_url: 0})
        site.stop(*new_behind)
        traffic.wait_for_more(10)
        old_behind = site.start_behind(before)
        site.stop(new_web)
        traffic.wait_for_more(40)
    failed = traffic.not_accepted()
    assert not failed, f"{len(failed)} of {len(traffic.orders)}: {failed[0]}; {balancer.failures[:3]}"
    sales = traffic.orders
    event_ids = site.every_sale_is_counted_once(sales)
    for sale in sales[:: len(sales) // 4]:
        told = {_event_id(site, release, sale.sale_id) for release in (None, before)}
        assert told == {event_ids[sale.sale_id]}, f"the versions name sale {sale.sale_id} differently"
    # What N-1 has taken is a duplicate for N, and the other way round.
    assert sales[0].deliver(via=old_url).json() == {"status": "duplicate"}
    assert sales[-1].deliver(via=old_url).json() == {"status": "duplicate"}
    site.stop(old_web, *old_behind)


def _event_id(site: Site, release: Release | None, sale_id: str) -> str:
    sale = {"tenant": site.tenant, "gateway": "hotmart", "sale_id": sale_id, "kind": "purchase"}
    which = {"release": release} if release else {}
    said = site.run("event-id", "--json", "-", given=json.dumps(sale), **which)
    return str(json.loads(said)["event_id"])
