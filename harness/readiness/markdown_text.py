"""What a Markdown file says, for gates that read it: sections, labels and their lines. Pure, and linear in its input.

No Markdown library: those that there are give HTML without line numbers, and a finding without its line is no help.
Front matter, comments and code are told apart from prose; nothing here is ever refused, as any text is Markdown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

#: Long lines are cut for judging: nobody writes a title of a megabyte, and a regex should not read one.
LINE_LIMIT = 2_000

#: Lines after these are not judged: a story has some hundred.
LINES_LIMIT = 20_000

_NEWLINE = re.compile(r"\r\n|\n|\r")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`]*)$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_ITEM = re.compile(r"(\s*)(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(.*)$")
_LABEL = re.compile(r"(?:[-*+>][ \t]+)?(?:\*\*|__)?([^:*_|]{2,60}?)(?:\*\*|__)?:(?:\*\*|__)?(?:[ \t]+(.*))?$")
_BOLD_LINE = re.compile(r"(?:\*\*|__)([^*_|]{2,60})(?:\*\*|__)[ \t]*$")
_RULE_CELL = re.compile(r":?-+:?$")
_WORD = re.compile(r"\w+")
_GHERKIN = frozenset({"gherkin", "feature", "cucumber"})

_UNFINISHED = re.compile(
    r"(?:todo|tbd|tba|tbc|fixme|xxx+|wip|to be (?:defined|done|filled|confirmed)|fill (?:me )?in|placeholder|"
    r"lorem ipsum|a definir|a preencher|a confirmar|preencher|em definicao|n a|na)\b"
)
_HINT = re.compile(r"<[^<>]{1,200}>$|\[[^\[\]]{2,200}\]$|\{[^{}]{1,200}\}$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of prose; `number` is the file's own, from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading or a label, and all that stands under it."""

    title: str
    plain: str
    """The title without accents, case, markup and numbering."""
    level: int
    """1 to 6 for a heading; 7 for a label such as `**Risks:** …`."""
    line: int
    body: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file, taken apart."""

    front: dict[str, Line]
    """Front matter: plain key → its value, with its line."""
    headings: list[Section]
    labels: list[Section]
    lines: int


def split_lines(text: str) -> list[str]:
    """The lines as an editor numbers them: unlike `str.splitlines`, form feeds and U+2028 do not count."""
    return _NEWLINE.split(text)


def plain(text: str) -> str:
    """Without accents, case, markup and leading numbering: `3. **Critérios**` is `criterios`."""
    flat = unicodedata.normalize("NFKD", text[:LINE_LIMIT])
    kept = "".join(one for one in flat if not unicodedata.combining(one)).casefold()
    words = _WORD.findall(kept.replace("_", " "))
    while len(words) > 1 and words[0].isdigit() and not words[1].isdigit():
        words = words[1:]
    return " ".join(words)


def words_in(lines: Sequence[Line]) -> int:
    """How many words stand there."""
    return sum(len(_WORD.findall(one.text)) for one in lines)


def is_unfinished(text: str) -> bool:
    """Whether it only holds a place: TODO, TBD, a definir, <describe the problem>, …"""
    bare = text.strip().lstrip("> ").strip("*_`| ")
    simple = plain(bare)
    return not simple or bool(_UNFINISHED.match(simple)) or bool(_HINT.match(bare))


def item_text(text: str) -> str | None:
    """The text of a list item, its bullet, number and checkbox taken off; None: no list item."""
    found = _ITEM.match(text)
    return found.group(2) if found else None


def indent_of(text: str) -> int:
    """Columns before the first character; a tab counts four."""
    return len(text[: len(text) - len(text.lstrip())].expandtabs(4))


def cells(text: str) -> list[str] | None:
    """The cells of a table's row; None: no table's row. A row of dashes gives an empty list."""
    bare = text.strip()
    if not bare.startswith("|") or bare.count("|") < 2:
        return None
    found = [one.strip() for one in bare.strip("|").split("|")]
    return [] if all(_RULE_CELL.match(one) or not one for one in found) else found


def content(lines: Sequence[Line]) -> list[Line]:
    """The lines that say something: no headings, no placeholders, no rules of tables; bullets taken off."""
    said = []
    for one in lines:
        row = cells(one.text)
        item = item_text(one.text)
        text = " ".join(row) if row is not None else (item if item is not None else one.text)
        if not _HEADING.match(text) and not is_unfinished(text):
            said.append(Line(one.number, text.strip()))
    return said


def read(text: str) -> Document:
    """Take a file apart: its first `LINES_LIMIT` lines, each up to `LINE_LIMIT`. Never raises; linear in time."""
    raw = [one[:LINE_LIMIT] for one in split_lines(text.removeprefix("\ufeff"))[:LINES_LIMIT]]
    front, begin = _front_matter(raw)
    prose = list(_prose(raw, begin))
    headings = _headings(prose)
    return Document(front=front, headings=headings, labels=_labels(prose), lines=len(raw))


def fenced(raw: Sequence[str], begin: int = 0) -> Iterator[tuple[int, str, str | None]]:
    """Index, text and the language of the code that it stands in (None: it is no code; fences themselves are left out).

    A fence that is never closed is taken as text: else one stray ``` would hide the rest of the story.
    """
    # The longest closing fence from each line on, so that a fence is known to be closed without looking ahead.
    ahead: list[dict[str, int]] = [{}]
    for text in reversed(raw):
        found = _FENCE.match(text)
        longest = ahead[-1]
        if found and not found.group(2).strip():
            mark = found.group(1)
            longest = {**longest, mark[0]: max(len(mark), longest.get(mark[0], 0))}
        ahead.append(longest)
    ahead.reverse()
    opened, language = "", ""
    for at in range(begin, len(raw)):
        found = _FENCE.match(raw[at])
        mark = found.group(1) if found else ""
        info = found.group(2).strip() if found else ""
        if opened:
            if mark.startswith(opened) and not info:
                opened = ""
            else:
                yield at, raw[at], language
        elif mark and ahead[at + 1].get(mark[0], 0) >= len(mark):
            opened, language = mark, (info.split() or [""])[0].casefold()
        else:
            yield at, raw[at], None


def _front_matter(raw: Sequence[str]) -> tuple[dict[str, Line], int]:
    if not raw or raw[0].rstrip() != "---":
        return {}, 0
    end = next((at for at in range(1, min(len(raw), 200)) if raw[at].rstrip() in ("---", "...")), 0)
    front = {}
    for at in range(1, end):
        key, colon, value = raw[at].partition(":")
        if colon and not is_unfinished(value):
            front[plain(key)] = Line(at + 1, value.strip().strip("\"'"))
    return (front, end + 1) if end else ({}, 0)


def _prose(raw: Sequence[str], begin: int) -> Iterator[Line]:
    """Lines outside comments and code; Gherkin is prose, as criteria are written in it."""
    hidden = False
    for at, given, language in fenced(raw, begin):
        if language is not None and language not in _GHERKIN:
            continue
        text = given
        if hidden or "<!--" in text:
            text, hidden = _without_comments(text, hidden)
        yield Line(at + 1, text)


def _without_comments(text: str, hidden: bool) -> tuple[str, bool]:
    kept = []
    while text:
        before, mark, text = text.partition("-->" if hidden else "<!--")
        if not hidden:
            kept.append(before)
        if mark:
            hidden = not hidden
    return "".join(kept), hidden


def _headings(prose: Sequence[Line]) -> list[Section]:
    """Every heading with its own lines and those of the headings below it."""
    found: list[Section] = []
    opened: list[Section] = []
    for at, line in enumerate(prose):
        heading = _heading_at(prose, at)
        if heading:
            level, title = heading
            while opened and opened[-1].level >= level:
                opened.pop()
            # The headings above keep it as a line: `### OUT` under `## Scope` is part of the scope.
            for one in opened:
                one.body.append(Line(line.number, f"{'#' * level} {title}"))
            opened.append(Section(title=title, plain=plain(title), level=level, line=line.number))
            found.append(opened[-1])
        elif not _is_underline(prose, at):
            for one in opened:
                one.body.append(line)
    return found


