"""A table of cases as one test: every row is tried, and every row that fails is named in one message.

A row costs as much as what it checks; a parametrized test costs a collection and three reports for each row in each
worker. Use this where rows differ by data only and share no state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Row = TypeVar("Row")

#: How many failing rows are described; the others are counted.
DESCRIBED = 20


def _short(row: object) -> str:
    text = repr(row)
    return text if len(text) <= 160 else f"{text[:157]}..."


def check_rows(rows: Iterable[Row], check: Callable[[Row], object], *, label: Callable[[Row], str] = _short) -> None:
    """Run `check` on every row.

    Args:
        rows: The cases; an empty table fails, because it would prove nothing.
        check: Raises (usually AssertionError) where a row is wrong.
        label: What a row is called in the message.

    Raises:
        AssertionError: At least one row failed. Each is named with its own error.
    """
    failures: list[str] = []
    count = 0
    for row in rows:
        count += 1
        try:
            check(row)
        except Exception as error:  # noqa: BLE001 -- a row that crashes has failed, and the next ones are still wanted
            place = _place(error)
            failures.append(f"{label(row)}: {type(error).__name__}{place}: {error}".rstrip(": "))
    assert count, "the table has no rows"
    if failures:
        shown = "\n".join(failures[:DESCRIBED])
        rest = "" if len(failures) <= DESCRIBED else f"\nand {len(failures) - DESCRIBED} more rows"
        raise AssertionError(f"{len(failures)} of {count} rows failed:\n{shown}{rest}")


def _place(error: BaseException) -> str:
    """` at file.py:12`: the line of the check that failed, or nothing."""
    trace = error.__traceback__
    frame = trace.tb_next if trace is not None else None
    return f" at {frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame else ""
