"""README.md and README.pt-BR.md are one text in two languages: what is typed, counted and pointed at is the same."""

from __future__ import annotations

import re
from pathlib import Path

from tests.rows import each_row

ROOT = Path(__file__).parents[2]
PAIR = ("README.md", "README.pt-BR.md")
_INLINE = re.compile(r"`([^`\n]+)`")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


def typed(text: str) -> list[str]:
    """The indented lines, each up to where its explanation begins."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [re.split(r" {2,}", line)[0] for line in lines]


def inline(text: str) -> list[str]:
    """Code within sentences and tables; sorted, because a sentence has another order in another language."""
    return sorted(_INLINE.findall(text))


def numbers(text: str) -> list[str]:
    """Figures: one that was changed in one language only is a lie in the other."""
    return sorted(_NUMBER.findall(text))


def sections(text: str) -> list[int]:
    """The depth of each heading."""
    return [len(marks) for marks in re.findall(r"(?m)^(#+) ", text)]


def differences(english: str, other: str) -> dict[str, tuple[list[str], list[str]]]:
    """By kind: what stands in the one only, and what in the other only."""
    found = {}
    for what in (typed, inline, numbers, sections):
        ours, theirs = [str(one) for one in what(english)], [str(one) for one in what(other)]
        if ours != theirs:
            found[what.__name__] = (
                [one for one in ours if ours.count(one) > theirs.count(one)],
                [one for one in theirs if theirs.count(one) > ours.count(one)],
            )
    return found


def texts() -> list[str]:
    return [(ROOT / name).read_text(encoding="utf-8") for name in PAIR]


def test_both_say_the_same_commands() -> None:
    """And the same files, figures and headings."""
    english, portuguese = texts()
    assert len(typed(english)) > 15
    assert len(inline(english)) > 60
    assert differences(english, portuguese) == {}


def test_each_leads_to_the_other_at_once() -> None:
    """Within the first lines, where a reader of the other language still looks."""
    for text, other in zip(texts(), reversed(PAIR), strict=True):
        assert f"]({other})" in "".join(text.splitlines()[:4])


@each_row(
    ("old", "new", "kind"),
    [
        ("golive drill dlq", "golive drill queue", "typed"),
        ("`make load`", "`make laod`", "inline"),
        ("93 broken", "94 broken", "numbers"),
        ("## Platforms", "### Platforms", "sections"),
    ],
)
def test_a_change_in_one_language_only_is_noticed(old: str, new: str, kind: str) -> None:
    english, portuguese = texts()
    assert english.count(old) == 1
    assert kind in differences(english.replace(old, new), portuguese)
