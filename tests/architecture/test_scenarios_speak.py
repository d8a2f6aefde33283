"""What a scenario finds broken is the first thing that a launch owner reads: each says it in words."""

import ast
from pathlib import Path

from tests.rows import each_row

HOME = Path(__file__).parents[2] / "scenarios"


def wordless(source: str) -> list[int]:
    """The lines of asserts without a message."""
    return [one.lineno for one in ast.walk(ast.parse(source)) if isinstance(one, ast.Assert) and one.msg is None]


@each_row("path", sorted(HOME.rglob("test_*.py")))
def test_every_assert_has_its_words(path: Path) -> None:
    """`assert 152138.0 == 1521.38` tells nobody what to mend."""
    assert wordless(path.read_text()) == []


def test_one_without_words_is_seen() -> None:
    """So that the test above can fail."""
    assert wordless("assert told == 1, 'once'\nassert told == 1") == [2]
