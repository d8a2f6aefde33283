"""Metric math (facts/aws_pagerduty.md, 1.17 to 1.20)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.alarms import maths
from harness.alarms.maths import BadExpression
from tests.rows import each_row

A: Sequence[float | None] = [10.0, None, 30.0, None]
B: Sequence[float | None] = [2.0, 4.0, 0.0, None]


@each_row(
    ("expression", "expected"),
    [
        ("a", [10, None, 30, None]),
        ("a + b", [12, 4, 30, None]),  # a missing side is 0; where both are missing there is no point
        ("a - b * 2", [6, -8, 30, None]),
        ("(a - b) * 2", [16, -8, 60, None]),
        ("a / b", [5, 0, None, None]),  # a division by zero is dropped
        ("-a + 1", [-9, None, -29, None]),
        ("100 * a / 20", [50, None, 150, None]),
        ("a >= 30", [0, None, 1, None]),
        ("a > b AND b > 1", [1, 0, 0, None]),
        ("a > b OR b > 1", [1, 1, 1, None]),
        ("a > b || b > 1", [1, 1, 1, None]),
        ("FILL(a, 7)", [10, 7, 30, 7]),
        ("FILL(a, REPEAT)", [10, 10, 30, 30]),
        ("FILL(a, b)", [10, 4, 30, None]),
        ("IF(a > 20, b, 5)", [5, None, 0, None]),
        ("IF(FILL(a, 0) > 20, 1, 5)", [5, 5, 1, 5]),
        ("IF(b >= 2, 100 * FILL(a, 0) / b, 100)", [500, 0, 100, None]),
        ("SUM(METRICS())", [12, 4, 30, None]),
        ("SUM(METRICS()) / 2", [6, 2, 15, None]),
        ("1 - a", [-9, None, -29, None]),
    ],
)
def test_what_it_yields(expression: str, expected: list[float | None]) -> None:
    assert list(maths.evaluate(expression, {"a": A, "b": B}, slots=4)) == expected


@each_row(
    ("expression", "named"),
    [
        ("", "ends too early"),
        ("a +", "ends too early"),
        ("a b", "'b' was not expected"),
        ("c + 1", "neither a metric here"),
        ("RATE(a)", "'RATE'"),
        ("FILL(a, LINEAR)", "LINEAR"),
        ("FILL(a", "','"),
        ("IF(a, 1)", "IF takes 3"),
        ("(a", r"'\)'"),
        ("SUM(a)", "METRICS"),
        ("METRICS()", "single time series"),
        ("METRICS() + 1", "summed"),
        ("1 + 1", "single time series"),
        ("1 / 0 + a", "divides by zero"),
        ("a; b", "';'"),
        ("(" * 60 + "a" + ")" * 60, "nested"),
        ("a" * 2049, "2048"),
    ],
)
def test_what_means_nothing_is_said(expression: str, named: str) -> None:
    with pytest.raises(BadExpression, match=named):
        maths.evaluate(expression, {"a": A, "b": B}, slots=4)


def test_an_expression_reads_its_ids() -> None:
    assert maths.names("IF(total >= 20, 100 * FILL(failed, 0) / total, 0)") == {"total", "failed"}


@given(st.text(alphabet="ab()+-*/<>=,. 10FILSUMETRC&|\n", max_size=60))
@example("((((((")
def test_any_text_yields_a_series_or_a_complaint(text: str) -> None:
    try:
        found = maths.evaluate(text, {"a": A, "b": B}, slots=4)
    except BadExpression:
        return
    assert len(found) == 4
