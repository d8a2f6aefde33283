"""Alarm × {fires, silent, once, resolves, minutes to page, dead metric}, driven by the template's own alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import reference_impl
from harness.alarms import evaluator, signals, table, template
from harness.alarms.evaluator import EXTRA_POINTS, Alarm, Missing, Point
from harness.alarms.metrics import MetricId, Metrics, Summary
from harness.alarms.notification import Place
from harness.alarms.table import CALM, PLAN_LIMIT_MIN
from tests.rows import each_row

PATH = Path(reference_impl.__file__).parent / "infra" / "pipeline.yaml"
TOPIC = Place().topic_arn("golive-staging-page")
ALARMS: Mapping[str, Alarm] = {
    one.alarm.name.removeprefix("golive-staging-"): one.alarm for one in template.load(PATH).alarms()
}


class Remembering(Metrics):
    """Metrics that merge each period once: an alarm asks for the same one every minute, and so do all its mutants."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[tuple[Any, ...], Summary | None] = {}
        self._points: dict[tuple[Any, ...], dict[float, Sequence[Point]]] = {}
        self._last: tuple[Alarm | None, dict[float, Sequence[Point]]] = (None, {})

    def put(self, metric: MetricId, at_s: float, summary: Summary, *, unit: str | None = None) -> None:
        self._found.clear()
        self._points.clear()
        self._last = (None, {})
        super().put(metric, at_s, summary, unit=unit)

    def period(self, metric: MetricId, start_s: float, period_s: int, *, unit: str | None = None) -> Summary | None:
        asked = (metric, start_s, period_s, unit)
        if asked not in self._found:
            self._found[asked] = super().period(metric, start_s, period_s, unit=unit)
        return self._found[asked]

    def points(self, alarm: Alarm) -> dict[float, Sequence[Point]]:
        """By time, the points that an alarm of these metrics, period and number of periods has been given before."""
        if self._last[0] is not alarm:
            same = (alarm.metrics, alarm.math, alarm.period_s, alarm.evaluation_periods)
            self._last = (alarm, self._points.setdefault(same, {}))
        return self._last[1]


@pytest.fixture(scope="module", autouse=True)
def each_signal_is_written_once() -> Iterator[None]:
    """The table's signals are the same for an alarm and for all its mutants, and nobody changes them."""
    write = table.series

    @cache
    def written(case: signals.Case, values: tuple[float | None, ...]) -> Metrics:
        return write(case, values)

    def series(case: signals.Case, values: Sequence[float | None]) -> Metrics:
        return written(case, tuple(values))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "Metrics", Remembering)
        patch.setattr(table, "series", series)
        yield


