"""The search for the knee finds it, says when it has not, and whose limit it is."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks import knee, load, slo
from harness.records import LoadKnee, LoadStep, SloResult
from tests.rows import each_row

DAY = 1_000_000 / 86_400


def one_step(repeat: int, rate: float, *, held: bool, limited_by: str = "target") -> LoadStep:
    """A step that held, or did not."""
    return LoadStep(
        repeat=repeat,
        planned_per_s=rate,
        achieved_per_s=rate,
        requests=1_050,
        failures=0,
        ack_p95_ms=50.0 if held else 500.0,
        ack_p99_ms=90.0,
        uncorrected_p95_ms=40.0,
        uncorrected_p99_ms=80.0,
        dispatch_p95_s=0.9,
        scheduler_lag_p99_ms=2.0,
        held=held,
        limited_by="" if held else limited_by,  # type: ignore[arg-type]  # the test's own words
        why="" if held else "webhook latency p95 500 ms",
    )


def searched(capacity: float, begin: float = 60.0, resolution: float = 0.1) -> tuple[knee.KneeSearch, list[float]]:
    """A search of a target that holds everything up to its capacity; and the rates that were asked for."""
    search = knee.KneeSearch(begin_per_s=begin, resolution=resolution)
    asked = []
    while (rate := search.next_per_s()) is not None:
        asked.append(rate)
        search.told(rate, held=rate <= capacity)
        assert len(asked) < 60
    return search, asked


@given(st.floats(2.1, 5_000), st.floats(2, 500))
def test_a_search_ends_with_the_capacity_between_its_bounds(capacity: float, begin: float) -> None:
    """Whatever the target can do, and wherever the search began; in few steps."""
    search, asked = searched(capacity, begin)
    assert search.low_per_s <= capacity < search.high_per_s
    assert search.high_per_s / search.low_per_s <= 1.1 + 1e-9
    assert len(asked) <= 4 + abs(math.log2(capacity / begin)) + math.ceil(math.log2(math.log(2) / math.log(1.1)))


def test_a_target_that_holds_nothing_is_not_asked_for_ever() -> None:
    """Down to less than one a second, then it is over, and nothing held."""
    search, asked = searched(0.0)
    assert search.low_per_s == 0
    assert min(asked) >= 1


def taken(capacity: float, steps: int = 100, resolution: float = 0.1) -> tuple[knee.Turns, list[tuple[int, float]]]:
    """Three searches of a target that holds up to its capacity; whose turn it was, and with which rate."""
    turns, asked = knee.Turns(60.0, repeats=3, resolution=resolution), []
    while len(asked) < steps and (turn := turns.next()) is not None:
        number, rate, _ = turn
        asked.append((number, rate))
        turns.told(one_step(number, round(rate, 2), held=rate <= capacity), rate)
    return turns, asked


def test_searches_take_turns_and_all_end() -> None:
    """A slow minute of the machine then slows all of them."""
    turns, asked = taken(300.0)
    assert [number for number, _ in asked[:7]] == [1, 2, 3, 1, 2, 3, 1]
    assert turns.next() is None
    assert turns.finished() == {1, 2, 3}
    for number in (1, 2, 3):
        rates = {rate for whose, rate in asked if whose == number}
        assert max(one for one in rates if one <= 300) > 300 / 1.1, "each has found it"


@each_row("resolution", [0.1, 0.08, 0.06, 0.02])
def test_searches_ask_for_rates_of_their_own(resolution: float) -> None:
    """They are repeats and no echoes: the same rates would give the same knee by arithmetic alone."""
    _, asked = taken(300.0, resolution=resolution)
    near = sorted({(rate, whose) for whose, rate in asked if 300 / (1 + resolution) < rate < 300 * (1 + resolution)})
    assert {whose for _, whose in near} == {1, 2, 3}
    apart = min(later / earlier for (earlier, _), (later, _) in pairwise(near))
    assert apart > 1 + resolution / 8, "a sixth of what a search can tell apart, or so"


@each_row(
    ("times", "limited_by"),
    [(["unclear", "target"], "target"), (["generator", "target"], "target"), (["target", "generator"], "generator")],
)
def test_what_stood_in_the_way_is_what_all_its_steps_together_say(times: list[str], limited_by: str) -> None:
    steps = [one_step(1, 100, held=True), *(one_step(1, 110, held=False, limited_by=one) for one in times)]
    assert knee.conclude(steps, repeats=3, average_day_per_s=DAY, finished={1}).limited_by == limited_by


@each_row(
    ("times", "sure"),
    [(["target"], False), (["target", "held"], False), (["target", "target"], True), (["unclear"] * 3, False)],
)
def test_a_rate_is_refuted_only_when_nobody_would_ask_again(times: list[str], sure: bool) -> None:
    """What was asked again and then held breaks no promise, and a search that the time has ended proves none broken."""
    steps = [one_step(1, 8, held=one == "held", limited_by=one) for one in times]
    assert (knee.refuted_at(steps, at_most_per_s=DAY) is not None) is sure
    assert knee.refuted_at(steps, at_most_per_s=7) is None
    assert knee.last_of_each([*steps, one_step(2, 8, held=True)])[0] is steps[-1]
    assert len(knee.last_of_each([*steps, one_step(2, 8, held=True)])) == 2


def test_what_did_not_hold_is_asked_again_a_turn_later() -> None:
    turns = knee.Turns(60.0, repeats=3, resolution=0.1)
    for number in (1, 2, 3):
        whose, rate, time_number = turns.next() or (0, 0.0, 0)
        assert (whose, time_number) == (number, 1)
        turns.told(one_step(whose, rate, held=number != 1), rate)
    assert turns.next() == (1, 60.0, 2)
    for number in (1, 2, 3):
        turns.told(one_step(number, 60.0, held=True), 60.0)
    for _ in range(3):
        whose, rate, time_number = turns.next() or (0, 0.0, 0)
        assert time_number == 1, "another rate is asked for the first time"
        turns.told(one_step(whose, rate, held=False), rate)
    assert (turns.next() or (0, 0.0, 0))[2] == 2


def test_searches_that_the_time_has_ended_are_not_finished() -> None:
    """Also one that is known is finished whose turn would come after the one that could not be asked."""
    _, asked = taken(300.0)
    most = len(asked) - 1
    turns, _ = taken(300.0, most)
    last = asked[most][0]
    assert turns.finished() == {1, 2, 3} - {last}


@each_row("gateways", [1, 2, 4, 5, 9])
def test_the_last_step_decides_every_gateways_own_number(gateways: int) -> None:
    """A fifth gateway once left each with 880 samples of the thousand that are needed."""
    webhooks = knee.confirmed_by(gateways=gateways)
    assert webhooks / gateways >= slo.MIN_SAMPLES + 3 * math.sqrt(slo.MIN_SAMPLES), "a share is drawn, not dealt"
    assert webhooks >= slo.MIN_REQUESTS


def concluded(*knees: float, limited_by: str = "target", repeats: int = 3) -> LoadKnee:
    """What searches with these knees say together."""
    steps = []
    for number, low in enumerate(knees, 1):
        steps += [one_step(number, low, held=True), one_step(number, low * 1.1, held=False, limited_by=limited_by)]
    return knee.conclude(steps, repeats=repeats, average_day_per_s=DAY, finished=range(1, len(knees) + 1))


def test_three_searches_that_agree_claim_what_held_in_all_of_them() -> None:
    """The multiple of the average day is that of the lowest."""
    found = concluded(300.0, 310.0, 295.0)
    assert found.decided
    assert (found.low_per_s, found.knee_per_s) == (295.0, 300.0)
    assert found.high_per_s == pytest.approx(341.0)
    assert found.times_average_day == pytest.approx(295 / DAY, abs=0.01)
    assert "holds 25.5× the plan's average day" in found.sentence
    assert "generator" not in found.sentence


@each_row(
    ("knees", "said"),
    [
        ((300.0, 310.0, 250.0), "20 % apart, and 15 % are allowed"),
        ((300.0, 310.0), "2 of 3 searches"),
        ((300.0, 310.0, 0.0), "no rate held at all"),
        ((), "no search came to its end"),
    ],
)
def test_searches_that_do_not_agree_or_do_not_end_decide_nothing(knees: tuple[float, ...], said: str) -> None:
    """Unknown is never a pass: no sentence says that it holds anything."""
    found = concluded(*knees)
    assert not found.decided
    assert said in found.sentence
    assert "holds" not in found.sentence


def test_where_the_generator_was_late_it_is_the_generators_limit() -> None:
    """Nobody may read it as the target's."""
    found = concluded(300.0, 301.0, 302.0, limited_by="generator")
    assert found.limited_by == "generator"
    assert "the generator's limit, not the target's" in found.sentence


