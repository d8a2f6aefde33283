"""Realistic run records: a green one, a red one with hostile texts, an undecided one, and a harness error."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest

from harness.checks import slo
from harness.checks.verdict import decide
from harness.readiness import rows
from harness.records import (
    Ledger,
    LoadDistribution,
    LoadKnee,
    LoadMark,
    LoadResult,
    LoadSeries,
    LoadStep,
    PrivacyResult,
    RunRecord,
    ScenarioResult,
    SloResult,
    TargetInfo,
)

GATEWAYS = ("perfectpay", "hotmart", "kiwify", "stripe")
HOSTILE = "<script>alert('x')</script> & <b>bold</b> | pipe `tick` ]]> \x00\x1b[31m @everyone"
COMMAND = "golive run --seed 7 --at 2026-03-01T12:00:00Z"

#: Id, suite, title, claims, and whether it is run for each gateway.
PROMISES = (
    ("S-01", "smoke", "A purchase is accepted and reaches Meta once.", ("gateway/202", "gateway/persisted"), True),
    ("S-02", "smoke", "One click is followed to Meta.", ("011.6/smoke-click", "011.6/smoke-match"), False),
    ("G-01", "gateways", "A webhook signed with a wrong secret is refused.", ("gateway/hmac",), True),
    ("G-03", "gateways", "One changed byte is refused.", ("gateway/hmac", "011.5a/hmac-right"), True),
    ("G-04", "gateways", "A body re-serialised after signing is refused.", ("011.5a/raw-body", "gateway/hmac"), True),
    ("G-07", "gateways", "A duplicate delivery is counted once.", ("gateway/idempotent",), True),
    ("G-09", "gateways", "The event id survives a restart.", ("gateway/event-id",), True),
    ("G-10", "gateways", "What is no purchase is ignored.", ("gateway/normalised",), True),
    ("P-01", "privacy", "E-mail and phone are hashed before they are stored.", ("gateway/hash",), True),
    ("P-02", "privacy", "Answers and logs leak nothing.", ("constraint/lgpd",), False),
    ("D-01", "dispatch", "A brown-out of Meta loses nothing.", ("011.3/retry",), False),
    ("D-05", "dispatch", "The breaker trips and recovers.", ("011.3/breaker", "risk/breaker-spike"), False),
    ("R-01", "recovery", "A consumer killed before the delete doubles nothing.", ("011.3/dlq",), False),
)


def scenario(name: str, suite: str, title: str, claims: Sequence[str], gateway: str | None) -> ScenarioResult:
    """One variant of a promise, kept."""
    proves = tuple(row for claim in claims for row in rows.expand(claim, gateway))
    key = f"{name}[{gateway}-vendor]" if gateway else name
    return ScenarioResult(
        id=key,
        title=title,
        story=proves[0].rpartition("/")[0],
        criterion=proves[0].rpartition("/")[2],
        proves=proves,
        suite=suite,
        outcome="passed",
        duration_s=0.1 + len(title) / 50,
        given="a tenant with a pixel and a fresh secret",
        when="the gateway delivers the webhook",
        then="what was promised is what is seen",
        evidence=("answered 202 in 4 ms", "counted once by Meta"),
        reproduce=f"{COMMAND} -k '{key}'",
        ledger=Ledger(deliveries=3, accepted=2, rejected=1, duplicate=1, delivered=1),
    )


def green_scenarios() -> tuple[ScenarioResult, ...]:
    """Every promise kept, on every gateway."""
    return tuple(
        scenario(name, suite, title, claims, gateway)
        for name, suite, title, claims, each in PROMISES
        for gateway in (GATEWAYS if each else (None,))
    )


def record(
    scenarios: Sequence[ScenarioResult],
    *,
    slos: Sequence[SloResult] = (),
    privacy: PrivacyResult | None = None,
    harness_errors: Sequence[str] = (),
    required: set[str] | None = None,
    load: LoadResult | None = None,
    extra: Ledger | None = None,
) -> RunRecord:
    """A whole record, judged by the real rules over the real plan."""
    ledger = sum((one.ledger for one in scenarios), extra or Ledger())
    hunted = privacy or PrivacyResult(canaries=412, places=("log target-web.log", "table public.conversions"))
    stories, checklist = rows.judge(rows.load(), scenarios, slos, reproduce=COMMAND)
    judged = decide(
        harness_errors=harness_errors,
        scenarios=scenarios,
        ledger=ledger,
        privacy=hunted,
        slo=slos,
        plan=(*stories, *checklist),
        required={row for one in scenarios for row in one.proves} if required is None else required,
    )
    return RunRecord(
        run_id="20260301T120000Z-1f2e",
        kind="load" if load else "run",
        seed=7,
        target=TargetInfo(name="reference", commit="1a2b3c4d5e6f"),
        clock_origin="2026-03-01T12:00:00Z",
        started_at="2026-03-01T12:00:00Z",
        duration_s=48.3,
        machine="Linux x86_64, 2 cores, Python 3.11.9",
        command=COMMAND,
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=judged.headline,
        reasons=judged.reasons,
        not_observed=judged.not_observed,
        next_steps=judged.next_steps,
        harness_errors=tuple(harness_errors),
        scenarios=tuple(scenarios),
        ledger=ledger,
        privacy=hunted,
        slo=tuple(slos),
        load=load,
        stories=stories,
        checklist=checklist,
        timings={"postgres": 1.2, "fakes": 0.8, "target": 2.1, "scenarios in parallel": 31.0, "scenarios alone": 12.4},
    )


def numbers() -> tuple[SloResult, ...]:
    """What a load run measures: a met p95, a refuted one, an undecided share, a depth, one only shown."""
    rng = Random(3)
    quick = [rng.lognormvariate(4.4, 0.4) for _ in range(1_400)]
    slow = [rng.lognormvariate(7.4, 0.3) for _ in range(1_400)]
    return (
        slo.p95(slo.WEBHOOK_P95, quick, target=200, seed=7),
        slo.p95(slo.DISPATCH_P95, slow, target=2_000, seed=7),
        slo.proportion(slo.SUCCESS_RATE, good=1_395, total=1_400, target=99, of="counted by Meta / accepted"),
        slo.availability(requests=1_400, failures=0),
        slo.ceiling(slo.DLQ_DEPTH, [0, 3, 1], target=50, unit="events"),
        slo.match_rate(matched=1_100, conversions=1_400),
    )


def series() -> LoadSeries:
    """Two minutes, with a second in which nothing was due and one in which everything was slow."""
    p95 = tuple(None if one == 40 else 900.0 if one == 50 else 100.0 + one for one in range(120))
    return LoadSeries(
        step_s=1.0,
        due=(12,) * 120,
        failed=(0,) * 120,
        p50_ms=tuple(one and one / 2 for one in p95),
        p95_ms=p95,
        max_ms=tuple(one and one * 2 for one in p95),
        backlog=tuple(range(120)),
        queue=tuple(None if one % 2 else float(one) for one in range(120)),
        memory_mb=(101.5,) * 120,
    )


def knee() -> LoadKnee:
    """Three searches that agree, of two steps each."""
    steps = [
        LoadStep(
            repeat=repeat,
            planned_per_s=rate,
            achieved_per_s=rate,
            requests=1_050,
            failures=0,
            ack_p95_ms=50.0 if held else 700.0,
            ack_p99_ms=None,
            uncorrected_p95_ms=40.0,
            uncorrected_p99_ms=80.0,
            dispatch_p95_s=0.9,
            scheduler_lag_p99_ms=2.0,
            held=held,
            limited_by="" if held else "target",
            why="" if held else HOSTILE,
        )
        for repeat in (1, 2, 3)
        for rate, held in ((200.0, True), (220.0, False))
    ]
    return LoadKnee(
        steps=tuple(steps),
        knees_per_s=(200.0, 200.0, 200.0),
        knee_per_s=200.0,
        low_per_s=200.0,
        high_per_s=220.0,
        spread_percent=0.0,
        limited_by="target",
        times_average_day=17.28,
        decided=True,
        sentence="The target holds 17.3× the plan's average day",
    )


@pytest.fixture
def go() -> RunRecord:
    """Everything that was tested is kept."""
    return record(green_scenarios())


@pytest.fixture
def no_go() -> RunRecord:
    """Three promises broken, one with a hostile message, a leak, a lost and a doubled conversion, a refuted p95."""
    scenarios = list(green_scenarios())
    for number, message in ((4, HOSTILE), (5, "wanted 401, got 202"), (20, "counted 2 times\nby Meta")):
        scenarios[number] = replace(scenarios[number], outcome="failed", blame="target", message=message)
    load = LoadResult(
        profile="baseline",
        planned_per_s=11.6,
        achieved_per_s=11.58,
        duration_s=120.0,
        requests=1_400,
        failures=0,
        scheduler_lag_p99_ms=1.84,
        meta_latency_median_ms=150,
        meta_latency_p95_ms=600,
        ack_p50_ms=81.2,
        ack_p95_ms=180.5,
        ack_p99_ms=203.4,
        uncorrected_p95_ms=149.5,
        uncorrected_p99_ms=151,
        facts=(HOSTILE,),
        marks=(LoadMark(what=HOSTILE, from_s=30.0, until_s=60.0, kind="fault"),),
        series=series(),
        distribution=LoadDistribution(
            edges_ms=(1.0, 10.0, 100.0, 1_000.0),
            corrected=(200, 1_100, 90),
            uncorrected=(210, 1_100, 20),
            unanswered=10,
        ),
        knee=knee(),
    )
    leaks = ("table public.conversions: a plain email",)
    return record(
        scenarios,
        slos=numbers(),
        load=load,
        privacy=PrivacyResult(canaries=412, places=("table public.conversions",), leaks=leaks),
        extra=Ledger(deliveries=5, accepted=4, rejected=1, delivered=3, lost=1, doubled=1),
    )


@pytest.fixture
def inconclusive() -> RunRecord:
    """Nothing broken, but three scenarios could not look."""
    scenarios = list(green_scenarios())
    for number in (4, 33, 34):
        scenarios[number] = replace(
            scenarios[number], outcome="skipped", message="the target file names no probes.database_url"
        )
    return record(scenarios)


@pytest.fixture
def harness_error() -> RunRecord:
    """A fake died, and a scenario could not be carried out."""
    scenarios = list(green_scenarios())[:9]
    scenarios[6] = replace(scenarios[6], outcome="error", blame="harness", message="the control socket is gone")
    died = "The fake Meta ended with exit code -9 while it was needed. Its log: logs/meta.log"
    return record(scenarios, harness_errors=(died,))


@pytest.fixture
def empty() -> RunRecord:
    """Nothing ran at all."""
    return record((), privacy=PrivacyResult(), required=set())


@pytest.fixture(params=["go", "no_go", "inconclusive", "harness_error", "empty"])
def any_record(request: pytest.FixtureRequest) -> RunRecord:
    """Each of them."""
    made: RunRecord = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def make() -> Callable[..., RunRecord]:
    """To make another."""
    return record