def _heading_at(prose: Sequence[Line], at: int) -> tuple[int, str] | None:
    text = prose[at].text
    found = _HEADING.match(text)
    if found:
        return len(found.group(1)), (found.group(2) or "").strip().rstrip("#").strip()
    bold = _BOLD_LINE.match(text.strip())
    if bold and indent_of(text) < 4:
        # A line that is bold and nothing else is how many write a heading; under all real ones.
        return 6, bold.group(1).strip(" :")
    if text.strip() and _is_underline(prose, at + 1):
        return (1 if prose[at + 1].text.strip().startswith("=") else 2), text.strip()
    return None


def _is_underline(prose: Sequence[Line], at: int) -> bool:
    if not 0 < at < len(prose) or not _SETEXT.match(prose[at].text):
        return False
    above = prose[at - 1].text
    return bool(above.strip()) and not _HEADING.match(above) and not _ITEM.match(above) and "|" not in above


def _labels(prose: Sequence[Line]) -> list[Section]:
    """`**Risks:** …`, `Risks: …` and `| Risks | … |`, each with what follows it up to an empty line or the next."""
    found: list[Section] = []
    current: Section | None = None
    for line in prose:
        label = _label(line.text)
        if label:
            title, rest = label
            current = Section(title=title, plain=plain(title), level=7, line=line.number)
            if rest:
                current.body.append(Line(line.number, rest))
            found.append(current)
        elif _HEADING.match(line.text) or (not line.text.strip() and current and current.body):
            current = None
        elif current and line.text.strip():
            current.body.append(line)
    return found


def _label(text: str) -> tuple[str, str] | None:
    row = cells(text)
    if row is not None:
        return (row[0], " ".join(row[1:])) if len(row) > 1 and any(row[1:]) else None
    found = _LABEL.match(text.strip())
    return (found.group(1).strip(), (found.group(2) or "").strip()) if found else None