def test_a_rate_that_held_above_one_that_did_not_is_not_claimed() -> None:
    """The lower of the two is believed."""
    steps = [one_step(1, 100, held=True), one_step(1, 200, held=False), one_step(1, 300, held=True)]
    found = knee.conclude(steps, repeats=3, average_day_per_s=DAY, finished={1})
    assert found.knees_per_s == (100,)


@each_row(
    ("times", "said"),
    [
        (["held"], True),
        (["target"], None),
        (["unclear"], None),
        (["target", "held"], True),
        (["target", "target"], False),
        (["unclear", "target"], False),
        (["generator", "generator"], False),
        (["target", "unclear"], None),
        (["target", "unclear", "held"], True),
        (["unclear", "unclear", "unclear"], False),
    ],
)
def test_a_step_that_does_not_hold_is_asked_again(times: list[str], said: bool | None) -> None:
    """A second without the processor is the machine's; what two steps together refute is the target's."""
    assert knee.settled([one_step(1, 100, held=one == "held", limited_by=one) for one in times]) is said


def test_a_hiccup_is_no_ceiling() -> None:
    steps = [one_step(1, 100, held=True), one_step(1, 200, held=False), one_step(1, 200, held=True)]
    steps += [one_step(1, 220, held=False), one_step(1, 220, held=False)]
    found = knee.conclude(steps, repeats=3, average_day_per_s=DAY, finished={1})
    assert (found.knees_per_s, found.high_per_s) == ((200,), 220)


