"""What raw samples say, and when they are not believed."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from harness.checks import load, slo
from harness.errors import HarnessError
from harness.records import Arrival, Ledger, SloResult
from tests.rows import each_row

GATEWAYS = ("hotmart", "kiwify", "perfectpay", "stripe")


def sample(
    number: int, *, due_s: float, lag_s: float = 0.001, took_s: float = 0.02, status: int | None = 202
) -> load.Sample:
    """One request."""
    return load.Sample(
        number=number,
        due_s=due_s,
        sent_s=due_s + lag_s,
        answered_s=due_s + lag_s + took_s,
        status=status,
        gateway=GATEWAYS[number % 4],
        dialect="vendor",
        tenant="t-1",
        sale=f"sale-{number}",
    )


def quiet(count: int = 4_400, *, rate: float = 20.0) -> list[load.Sample]:
    """A target that answers in about 20 ms."""
    rng = Random(1)
    return [sample(number, due_s=number / rate, took_s=rng.lognormvariate(-4, 0.3)) for number in range(count)]


def seen(samples: Sequence[load.Sample], *, dispatch_s: float = 0.4, lost: int = 0) -> load.Seen:
    """The run to these samples, with Meta answering that much after the acceptance."""
    accepted = [one for one in samples if one.accepted]
    missing = {one.sale for one in Random(2).sample(accepted, lost)}
    counted = {one.sale: one.answered_s + dispatch_s for one in accepted if one.sale not in missing}
    book = Ledger(
        deliveries=len(samples),
        rejected=sum(one.status is not None and not one.accepted for one in samples),
        unanswered=sum(one.status is None for one in samples),
        accepted=len(accepted),
        delivered=len(accepted) - lost,
        lost=lost,
    )
    return load.Seen(samples=samples, counted_at_s=counted, ledger=book, dlq_depths=[0, 0, lost])


def judged(run: load.Seen) -> dict[str, SloResult]:
    """The results by name."""
    return {one.name: one for one in load.judge(run, seed=1)}


def test_a_quiet_run_meets_everything() -> None:
    """Every service level of the plan, and each gateway's own latency."""
    found = judged(seen(quiet()))
    assert {name for name, one in found.items() if one.met is not True} == {slo.MATCH_RATE}
    assert {slo.of_gateway(slo.WEBHOOK_P95, name) for name in GATEWAYS} <= set(found)


def test_a_frozen_target_is_seen_although_the_generator_waited_for_it() -> None:
    """Requests due during a freeze of 20 s and sent after it: the corrected figure tells, the uncorrected does not."""
    samples = quiet()
    frozen = [
        one if not 100 <= one.due_s < 120 else sample(one.number, due_s=one.due_s, lag_s=120 - one.due_s, took_s=0.02)
        for one in samples
    ]
    corrected = load.percentile([one.corrected_ms for one in frozen], 0.95)
    uncorrected = load.percentile([one.uncorrected_ms for one in frozen], 0.95)
    assert corrected is not None
    assert uncorrected is not None
    assert corrected > load.WEBHOOK_MS > uncorrected


@each_row(
    ("name", "run"),
    [
        (slo.WEBHOOK_P95, seen([sample(n, due_s=n / 20, took_s=0.3 if n % 10 == 0 else 0.01) for n in range(4_000)])),
        (slo.DISPATCH_P95, seen(quiet(), dispatch_s=2.5)),
        (slo.SUCCESS_RATE, seen(quiet(), lost=100)),
        (slo.DLQ_DEPTH, seen(quiet(), lost=60)),
        (slo.AVAILABILITY, seen([sample(n, due_s=n / 20, status=500 if n % 100 == 0 else 202) for n in range(4_000)])),
    ],
)
def test_each_service_level_can_be_refuted(name: str, run: load.Seen) -> None:
    """One thing is wrong, and its own number says so."""
    assert judged(run)[name].met is False


def test_two_schedules_together_decide_what_each_could_not() -> None:
    """Half of the samples, each time; what either has lost or was slow at stays so."""
    everything = quiet(2_400)
    parts = [everything[:800], everything[800:]]
    few, both = judged(seen(parts[0])), judged(load.together([seen(parts[0]), seen(parts[1], lost=3)]))
    assert few[slo.WEBHOOK_P95].met is None
    assert (both[slo.WEBHOOK_P95].met, both[slo.WEBHOOK_P95].samples) == (True, 2_400)
    assert (both[slo.DISPATCH_P95].met, both[slo.DISPATCH_P95].samples) == (True, 2_400)
    assert both[slo.DISPATCH_P95].measured == pytest.approx(0.4), "of the second schedule too"
    assert both[slo.SUCCESS_RATE].measured == pytest.approx(100 * 2_397 / 2_400)
    slow = [replace(one, answered_s=one.answered_s + 1.0) for one in parts[1]]
    assert judged(load.together([seen(parts[0]), seen(slow)]))[slo.WEBHOOK_P95].met is False


