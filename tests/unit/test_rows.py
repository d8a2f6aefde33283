"""A table of cases reports every row that fails, and never passes by being empty."""

from __future__ import annotations

import pytest

from tests.rows import DESCRIBED, check_rows


def test_every_failing_row_is_named_in_one_message() -> None:
    """Also one that crashes instead of asserting."""

    def check(row: int) -> None:
        assert row % 2 == 0, f"{row} is odd"
        assert 8 // (row - 4)

    with pytest.raises(AssertionError) as raised:
        check_rows([2, 3, 4, 5], check)
    message = str(raised.value)
    assert message.startswith("3 of 4 rows failed:")
    assert "3 is odd" in message
    assert "5 is odd" in message
    assert "4: ZeroDivisionError" in message
    assert "test_rows.py:" in message


def test_many_failing_rows_are_counted() -> None:
    """The message stays readable."""
    with pytest.raises(AssertionError, match=r"and 5 more rows"):
        check_rows(range(DESCRIBED + 5), lambda row: 1 / 0, label=lambda row: f"row {row}")


def test_an_empty_table_fails() -> None:
    """A loop over nothing proves nothing."""
    with pytest.raises(AssertionError, match="the table has no rows"):
        check_rows([], print)
