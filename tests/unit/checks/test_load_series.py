"""The course of a run in a report: small, and true to the samples."""

from harness.checks import load, load_series


def sample(number: int, due_s: float, took_s: float = 0.02, status: int | None = 202) -> load.Sample:
    """One request, sent when it was due."""
    return load.Sample(
        number=number,
        due_s=due_s,
        sent_s=due_s,
        answered_s=due_s + took_s,
        status=status,
        gateway="stripe",
        dialect="vendor",
        tenant="t",
        sale=f"s-{number}",
    )


def test_each_second_has_its_own_quantiles_and_nothing_is_smoothed() -> None:
    """A slow second stands out as long as it lasted; where nothing was due there is no value."""
    samples = [sample(n, n / 10, took_s=1.5 if 20 <= n < 30 else 0.02) for n in range(100) if not 50 <= n < 60]
    found = load_series.series(samples, {one.sale: one.answered_s + 0.5 for one in samples})
    assert found.step_s == 1
    assert sum(found.due) == len(samples)
    assert [one is not None and one > 1_000 for one in found.p95_ms[:10]] == [n == 2 for n in range(10)]
    assert found.p50_ms[5] is None
    assert found.due[5] == 0


def test_a_long_run_has_no_more_steps_than_a_page_can_show() -> None:
    """An hour in steps of several seconds; still nothing is left out."""
    samples = [sample(n, n / 2) for n in range(7_200)]
    found = load_series.series(samples, {})
    assert len(found.due) <= load_series.MOST_STEPS + 1
    assert found.step_s > 1
    assert sum(found.due) == 7_200


def test_what_waits_is_what_was_accepted_and_not_yet_counted() -> None:
    """It rises while Meta counts nothing, falls when it does, and what never came stays."""
    samples = [sample(n, n / 10) for n in range(100)]
    counted = {one.sale: max(one.answered_s, 8.5) for one in samples if one.number != 3}
    found = load_series.series(samples, counted)
    assert found.backlog[4] == 50
    assert found.backlog[7] > found.backlog[4]
    assert found.backlog[-1] == 1


def test_readings_keep_their_highest_of_each_step() -> None:
    """A peak between two steps is not averaged away; where nobody looked for long there is no value."""
    samples = [sample(n, n / 10) for n in range(150)]
    found = load_series.series(samples, {}, queue=[(0.2, 5), (0.8, 9), (2.5, 1), (9.5, 4)])
    assert found.queue[:10] == (9, 9, 1, 1, 1, None, None, None, None, 4)


def test_every_webhook_is_in_the_distribution_once() -> None:
    """The quickest, the slowest, and apart from them what was never answered."""
    samples = [sample(0, 0.0, 0.0001), sample(1, 1.0, 500.0), sample(2, 2.0), sample(3, 600.0, 30.0, status=None)]
    found = load_series.distribution(samples)
    assert sum(found.corrected) == 3
    assert found.unanswered == 1
    assert found.corrected[0] == found.corrected[-1] == 1
    assert len(found.edges_ms) == len(found.corrected) + 1


def test_a_freeze_is_marked_and_a_quiet_second_is_not() -> None:
    """Nothing was answered although it was asked for; where nobody asked, nothing stood still."""
    frozen = [sample(n, n / 10, took_s=7.0 - n / 10 if 20 <= n < 70 else 0.02) for n in range(100)]
    found = load_series.stalls(frozen)
    assert [(one.kind, round(one.from_s), round(one.until_s)) for one in found] == [("stall", 2, 7)]
    quiet = [sample(n, n / 10) for n in range(100) if not 20 <= n < 70]
    assert load_series.stalls(quiet) == []
