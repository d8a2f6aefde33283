"""Whose fault a red scenario is: a value of the wrong kind is the target's, a bug of golive is golive's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import HarnessError, NotSeenInTime, PromiseBroken
from harness.pytest_plugin import blame
from tests.rows import each_row

HERE = Path(__file__).parent
ELSEWHERE = HERE / "nowhere"


def broken(error: Exception) -> Callable[[], object]:
    def call() -> None:
        raise error

    return call


@each_row(
    ("call", "scenarios", "owner", "words"),
    [
        (broken(PromiseBroken("it was lost")), HERE, "target", "it was lost"),
        (broken(NotSeenInTime("a call", 1, [])), ELSEWHERE, "target", "not seen within 1 s: a call"),
        (broken(AssertionError()), HERE, "target", "AssertionError"),
        (broken(HarnessError("the fake is dead")), HERE, "harness", "the fake is dead"),
        (lambda: (3).startswith("x"), HERE, "target", "cannot be read as it should be (test_blame.py:"),  # type: ignore[attr-defined]
        (lambda: int("soon"), HERE, "target", "invalid literal for int()"),
        (lambda: list[int]()[0], HERE, "target", "list index out of range"),
        # The same kinds of error, but raised in golive's own code, or by a bug that reads nothing.
        (lambda: json.loads("{"), HERE, "harness", "JSONDecodeError"),
        (lambda: int("soon"), ELSEWHERE, "harness", "ValueError"),
        (broken(OSError("disk full")), HERE, "harness", "disk full"),
        (broken(RecursionError()), HERE, "harness", "RecursionError"),
    ],
)
def test_whose_fault_it_is(call: Callable[[], object], scenarios: Path, owner: str, words: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 -- whatever the row raises
        call()
    found, sentence = blame(raised, scenarios=scenarios)
    assert (found, words in sentence) == (owner, True), sentence
