"""A table of cases reports every row that fails, and never passes by being empty."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest

from tests.rows import DESCRIBED, check_rows, each_row


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


def test_rows_that_raise_nothing_where_they_must_or_skip_are_failures() -> None:
    """pytest's own outcomes are no `Exception`; one of them must not hide the rows behind it."""

    def check(row: str) -> None:
        if row == "silent":
            with pytest.raises(ValueError, match="x"):
                pass
        elif row == "skips":
            pytest.skip("not here")
        assert row != "wrong"

    with pytest.raises(AssertionError) as raised:
        check_rows(["silent", "skips", "right", "wrong"], check)
    message = str(raised.value)
    assert message.startswith("3 of 4 rows failed:")
    assert "DID NOT RAISE" in message
    assert "not here" in message


def test_decorated_test_runs_once_for_each_row() -> None:
    seen: list[tuple[int, str]] = []

    @each_row("number, text", [(1, "a"), (2, "b")])
    def table(number: int, text: str) -> None:
        seen.append((number, text))

    table()
    assert seen == [(1, "a"), (2, "b")]


def test_decorated_test_keeps_its_fixtures_only() -> None:
    """pytest reads them off the signature."""

    @each_row(("given", "expected"), [(1, 1)])
    def table(given: int, meta: object, *, expected: int) -> None:
        assert given == expected
        assert meta == "the fake"

    assert list(inspect.signature(table).parameters) == ["meta"]
    table(meta="the fake")


def test_two_tables_are_combined_and_their_rows_named() -> None:
    seen: list[tuple[str, int]] = []

    @each_row("letter", ["a", pytest.param("b", id="second")])
    @each_row("number", [1, 2], ids=["low", "high"])
    def table(letter: str, number: int) -> None:
        seen.append((letter, number))
        assert letter == "a"

    with pytest.raises(AssertionError) as raised:
        table()
    assert sorted(seen) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    message = str(raised.value)
    assert message.startswith("2 of 4 rows failed:")
    assert "second, low: AssertionError at test_rows.py:" in message
    assert "second, high: AssertionError at test_rows.py:" in message


def test_each_row_has_its_own_folder_and_patches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a row leaves behind must not make the next one pass."""
    folders: list[Path] = []

    @each_row("value", ["a", "b"])
    def table(value: str, **own: Any) -> None:
        assert not list(own["tmp_path"].iterdir())
        (own["tmp_path"] / "file").touch()
        folders.append(own["tmp_path"])
        assert "GOLIVE_ROW" not in os.environ
        own["monkeypatch"].setenv("GOLIVE_ROW", value)

    table(tmp_path=tmp_path, monkeypatch=monkeypatch)
    assert len(set(folders)) == 2
    assert "GOLIVE_ROW" not in os.environ


def test_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        each_row("number, text", [(1,)])
    with pytest.raises(ValueError, match="shorter"):
        each_row("number", [1, 2], ids=["low"])


def test_row_with_a_mark_is_refused() -> None:
    """A mark would be lost."""
    with pytest.raises(AssertionError, match="marks"):
        each_row("number", [pytest.param(1, marks=pytest.mark.nightly)])


def test_decorated_test_with_an_empty_table_fails() -> None:
    @each_row("number", [])
    def table(number: int) -> None:
        raise NotImplementedError

    with pytest.raises(AssertionError, match="the table has no rows"):
        table()
