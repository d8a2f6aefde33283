"""The schedule and its webhooks are fixed by the plan alone."""

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.plan import LoadPlan, NoPlan
from load.schedule import due_times, slots
from load.webhooks import READER, SITE, prepare, render
from simulators import gateways as fakes
from tests.rows import each_row


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
        "pieces": [(10.0, 4.0)],
        "origin_s": 1_780_000_000,
        "processes": 1,
        "timeout_s": 1.0,
        "folder": "/nowhere",
    }
    return LoadPlan(**{**values, **changes})  # type: ignore[arg-type]  # the test's own words


@given(st.integers(0, 9), st.floats(0.5, 200), st.floats(0.5, 60))
def test_the_schedule_has_the_rate_and_is_the_same_again(seed: int, rate: float, duration: float) -> None:
    """As many requests as were asked for, in order, within the duration; another seed, another schedule."""
    pieces = [(rate, duration)]
    times = due_times(seed=seed, pieces=pieces)
    assert len(times) == round(rate * duration)
    assert all(0 <= one <= duration for one in times)
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times == due_times(seed=seed, pieces=pieces)
    if times:
        assert times != due_times(seed=seed + 1, pieces=pieces)


def test_arrivals_bunch_as_those_of_strangers_do() -> None:
    """A Poisson process: the gaps vary as much as they are long, and do not come like a metronome."""
    times = due_times(seed=1, pieces=[(50, 100)])
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((one - mean) ** 2 for one in gaps) / len(gaps)) ** 0.5
    assert 0.9 < spread / mean < 1.1


def test_every_gateway_and_customer_has_its_share_and_no_sale_comes_twice() -> None:
    """Gateways take turns exactly, so that each has its samples."""
    plan = a_plan()
    sent = [render(plan, number, number / 10) for number in range(40)]
    assert {name: sum(one.gateway == name for one in sent) for name in plan.gateways} == dict.fromkeys(
        plan.gateways, 40 // len(plan.gateways)
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


@each_row("environment", [{}, {"GOLIVE_LOAD_PLAN": "/nowhere", "GOLIVE_LOAD_NUMBER": "0"}])
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
    assert Counter(one.gateway for one in due if one.gateway != SITE) == dict.fromkeys(
        sorted(fakes.known()), 20 // len(fakes.known())
    )
    assert len({one.sale for one in due}) == 100
    assert due == [render(plan, number, number / 10) for number in range(100)]


def test_nine_buyers_in_ten_come_from_a_click_that_was_told_before() -> None:
    """At the same customer's site, seconds earlier, and paid after it: or matching would have nothing to find."""
    paths = {kind: f"/{kind}/{{tenant}}" for kind in ("pageview", "click", "checkout")}
    plan = a_plan(gateways=["stripe"], pages=0.8, page_paths=paths, pieces=[(20.0, 60.0), (40.0, 30.0)])
    due = [prepare(plan, one) for one in slots(plan)]
    clicks = {one.sale: one for one in due if one.dialect == "click"}
    sales = [one for one in due if one.gateway == "stripe" and one.due_s > 20]
    named = 0
    for sale in sales:
        assert sale.body is not None
        if found := re.search(rb'"click_id": ?"(\d+-\d+)"', sale.body):
            click = clicks[found[1].decode()]
            assert (click.tenant, click.due_s < sale.due_s - 1) == (sale.tenant, True)
            assert int(re.search(rb'"created": ?(\d+)', sale.body)[1]) >= plan.origin_s + int(click.due_s)  # type: ignore[index]  # it is there
            named += 1
    assert 0.85 < named / len(sales) < 0.95
    assert b"click_id" not in (render(a_plan(gateways=["stripe"]), 300, 60.0).body or b"")


def test_a_spike_is_as_high_and_as_long_as_it_was_asked_for() -> None:
    """A rate over time: each piece has exactly its share, in its own time."""
    times = due_times(seed=1, pieces=[(5, 10), (100, 4), (5, 10)])
    assert [sum(begin <= one < end for one in times) for begin, end in ((0, 10), (10, 14), (14, 24))] == [50, 400, 50]
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_in_a_storm_everything_comes_once_more_with_the_same_bytes() -> None:
    """Within the storm's seconds, beside what is new; only what a vendor signs anew for each attempt differs."""
    plan = a_plan(pieces=[(10.0, 400.0), (10.0, 60.0)], storm_after=1, storm_over_s=15.0)
    due = [prepare(plan, one) for one in slots(plan)]
    assert len({one.number for one in due}) == len(due) == 4_000 + 600 + 4_000
    assert [one.due_s for one in due] == sorted(one.due_s for one in due)
    firsts, again = {}, []
    for one in due:
        if one.sale in firsts:
            again.append(one)
        else:
            firsts[one.sale] = one
    assert len(again) == 4_000
    assert all(400 <= one.due_s <= 415 for one in again)
    assert all(one.body == firsts[one.sale].body and one.path == firsts[one.sale].path for one in again)
    stripe = [one for one in again if one.gateway == "stripe"]
    assert stripe
    assert all(f"t={plan.origin_s + int(one.due_s)}," in one.headers["Stripe-Signature"] for one in stripe)
    others = [one for one in again if one.gateway != "stripe"]
    assert all(one.headers == firsts[one.sale].headers for one in others)


def test_readers_come_besides_each_with_their_own_cookie() -> None:
    """They change nothing of what is sent, and each sees the page of their own customer."""
    plan = a_plan(reads_per_s=5.0, dashboard_path="/dashboard", cookies=["session=a", "session=b"])
    due = [prepare(plan, one) for one in slots(plan)]
    reads = [one for one in due if one.gateway == READER]
    assert len(reads) == 20
    assert {(one.tenant, one.headers["Cookie"]) for one in reads} == {
        ("t-vendor", "session=a"),
        ("t-plan", "session=b"),
    }
    assert all(one.body is None and one.path == "/dashboard" for one in reads)
    without = [prepare(a_plan(), one) for one in slots(a_plan())]
    assert [one for one in due if one.gateway != READER] == without
    assert len({one.number for one in due}) == len(due)


def test_several_plans_of_one_run_share_no_sale() -> None:
    """A search sends one schedule after the other; a sale that came twice would be a duplicate."""
    one, two = a_plan(), a_plan(first=40)
    sales = [{prepare(plan, slot).sale for slot in slots(plan)} for plan in (one, two)]
    assert len(sales[0]) == len(sales[1]) == 40
    assert not sales[0] & sales[1]
