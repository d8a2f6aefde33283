"""A table of cases as one test: every row is tried, and every row that fails is named in one message.

A row costs as much as what it checks; a parametrized test costs a collection and three reports for each row in each
worker. Use this where rows differ by data only and share no state.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

Row = TypeVar("Row")
Test = Callable[..., None]
#: The arguments of a test by name, and what the row is called, if the table says it.
NamedRow = tuple[Mapping[str, Any], str]

#: The fixtures of function scope that every row has for itself.
OWN = ("tmp_path", "monkeypatch")

#: How many failing rows are described; the others are counted.
DESCRIBED = 20


def _short(row: object) -> str:
    text = repr(row)
    return text if len(text) <= 160 else f"{text[:157]}..."


def check_rows(rows: Iterable[Row], check: Callable[[Row], object], *, label: Callable[[Row], str] = _short) -> None:
    """Run `check` on every row.

    Args:
        rows: The cases; an empty table fails, because it would prove nothing.
        check: Raises (usually AssertionError) where a row is wrong. It must not skip: a skipped row proves nothing.
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
        # A row that crashes has failed, and the next ones are still wanted. pytest's own outcomes are no Exception.
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:  # noqa: BLE001
            place = _place(error)
            failures.append(f"{label(row)}: {type(error).__name__}{place}: {error}".rstrip(": "))
    assert count, "the table has no rows"
    if failures:
        shown = "\n".join(failures[:DESCRIBED])
        rest = "" if len(failures) <= DESCRIBED else f"\nand {len(failures) - DESCRIBED} more rows"
        raise AssertionError(f"{len(failures)} of {count} rows failed:\n{shown}{rest}")


def each_row(
    columns: str | Sequence[str],
    rows: Iterable[Any],
    *,
    ids: Sequence[str] | None = None,
    shared: Collection[str] = (),
) -> Callable[[Test], Test]:
    """Run the decorated test once for each row, as one test. It is written as for `pytest.mark.parametrize`.

    Two tables on one test are combined: each row of one with each row of the other. Every row has a `tmp_path` and a
    `monkeypatch` of its own. A fixture of module or session scope is shared, as by tests. A fixture of function scope
    is made once for all rows, so what one row leaves there could let the next one pass: it is refused unless `shared`
    names it.

    Args:
        columns: The names of the test's arguments that stand in the table, as a list or with commas between them.
        rows: A value each where there is one column, else a tuple each; `pytest.param(..., id=...)` names its row.
        ids: What the rows are called in the message, in their order.
        shared: Fixtures of function scope whose state no row changes.
    """
    names = [name.strip() for name in columns.split(",")] if isinstance(columns, str) else list(columns)
    bare = isinstance(columns, str) and len(names) == 1
    table = [_named_row(names, row, bare=bare) for row in rows]
    if ids is not None:
        table = [(values, name) for (values, _), name in zip(table, ids, strict=True)]

    def decorate(test: Test) -> Test:
        inner, inner_rows = getattr(test, "_rows", (test, [({}, "")]))
        may_share = {*shared, *getattr(test, "_shared", ()), *OWN}
        combined = [_combined(mine, theirs) for mine in table for theirs in inner_rows]
        signature = inspect.signature(inner)
        columns_of_all = {name for values, _ in combined[:1] for name in values}
        fixtures = [each for each in signature.parameters.values() if each.name not in columns_of_all]

        @functools.wraps(inner)
        def whole_table(**shared: Any) -> None:
            def check(numbered: tuple[int, NamedRow]) -> None:
                number, (values, _) = numbered
                with _of_this_row(shared, number) as given:
                    inner(**given, **values)

            check_rows(enumerate(combined), check, label=lambda numbered: _label(*numbered[1]))

        whole_table.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        whole_table._rows = (inner, combined)  # type: ignore[attr-defined]
        whole_table._shared = may_share  # type: ignore[attr-defined]
        return whole_table

    return decorate


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Refuse a fixture of function scope that the rows of a table would share. `pyproject.toml` loads this plugin."""
    value = yield  # first: pytest does not take down again what was never set up
    test = request.node.function if fixturedef.scope == "function" else None
    if hasattr(test, "_rows"):
        name = fixturedef.argname
        alone = name not in inspect.signature(test).parameters or name in test._shared
        assert alone, f"the rows of {test.__name__} share {name}: give each row its own, or say shared=({name!r},)"
    return value


def _named_row(names: Sequence[str], row: Any, *, bare: bool) -> NamedRow:
    """Give the values of a row their names. A bare row is the value itself."""
    name = ""
    if isinstance(row, type(pytest.param())):
        assert not row.marks, "a row has no marks of its own: make it a test"
        name = str(row.id or "")
        values = row.values
    else:
        values = (row,) if bare else row
    return dict(zip(names, values, strict=True)), name


def _combined(mine: NamedRow, theirs: NamedRow) -> NamedRow:
    assert not mine[0].keys() & theirs[0].keys(), "two tables have a column of the same name"
    names = [_label(*row) for row in (mine, theirs) if row[0]] if mine[1] or theirs[1] else []
    return {**mine[0], **theirs[0]}, ", ".join(names)


def _label(values: Mapping[str, Any], name: str) -> str:
    return name or _short(next(iter(values.values())) if len(values) == 1 else tuple(values.values()))


@contextlib.contextmanager
def _of_this_row(shared: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
    """Give a row its own folder and its own patches instead of those of the test."""
    given = dict(shared)
    with contextlib.ExitStack() as stack:
        if "tmp_path" in given:
            folder: Path = given["tmp_path"] / f"row{number}"
            folder.mkdir()
            given["tmp_path"] = folder
        if "monkeypatch" in given:
            given["monkeypatch"] = stack.enter_context(pytest.MonkeyPatch.context())
        yield given


def _place(error: BaseException) -> str:
    """` at file.py:12`: the last line of a test file that the error passed, or nothing."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if "/tests/" in path and path != __file__:
            place = f" at {path.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
