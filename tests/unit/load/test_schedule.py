"""The schedule and its webhooks are fixed by the plan alone."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.plan import LoadPlan, NoPlan
from load.schedule import due_times
from load.webhooks import SITE, render
from simulators import gateways as fakes


def a_plan(**changes: object) -> LoadPlan:
    """Two customers of all gateways, one of each dialect."""
    names = sorted(fakes.known())
    tenants = [
        {
            "tenant": f"t-{dialect}",
            "gateways": {
                name: {
                    "dialect": dialect if dialect in fakes.gateway(name).dialects else fakes.gateway(name).dialects[0],
                    "secret": fakes.gateway(name).new_secret("k"),
                }
                for name in names
            },
        }
        for dialect in ("vendor", "plan")
    ]
    values: dict[str, object] = {
        "base_url": "http://127.0.0.1:1",
        "public_url": "https://shop.example.com",
        "webhook_path": "/w/{gateway}/{tenant}",
        "gateways": names,
        "tenants": tenants,
        "seed": 5,
        "rate_per_s": 10.0,
        "duration_s": 4.0,
        "origin_s": 1_780_000_000,
        "processes": 1,
        "timeout_s": 1.0,
        "folder": "/nowhere",
    }
    return LoadPlan(**{**values, **changes})  # type: ignore[arg-type]  # the test's own words


@given(st.integers(0, 9), st.floats(0.5, 200), st.floats(0.5, 60))
def test_the_schedule_has_the_rate_and_is_the_same_again(seed: int, rate: float, duration: float) -> None:
    """As many requests as were asked for, in order, within the duration; another seed, another schedule."""
    times = due_times(seed=seed, rate_per_s=rate, duration_s=duration)
    assert len(times) == round(rate * duration)
    assert all(0 <= one <= duration for one in times)
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times == due_times(seed=seed, rate_per_s=rate, duration_s=duration)
    if times:
        assert times != due_times(seed=seed + 1, rate_per_s=rate, duration_s=duration)


def test_arrivals_bunch_as_those_of_strangers_do() -> None:
    """A Poisson process: the gaps vary as much as they are long, and do not come like a metronome."""
    times = due_times(seed=1, rate_per_s=50, duration_s=100)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((one - mean) ** 2 for one in gaps) / len(gaps)) ** 0.5
    assert 0.9 < spread / mean < 1.1


def test_every_gateway_and_customer_has_its_share_and_no_sale_comes_twice() -> None:
    """Gateways take turns exactly, so that each has its samples."""
    plan = a_plan()
    sent = [render(plan, number, number / 10) for number in range(40)]
    assert {name: sum(one.gateway == name for one in sent) for name in plan.gateways} == dict.fromkeys(
        plan.gateways, 10
    )
    assert {one.tenant for one in sent} == {"t-vendor", "t-plan"}
    assert len({one.sale for one in sent}) == 40
    assert sent == [render(plan, number, number / 10) for number in range(40)]


def test_a_signature_is_as_old_as_its_request_not_as_the_run() -> None:
    """Stripe refuses what is older than 300 s: a long run is stamped with the moment each request is due."""
    plan = a_plan(gateways=["stripe"])
    late = render(plan, 0, 3_600.0)
    signature = next(value for name, value in late.headers.items() if name.lower() == "stripe-signature")
    assert f"t={plan.origin_s + 3_600}," in signature


@pytest.mark.parametrize("environment", [{}, {"GOLIVE_LOAD_PLAN": "/nowhere", "GOLIVE_LOAD_NUMBER": "0"}])
def test_a_generator_without_a_plan_says_what_to_do(environment: dict[str, str]) -> None:
    """Nothing is sent by guess."""
    with pytest.raises(NoPlan, match="golive load baseline"):
        LoadPlan.read(environment)


def test_pages_have_their_share_and_gateways_still_take_turns() -> None:
    """Of 100 requests 48 views, 24 clicks, 8 checkouts, and 5 from each gateway; same plan, same bytes."""
    paths = {kind: f"/{kind}/{{tenant}}" for kind in ("pageview", "click", "checkout")}
    plan = a_plan(pages=0.8, page_paths=paths)
    due = [render(plan, number, number / 10) for number in range(100)]
    kinds = Counter(one.dialect for one in due if one.gateway == SITE)
    assert kinds == {"pageview": 48, "click": 24, "checkout": 8}
    assert Counter(one.gateway for one in due if one.gateway != SITE) == dict.fromkeys(sorted(fakes.known()), 5)
    assert len({one.sale for one in due}) == 100
    assert due == [render(plan, number, number / 10) for number in range(100)]