@pytest.fixture
def the_same_points_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an alarm and its mutants judge is found once where they look at the same; each judges it for itself.

    For tests of mutants only: the template's own alarms are evaluated whole elsewhere in this file.
    """
    find = evaluator.points

    def points(alarm: Alarm, metrics: Metrics, now_s: float, *, extra: int = EXTRA_POINTS) -> Sequence[Point]:
        assert isinstance(metrics, Remembering)
        assert extra == EXTRA_POINTS
        known = metrics.points(alarm)
        if now_s not in known:
            known[now_s] = find(alarm, metrics, now_s)
        return known[now_s]

    monkeypatch.setattr(evaluator, "points", points)


def cells(alarm: Alarm, case: signals.Case) -> list[table.Cell]:
    return list(table.cells(alarm, case, topic=TOPIC))


def test_every_alarm_has_its_row() -> None:
    assert set(ALARMS) == set(signals.CASES)
    assert len(ALARMS) >= 10


@each_row("name", ALARMS)
def test_it_fires_is_silent_pages_once_and_resolves(name: str) -> None:
    case = signals.CASES[name]
    row = cells(ALARMS[name], case)
    assert {column: got for column, got, _ in row} == {column: wanted for column, _, wanted in row}
    assert 0 <= case.pages_after_min - case.true_after_min <= PLAN_LIMIT_MIN


def mutants(alarm: Alarm) -> Iterator[tuple[str, Alarm]]:
    """The alarm with one thing of it changed, each by the least that a tired hand would change."""
    step = 1.0 if alarm.threshold < 1000 else alarm.threshold / 1000
    yield "threshold up", replace(alarm, threshold=alarm.threshold + step)
    yield "threshold down", replace(alarm, threshold=alarm.threshold - step)
    yield "threshold tenfold", replace(alarm, threshold=alarm.threshold * 10)
    yield "period longer", replace(alarm, period_s=alarm.period_s * 2)
    if alarm.period_s > 60:
        yield "period shorter", replace(alarm, period_s=alarm.period_s // 3)
    n, m = alarm.evaluation_periods, alarm.datapoints_to_alarm
    yield "N and M one more", replace(alarm, evaluation_periods=n + 1, datapoints_to_alarm=m + 1)
    if m > 1:
        yield "M one less", replace(alarm, datapoints_to_alarm=m - 1)
    yield "never pages", replace(alarm, alarm_actions=())
    yield "never resolves", replace(alarm, ok_actions=())
    yield "actions off", replace(alarm, actions_enabled=False)
    yield "another topic", replace(alarm, alarm_actions=("arn:aws:sns:us-east-1:000000000000:other",))
    rules: tuple[Missing, ...] = ("missing", "notBreaching", "breaching", "ignore")
    for rule in rules:
        if rule != alarm.treat_missing:
            yield f"missing data are {rule}", replace(alarm, treat_missing=rule)
    opposite: Any = {
        "GreaterThanThreshold": "LessThanThreshold",
        "GreaterThanOrEqualToThreshold": "GreaterThanThreshold",
        "LessThanThreshold": "LessThanOrEqualToThreshold",
    }[alarm.comparison]
    yield "another comparison", replace(alarm, comparison=opposite)
    other = replace(alarm.metrics[0].metric, dimensions=frozenset({("Environment", "production")}))
    yield "another metric", replace(alarm, metrics=(replace(alarm.metrics[0], metric=other), *alarm.metrics[1:]))


@pytest.mark.usefixtures("the_same_points_are_found_once")
@each_row("name", ALARMS)
def test_no_change_of_an_alarm_goes_unseen(name: str) -> None:
    """The table turns red for every mutant; a mutant that lives is a hole in the table."""
    case = signals.CASES[name]
    lived = [
        what
        for what, mutant in mutants(ALARMS[name])
        # Cell by cell: the first that is red settles it.
        if all(got == wanted for _, got, wanted in table.cells(mutant, case, topic=TOPIC))
    ]
    assert lived == []


def breaker(states: str, every_s: int = 10) -> Iterator[tuple[int, float, float]]:
    """Of a run of states (C, O, H), one each `every_s`: minute, seconds since last CLOSED, seconds OPEN in a row."""
    closed_s = open_s = 0.0
    for index, state in enumerate(states):
        at_s = index * every_s
        if state == "C":
            closed_s = at_s
        if state != "O":
            open_s = at_s
        yield at_s // 60, at_s - closed_s, at_s - open_s


@each_row(
    ("states", "pages", "naive"),
    [
        ("C" * 6 + "OOH" * 40, 1, 0),  # flickers for 20 min without ever being CLOSED
        ("C" * 6 + "O" * 120, 1, 1),
        ("C" * 6 + "OOOHC" * 24, 0, 0),  # trips and recovers again and again
        ("C" * 6 + "O" * 17 + "C" * 97, 0, 0),  # OPEN for just under 3 min
        ("C" * 120, 0, 0),
    ],
)
def test_a_flickering_breaker_pages(states: str, pages: int, naive: int) -> None:
    """OPEN, HALF_OPEN, OPEN is an outage, and the time in OPEN alone would never say so."""
    case, alarm = signals.CASES["breaker-open"], ALARMS["breaker-open"]
    right, wrong = Metrics(), Metrics()
    for minute, since_closed_s, in_open_s in breaker(states):
        case.write(right, minute, since_closed_s)
        case.write(wrong, minute, in_open_s)
    found = [len(signals.replay(alarm, each, minutes=20, topic=TOPIC).pages) for each in (right, wrong)]
    assert found == [pages, naive]


@each_row("seed", [1, 2])
def test_a_quiet_launch_day_pages_nobody(seed: int) -> None:
    """1,440 minutes with noise from a seed, one odd minute in a hundred, and one datapoint in 200 lost on its way.

    Its first five minutes are calm: an alarm that treats missing data as breaching and is made before its metric pages.
    """
    for name, alarm in ALARMS.items():
        found = table.quiet(name, alarm, signals.CASES[name], topic=TOPIC, seed=seed)
        assert (name, found.notices, found.state) == (name, 0, "OK")


def test_few_webhooks_at_night_are_no_outage() -> None:
    """Two of three refused is 33 %, and nothing at three in the morning: the rates ask for a minimum of volume."""
    for name in ("webhook-success", "dispatch-success", "match-rate"):
        total, part = (query.metric for query in ALARMS[name].metrics)
        enough = {"match-rate": 50}.get(name, 20)
        for volume, pages in ((enough - 1, 0), (enough, 1)):
            metrics = Metrics()
            metrics.put_value(total, signals.T0, volume)
            metrics.put_value(part, signals.T0, 0 if name == "match-rate" else volume)
            assert len(signals.replay(ALARMS[name], metrics, minutes=30, topic=TOPIC).pages) == pages, name


def test_few_slow_answers_at_night_page_nobody() -> None:
    """p95 of a handful is its slowest one: below 200 samples the state is held."""
    for name in ("webhook-latency", "dispatch-latency"):
        metric = ALARMS[name].metrics[0].metric
        found = []
        for samples in (39, 40):
            metrics = Metrics()
            for minute in range(30):
                metrics.put(metric, signals.T0 + 60 * minute, Summary.of_values([9000.0], [samples]))
            found.append(len(signals.replay(ALARMS[name], metrics, minutes=30, topic=TOPIC).pages))
        assert found == [0, 1], name


def test_a_dead_pipeline_pages_within_five_minutes() -> None:
    """Every process dies at once, and with them every metric of ours: the heartbeats' absence is what pages."""
    paged = {}
    for name, alarm in ALARMS.items():
        case = signals.CASES[name]
        found = table.played(alarm, case, [*[case.calm] * CALM, *[None] * 30], topic=TOPIC)
        if found.pages:
            paged[name] = found.pages[0] - CALM
    assert {name for name in paged if name.startswith("heartbeat-")} == {
        "heartbeat-web", "heartbeat-relay", "heartbeat-consumer", "heartbeat-scheduler",
    }  # fmt: skip
    assert max(paged.values()) <= PLAN_LIMIT_MIN