def test_what_never_came_counts_as_slow_not_as_nothing() -> None:
    """Seven of a hundred lost: the dispatch p95 is infinite, not the p95 of those that came."""
    found = judged(seen(quiet(), lost=300))
    assert found[slo.DISPATCH_P95].met is False


def test_what_rightly_ends_without_meta_is_not_waited_for() -> None:
    """A suppressed sale has no dispatch latency."""
    run = seen(quiet(), lost=300)
    settled = frozenset(one.sale for one in run.samples if one.sale not in run.counted_at_s)
    excused = load.Seen(
        samples=run.samples,
        counted_at_s=run.counted_at_s,
        ledger=run.ledger,
        dlq_depths=(),
        settled=settled,
    )
    assert judged(excused)[slo.DISPATCH_P95].met is True


@each_row("took_s", [0.02, 0.5])
def test_a_late_generator_decides_nothing(took_s: float) -> None:
    """Two in a hundred sent 50 ms late: neither met nor refuted, and the reason is said."""
    samples = [sample(n, due_s=n / 20, lag_s=0.05 if n % 50 == 0 else 0.001, took_s=took_s) for n in range(4_000)]
    found = judged(seen(samples))
    assert found[slo.WEBHOOK_P95].met is None
    assert "generator was late" in found[slo.WEBHOOK_P95].note
    assert found[slo.DISPATCH_P95].met is None


def test_unanswered_requests_are_infinitely_slow() -> None:
    """Leaving them out would make a dying target look quick."""
    assert sample(1, due_s=0.0, status=None).corrected_ms == math.inf
    run = seen([sample(n, due_s=n / 20, status=None if n % 10 == 0 else 202) for n in range(4_000)])
    assert judged(run)[slo.WEBHOOK_P95].met is False


HEAD = "number,due_s,sent_s,answered_s,status,gateway,dialect,tenant,sale\n"


def test_samples_of_several_generators_are_one_series() -> None:
    """In the order in which they were due."""
    texts = [HEAD + "1,0.5,0.5,0.6,202,stripe,vendor,t,b\n", HEAD + "0,0.1,0.1,0.2,,stripe,vendor,t,a\n"]
    found = load.read(texts, planned=2)
    assert [(one.number, one.status) for one in found] == [(0, None), (1, 202)]


@each_row(
    "text",
    [
        HEAD + "0,0.1,0.1,0.2,202,stripe,vendor,t,a\n",
        HEAD + "0,0.1,0.1,0.2,202,stripe,vendor,t,a\n1,0.1,0.1",
        HEAD + "0,0.1,0.1,0.2,202,stripe,vendor,t,a\n1,x,0.1,0.2,202,stripe,vendor,t,b\n",
        "",
    ],
)
def test_samples_that_are_missing_or_broken_are_the_harness_s_error(text: str) -> None:
    """What was not written down cannot be judged."""
    with pytest.raises(HarnessError, match="generator"):
        load.read([text], planned=2)


def test_the_first_counting_of_a_sale_is_its_arrival() -> None:
    """Refused and duplicate events are none, and later ones change nothing."""

    def arrival(at_s: float, *, counted: bool) -> Arrival:
        return Arrival(
            event_id="e", event_name="Purchase", order_id="a", keys=(), counted=counted, refused=not counted, at_s=at_s
        )

    events = [arrival(101.0, counted=False), arrival(102.5, counted=True), arrival(109.0, counted=True)]
    assert load.counted_at_s(events, began_s=100.0) == {"a": 2.5}


def page(number: int, kind: str, *, status: int | None = 202) -> load.Sample:
    """What a page told: slow, so that it would be noticed among webhooks."""
    return replace(sample(number, due_s=0.1 * number, took_s=9.0, status=status), gateway=load.SITE, dialect=kind)


def arrival(event_id: str, *, counted: bool = True) -> Arrival:
    """A page event at Meta."""
    return Arrival(
        event_id=event_id, event_name="PageView", order_id=None, keys=(), counted=counted, refused=False, at_s=1.0
    )