# -- one step ------------------------------------------------------------------------------------------------------


def told(*results: SloResult, lag_s: float = 0.001) -> LoadStep:
    """A step with these results."""
    samples = [
        load.Sample(
            number=number,
            due_s=number / 100,
            sent_s=number / 100 + lag_s,
            answered_s=number / 100 + lag_s + 0.02,
            status=202,
            gateway="stripe",
            dialect="vendor",
            tenant="t",
            sale=str(number),
        )
        for number in range(1_000)
    ]
    seen = load.Seen(samples=samples, counted_at_s={}, ledger=concluded_ledger(), dlq_depths=[0])
    return knee.step(seen, results, repeat=1, rate_per_s=100.0, duration_s=10.0)


def concluded_ledger() -> load.Ledger:
    """Of no interest here."""
    return load.Ledger()


def result(name: str, met: bool | None) -> SloResult:
    """A number that was met, refuted, or undecided."""
    return SloResult(name=name, target=200, unit="ms", measured=150.0, samples=1_000, ci95=None, met=met)


GOOD = [result(name, True) for name in (slo.WEBHOOK_P95, slo.DISPATCH_P95, slo.SUCCESS_RATE)]


def test_a_step_holds_when_everything_decisive_is_met() -> None:
    """An availability that 1,000 requests cannot decide does not stand in the way; one that is refuted does."""
    assert told(*GOOD, result(slo.AVAILABILITY, None)).held
    refuted = told(*GOOD, result(slo.AVAILABILITY, False))
    assert (refuted.held, refuted.limited_by) == (False, "target")
    assert slo.AVAILABILITY in refuted.why


@each_row("name", [slo.WEBHOOK_P95, slo.DISPATCH_P95, slo.SUCCESS_RATE])
def test_a_step_that_is_undecided_has_not_held(name: str) -> None:
    """Unknown is never a pass."""
    found = told(*(one for one in GOOD if one.name != name), result(name, None))
    assert (found.held, found.limited_by) == (False, "unclear")
    assert "not shown to hold" in found.why


def test_a_late_generator_says_nothing_of_the_target() -> None:
    """Even where everything looks met."""
    found = told(*GOOD, lag_s=0.02)
    assert (found.held, found.limited_by) == (False, "generator")