@pytest.mark.usefixtures("the_same_points_are_found_once")
@each_row("name", ["dlq-depth", "webhook-success", "heartbeat-web"])
def test_the_reports_row_is_red_where_the_table_is(name: str) -> None:
    """What a run tells of an alarm: all of it fine, or the column that is not."""
    alarm = ALARMS[name]
    fine = table.row(name, alarm, topic=TOPIC)
    assert (fine.complaints(), fine.fires, fine.silent, fine.once, fine.resolves) == ([], True, True, True, True)
    assert fine.minutes_to_page == signals.CASES[name].pages_after_min - signals.CASES[name].true_after_min
    broken = {
        "fires": replace(alarm, alarm_actions=()),
        "silent": replace(alarm, threshold=alarm.threshold * (0.5 if alarm.comparison.startswith("Great") else 2)),
        "resolves": replace(alarm, ok_actions=()),
        "once": replace(alarm, actions_enabled=False),
    }
    for column, mutant in broken.items():
        found = table.row(name, mutant, topic=TOPIC, days=(1,))
        assert getattr(found, column) is False, column
        assert found.complaints()


def test_an_alarm_without_a_signal_is_no_pass() -> None:
    found = table.row("unheard-of", ALARMS["dlq-depth"], topic=TOPIC)
    assert (found.fires, found.silent, found.minutes_to_page) == (None, None, None)
    assert found.complaints() == ["unheard-of: golive has no signal to test it with"]
