"""Retry schedules and delivery plans: data and pure functions of their arguments."""

import itertools

import pytest

from simulators.gateways import gateway, known, webhook
from simulators.gateways._delivery import UNKNOWN, Configuration, Schedule, plan, schedule
from simulators.people import order
from tests.rows import each_row

THREE_DAYS_S = 3 * 86_400
NOW_S = 1_772_366_400


@each_row("name", sorted(known()))
def test_every_gateway_says_what_is_known_of_its_retries(name: str) -> None:
    """Each figure has a mark and a source; a figure without a source would pass for a fact."""
    facts = schedule(name).facts
    assert set(facts) == {"delays_s", "timeout_s", "signs_each_attempt", "off_after_failures"}
    assert all(fact.mark in ("DOC", "CODE", "?") and fact.source for fact in facts.values())
    assert all(delay > 0 for delay in schedule(name).delays_s)


@each_row("name", sorted(known()))
def test_what_changes_between_attempts_is_what_the_schedule_says(name: str) -> None:
    """Signed a minute later, Stripe's request is another one around the same body, and the others' the very same."""
    fake, sale = gateway(name), order("7/delivery", now_s=NOW_S)
    body = fake.render(sale, "approved", dialect="vendor", secret="s" * 32, url="http://127.0.0.1/", now_s=NOW_S)
    first, second = (
        fake.sign(body, dialect="vendor", secret="s" * 32, url="http://127.0.0.1/", now_s=at_s)
        for at_s in (NOW_S, NOW_S + 60)
    )
    assert first.body == second.body
    assert (first != second) == schedule(name).signs_each_attempt


def test_stripe_tries_for_three_days() -> None:
    """Documented: up to three days, further and further apart."""
    stripe = schedule("stripe")
    assert stripe.gives_up_after_s == THREE_DAYS_S
    assert list(stripe.delays_s) == sorted(stripe.delays_s)
    assert stripe.signs_each_attempt


def test_a_vendor_gives_up_after_its_last_delay() -> None:
    """One attempt more than delays."""
    tries = Schedule(delays_s=(60.0, 300.0), timeout_s=5.0, signs_each_attempt=False)
    assert tries.attempts == 3
    assert [tries.delay_s(failed) for failed in (1, 2, 3, 4)] == [60.0, 300.0, None, None]


def test_time_is_compressed_and_the_time_out_is_not() -> None:
    """An hour a second; the receiver gets no less time to answer."""
    fast = schedule("kiwify").compressed(3600)
    assert fast.gives_up_after_s == pytest.approx(schedule("kiwify").gives_up_after_s / 3600)
    assert fast.timeout_s == schedule("kiwify").timeout_s
    with pytest.raises(ValueError, match="above 0"):
        schedule("kiwify").compressed(0)


def test_a_gateway_of_which_nothing_is_known_is_retried_all_the_same() -> None:
    """Somebody's new gateway file needs no entry here."""
    assert schedule("paddle") is UNKNOWN


def test_a_failing_configuration_is_switched_off_and_stays_off() -> None:
    """Only failures in a row count, and a later success does not switch it on."""
    hotmart = Configuration(off_after_failures=3)
    for accepted in (False, False, True, False, False):
        hotmart.saw(accepted=accepted)
    assert not hotmart.off
    hotmart.saw(accepted=False)
    hotmart.saw(accepted=True)
    assert hotmart.off
    stripe = Configuration(off_after_failures=None)
    for _ in range(1000):
        stripe.saw(accepted=False)
    assert not stripe.off


def test_a_plan_spreads_its_slots_over_time() -> None:
    """At a rate, in the order in which things happened; without one, all at once."""
    slots = plan(2, seed=1, events=2, rate_per_s=10)
    assert [slot.at_s for slot in slots] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [(slot.sale, slot.event) for slot in slots] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {slot.at_s for slot in plan(50, seed=1)} == {0.0}
    assert {slot.copies for slot in plan(5, seed=1, copies=3)} == {3}


def test_bursts_keep_the_mean_rate() -> None:
    """Five at an instant, the next five half a second later."""
    slots = plan(20, seed=1, rate_per_s=10, burst=5)
    assert [slot.at_s for slot in slots] == pytest.approx([0.0] * 5 + [0.5] * 5 + [1.0] * 5 + [1.5] * 5)


def test_nothing_is_sent_in_a_gap_and_all_of_it_comes_after() -> None:
    """As after an outage of the vendor's: silence, then what was due in it."""
    slots = plan(200, seed=7, rate_per_s=10, gap_s=5.0)
    instants = [slot.at_s for slot in slots]
    assert len(slots) == 200
    assert instants == sorted(instants)
    silent_s = max(after - before for before, after in itertools.pairwise(instants))
    assert 4.8 < silent_s < 5.2
    assert max(instants.count(one) for one in set(instants)) >= 49


def test_shuffling_deals_all_webhooks_in_another_order() -> None:
    """None is lost, none is doubled, and a refund may come before its approval."""
    plain, mixed = plan(50, seed=3, events=2, rate_per_s=100), plan(50, seed=3, events=2, rate_per_s=100, shuffle=True)
    told = [(slot.sale, slot.event) for slot in mixed]
    assert sorted(told) == [(slot.sale, slot.event) for slot in plain]
    assert any(told.index((sale, 1)) < told.index((sale, 0)) for sale in range(50))
    assert [slot.at_s for slot in mixed] == [slot.at_s for slot in plain]


def test_the_seed_decides() -> None:
    """Same seed, same plan; another seed, another one."""
    plans = [plan(100, seed=seed, rate_per_s=50, gap_s=1.0, shuffle=True) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


@each_row(
    ("wrong", "said"),
    [
        ({"sales": 0}, "sales"),
        ({"sales": 1, "copies": 0}, "copies"),
        ({"sales": 1, "rate_per_s": 0.0}, "rate"),
        ({"sales": 9, "burst": 3}, "needs a rate"),
        ({"sales": 9, "gap_s": 3.0}, "needs a rate"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, float], said: str) -> None:
    """With a sentence."""
    with pytest.raises(ValueError, match=said):
        plan(**{"seed": 1, **wrong})  # type: ignore[arg-type]


def test_the_folder_of_gateways_holds_no_gateway_called_delivery() -> None:
    """Files without an underscore are gateways there."""
    assert "delivery" not in known()
    assert webhook(
        gateway("kiwify"),
        order("7/x", now_s=NOW_S),
        "approved",
        dialect="vendor",
        secret="s",
        url="http://127.0.0.1/",
        now_s=NOW_S,
    ).body
