"""What the dashboard says, from numbers alone; and how often they are brought up to date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reference_impl.analytics import rollup
from reference_impl.analytics.numbers import Bucket, Counts, Numbers
from reference_impl.dispatch import commands
from reference_impl.settings import BadSettings, Settings
from reference_impl.web import charts
from reference_impl.web.overview import ago, overview
from tests.rows import each_row

LAST = date(2026, 3, 10)


def numbers(*buckets: Bucket, days: int = 30, age_s: float | None = 10) -> Numbers:
    return Numbers(
        zone="America/Sao_Paulo", days=[LAST - timedelta(days=back) for back in reversed(range(days))], buckets=buckets,
        trouble=(), refreshed_at=None if age_s is None else datetime(2026, 3, 10, 15, tzinfo=UTC), age_s=age_s,
    )  # fmt: skip


def bucket(gateway: str = "stripe", kind: str = "purchase", on: date = LAST, **counts: int) -> Bucket:
    return Bucket(date=on, gateway=gateway, kind=kind, counts=Counts(total=sum(counts.values()), **counts))


def test_rates_are_rounded_down() -> None:
    """99.99 % is not 100 %, and 69.99 % not the target."""
    view = overview(numbers(bucket(delivered=9999, failed=1)))
    assert [one.value for one in view.tiles if one.label == "Success rate"] == ["99.9 %"]
    assert [one.judged for one in view.tiles if one.label == "Success rate"] == ["good"]
    low = overview(numbers(Bucket(date=LAST, gateway="g", kind="purchase", counts=Counts(total=10_000, matched=6_999))))
    assert [(one.value, one.judged) for one in low.tiles if one.label == "Match rate"] == [("69.9 %", "bad")]


def test_nothing_has_no_rate() -> None:
    """No purchase yet is neither 0 % nor 100 %, and neither good nor bad."""
    view = overview(numbers(bucket(kind="pageview", delivered=5)))
    assert [(one.value, one.judged) for one in view.tiles[2:4]] == [("–", ""), ("–", "")]
    assert view.curves[0].spread == "no data yet"
    assert not view.empty
    assert overview(numbers()).empty


def test_other_kinds_are_beside_the_purchases_not_among_them() -> None:
    """A thousand page views do not hide that a purchase failed."""
    view = overview(numbers(bucket(kind="pageview", delivered=1000), bucket(failed=1, delivered=1)))
    assert [one.value for one in view.tiles if one.label == "Success rate"] == ["50.0 %"]
    assert [(one.name, one.counts.total) for one in view.others] == [("Page views", 1000)]
    assert [(one.name, one.counts.total) for one in view.gateways] == [("Stripe", 2)]


@each_row(("age_s", "stale"), [(299.0, False), (301.0, True), (None, True)])
def test_old_or_never_is_stale(age_s: float | None, stale: bool) -> None:
    """Five minutes are the promise."""
    assert overview(numbers(age_s=age_s)).stale is stale


def test_ages_in_words() -> None:
    """The clock of the database may be a little ahead; that is no negative age."""
    assert [ago(one) for one in (-0.5, 0, 119, 120, 7199, 7200)] == [
        *("0 s ago", "0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago")
    ]


@each_row(("highest", "top"), [(1, 1), (3, 5), (10, 10), (11, 20), (999, 1000), (500_001, 1_000_000)])
def test_scales_end_at_round_numbers(highest: int, top: int) -> None:
    """One, two or five, and zeros."""
    assert charts.nice_top(highest) == top


def test_columns_are_stacked_and_fit() -> None:
    """Pieces stand on each other, nothing is drawn for nothing, and a correction below zero draws nothing either."""
    (bar,) = charts.bars([("d", [("sent", 60), ("waiting", 0), ("failed", -3), ("kept", 40)])], top=100)
    assert [(piece.kind, piece.y, piece.height) for piece in bar.pieces] == [("sent", 40.0, 60.0), ("kept", 0.0, 40.0)]


def test_a_day_without_a_rate_is_a_gap() -> None:
    """The curve is not drawn across it, and a lonely day is a dot."""
    drawn = charts.line([("a", 100.0), ("b", None), ("c", 50.0), ("d", 100.0)], low=50)
    assert drawn.path == "M0.5 4.0h0 M2.5 96.0h0 L3.5 4.0"
    assert len(drawn.dots) == 3


def test_a_scale_begins_under_the_lowest() -> None:
    """So that one failure in a thousand can be seen, and nothing falls out of the picture."""
    assert [charts.floor(one) for one in ([99.5, 100.0], [95.0], [70.0, 99.0], [10.0], [])] == [98, 90, 50, 0, 0]


def test_the_interval_keeps_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four minutes unless told otherwise, never five; and the scheduler looks often enough to keep it."""
    settings = Settings.from_env({"DATABASE_URL": "x"})
    assert settings.analytics_refresh_s == 240
    with pytest.raises(BadSettings, match="ANALYTICS_REFRESH_S"):
        Settings.from_env({"DATABASE_URL": "x", "ANALYTICS_REFRESH_S": "300"})
    asked: list[float] = []
    monkeypatch.setattr(rollup, "refresh_if_due", lambda _, every_s: asked.append(every_s))
    duty = commands._refreshing(settings.analytics_refresh_s)
    nothing: Any = None
    duty.work(nothing)
    assert asked == [240]
    assert 240 + duty.every_s < 300
