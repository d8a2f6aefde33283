"""A story in its file: read in whatever encoding it has, and the gate's findings recorded at its end.

Only what stands between golive's two markers is ever replaced; every other byte stays as the author wrote it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.readiness.markdown_text import fenced, split_lines
from harness.readiness.story_gate import StoryReport, check

BEGIN = "<!-- golive:story-gate begin (what stands here is written again by golive readiness --write) -->"
END = "<!-- golive:story-gate end -->"

#: A story is a page or two; more is another file given by mistake.
SIZE_LIMIT = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFile:
    """A story, and what its file would be with the findings recorded."""

    path: Path
    report: StoryReport
    content: bytes
    recorded: bytes

    @property
    def up_to_date(self) -> bool:
        """The file already tells these findings and this status."""
        return self.content == self.recorded


def load(path: Path) -> StoryFile:
    """Read and judge a story.

    Raises:
        UsageError: it is not there, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"The story {path} cannot be read: {error.strerror}.") from None
    if len(content) > SIZE_LIMIT:
        raise UsageError(f"The story {path} has more than {SIZE_LIMIT:,} bytes. Give the story's own Markdown file.")
    encoding = encoding_of(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"The story {path} is no text. Give a Markdown file, best in UTF-8.") from None
    if "\0" in text:
        raise UsageError(f"The story {path} is no text. Give a Markdown file, best in UTF-8.")
    body = without_record(text)
    report = check(body, name=path.name)
    return StoryFile(
        path=path, report=report, content=content, recorded=_with_record(content, text, body, report, encoding)
    )


def save(story: StoryFile) -> bool:
    """Record the findings; whole or not at all. False: nothing had to be written.

    Raises:
        UsageError: the file cannot be written.
    """
    if story.up_to_date:
        return False
    target = story.path.resolve()  # a link stays a link
    temporary = ""
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(number, "wb") as file:
            file.write(story.recorded)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise UsageError(f"The findings cannot be written to {story.path}: {error.strerror}.") from None
    return True


def encoding_of(content: bytes) -> str:
    """UTF-16 by its mark, else UTF-8 where it is that, else Latin-1, which keeps every byte as it is."""
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if content.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def without_record(text: str) -> str:
    """The author's own text: without what golive recorded, and without what looks like it once that is gone."""
    while spans := _records(text):
        for first, last in reversed(spans):
            text = text[:first] + text[last:]
    return text


def _records(text: str) -> list[tuple[int, int]]:
    """From where to where golive's records go. Markers shown as code are the author's; so is one without its twin."""
    raw = split_lines(text)
    starts, at = [], 0
    for one in raw:
        starts.append(at)
        at += len(one)
        at += 2 if text.startswith("\r\n", at) else 1
    found, begin = [], None
    for index, line, language in fenced(raw):
        if language is not None:
            continue
        if line == BEGIN:
            begin = index
        elif line == END and begin is not None:
            after = starts[index + 1] if index + 1 < len(starts) else len(text)
            found.append((starts[begin], after))
            begin = None
    return found


def _with_record(content: bytes, text: str, body: str, report: StoryReport, encoding: str) -> bytes:
    newline = _newline(text)
    record = newline.join(_record(report)) + newline
    mine = record.encode(encoding, "xmlcharrefreplace")
    spans = _records(text)
    if len(spans) == 1 and spans[0][1] == len(text) and body == text[: spans[0][0]]:
        # It stands where golive puts it: the blank line before it is already there. (Blank lines behind it are the
        # author's, and stay.)
        return body[: spans[0][0]].encode(encoding) + mine
    kept = body.encode(encoding) if spans else content
    gap = "" if not body else newline if body.endswith(("\n", "\r")) else newline * 2
    return kept + gap.encode(encoding) + mine


def _newline(text: str) -> str:
    pairs = text.count("\r\n")
    counts = {"\r\n": pairs, "\n": text.count("\n") - pairs, "\r": text.count("\r") - pairs}
    return max(counts, key=lambda one: counts[one]) if any(counts.values()) else "\n"


def _record(report: StoryReport) -> list[str]:
    lines = [
        BEGIN,
        "## QA Results: story gate",
        "",
        f"**Status:** {report.status} ({report.met} of {len(report.points)} points)",
        "",
        "| point | state | line | what is missing | how to fix it |",
        "|---|---|---|---|---|",
    ]
    for point in report.points:
        if point.met:
            lines.append(f"| {point.title} | met | {point.line or 1} | | |")
        for one in point.findings:
            lines.append(f"| {point.title} | missing | {one.line} | {_cell(one.missing)} | {_cell(one.fix)} |")
    return [*lines, "", END]


def _cell(text: str) -> str:
    """Fit for a table's cell, and harmless as Markdown: what the author wrote must not become markup here."""
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")