def test_pages_are_requests_but_no_webhooks_and_no_sales() -> None:
    """Slow page events change neither the webhooks' latency nor the dispatch of purchases; an unanswered one counts."""
    alone = judged(seen(quiet()))
    pages = [page(10_000 + number, "pageview", status=None if number == 0 else 202) for number in range(400)]
    mixed = judged(replace(seen(quiet()), samples=[*quiet(), *pages]))
    for name in (slo.WEBHOOK_P95, slo.DISPATCH_P95):
        assert mixed[name].measured == alone[name].measured
    assert f"{slo.WEBHOOK_P95}, {load.SITE}" not in mixed
    assert mixed[slo.AVAILABILITY].samples == len(quiet()) + 400
    assert not load.deliveries(pages, began_s=0)


def test_each_accepted_page_event_is_counted_once() -> None:
    """Lost and doubled ones are told; clicks and refused requests owe Meta nothing."""
    pages = [page(1, "pageview"), page(2, "checkout"), page(3, "click"), page(4, "pageview", status=503)]
    right = [arrival("sale-1"), arrival("sale-2"), arrival("sale-2", counted=False)]
    assert load.page_findings(pages, right) == []
    assert load.page_findings(pages, right[:1]) == ["1 of 2 page events never reached Meta"]
    assert load.page_findings(pages, [*right, arrival("sale-1")]) == ["1 of 2 page events were counted more than once"]


def frozen_once(*, lasts_s: float = 5.0) -> list[load.Sample]:
    """A target that stands still from 100 s on: everything due meanwhile is sent in time, and answered at its end."""
    return [
        one
        if not 100 <= one.due_s < 100 + lasts_s
        else sample(one.number, due_s=one.due_s, took_s=100 + lasts_s - one.due_s)
        for one in quiet(rate=40.0)
    ]


def test_a_freeze_is_what_a_tool_that_waits_does_not_see() -> None:
    """Sent in time or not: who waits for an answer before asking again measures one slow request, not two hundred."""
    samples = frozen_once()
    corrected = load.percentile([one.corrected_ms for one in samples], 0.99)
    uncorrected = load.percentile(load.uncorrected_ms(samples), 0.99)
    assert corrected is not None
    assert uncorrected is not None
    assert corrected > 3_000
    assert uncorrected < load.WEBHOOK_MS
    # Where nothing stands still, both say the same of nearly every request.
    calm = quiet(rate=2.0)
    assert len(load.uncorrected_ms(calm)) > 0.9 * len(calm)


def test_what_was_accepted_while_meta_was_gone_is_no_dispatch_latency() -> None:
    """It says so, with from when until when and how many are left."""
    run = seen(quiet())
    slow = {one.sale: run.counted_at_s[one.sale] + (60 if 50 <= one.answered_s <= 110 else 0) for one in run.samples}
    late = replace(run, counted_at_s=slow)
    assert judged(late)[slo.DISPATCH_P95].met is False
    found = judged(replace(late, excluded=(50.0, 110.0)))[slo.DISPATCH_P95]
    assert found.met is True
    assert found.samples == sum(not 50 <= one.answered_s <= 110 for one in run.samples)
    assert "outside of the outage and its drain (50.0 to 110.0 s)" in found.note


def test_who_reads_the_dashboard_is_judged_apart() -> None:
    """Slow pages refute their own number and leave the webhooks' alone; a page that did not come is no quick one."""
    reads = [
        replace(sample(5_000 + one, due_s=one / 10, took_s=1.5, status=200), gateway=load.READER, sale=f"read-{one}")
        for one in range(1_100)
    ]
    run = seen(quiet())
    found = judged(replace(run, samples=sorted([*run.samples, *reads], key=lambda one: one.due_s)))
    assert found[slo.DASHBOARD_P95].met is False
    assert found[slo.WEBHOOK_P95].met is True
    assert found[slo.WEBHOOK_P95].samples == len(run.samples)
    assert found[slo.SUCCESS_RATE].samples == len(run.samples)
    refused = [replace(one, answered_s=one.due_s + 0.01, status=401) for one in reads]
    found = judged(replace(run, samples=sorted([*run.samples, *refused], key=lambda one: one.due_s)))
    assert found[slo.DASHBOARD_P95].met is False
    assert slo.DASHBOARD_P95 not in judged(run)


@each_row(("matched", "measured"), [(None, None), (3_300, 75.0), (9_999, 100.0)])
def test_the_match_rate_is_shown_and_never_met(matched: int | None, measured: float | None) -> None:
    """Our own journeys decide it, so it would prove itself."""
    found = judged(replace(seen(quiet()), matched=matched))[slo.MATCH_RATE]
    assert found.met is None
    assert found.measured == measured
