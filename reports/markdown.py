"""`summary.md`: the run on one screen, for the job page of a CI system or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.records import Ledger, RowState, RunRecord, ScenarioResult, Verdict
from reports import view, words

_MOST_RED = 20
_MOST_CHARACTERS = 500
_SIGNS = {
    Verdict.GO: "✅",
    Verdict.GO_WITH_CONCERNS: "⚠️",
    Verdict.NO_GO: "❌",
    Verdict.INCONCLUSIVE: "❔",
}
_SPECIAL = re.compile(r"([\\*_\[\]|~#@])")
_STATES = (
    RowState.MET,
    RowState.NOT_MET,
    RowState.UNDECIDED,
    RowState.NOT_OBSERVED,
    RowState.WAIVED,
    RowState.ATTESTED,
)


def render(record: RunRecord) -> str:
    """The file's text. Nothing in it can break out of its place: not a bar, not a tag, not a mention."""
    parts = [_verdict(record), _red(view.red(record)), _suites(record), _ledger(record), _slo(record), _plan(record)]
    return "\n\n".join("\n".join(lines) for part in (*parts, _again(record)) if (lines := list(part))) + "\n"


def _verdict(record: RunRecord) -> Iterator[str]:
    sign = _SIGNS[record.verdict] if record.verdict else "🛠️"
    yield f"## {sign} {words.verdict_line(record)}"
    yield ""
    yield _text(words.headline(record))
    if record.reasons:
        yield "\n**Why**\n"
        yield from (f"- {_text(one)}" for one in record.reasons[:8])
        if len(record.reasons) > 8:
            yield f"- … and {len(record.reasons) - 8} more in the report"
    if record.next_steps:
        yield "\n**Next**\n"
        yield from (f"{number}. {_text(one)}" for number, one in enumerate(record.next_steps, 1))


def _red(found: Sequence[ScenarioResult]) -> Iterator[str]:
    if not found:
        return
    yield "### What is red"
    for one in found[:_MOST_RED]:
        whose = "broken promise" if one.outcome == "failed" and one.blame != "harness" else "harness error"
        yield f"\n**{_text(one.id)} {_text(one.title)}** ({whose})\n"
        yield f"> {_text(one.message or 'no reason was given')}"
        if one.reproduce:
            yield f"\nAgain: {_code(one.reproduce)}"
    if len(found) > _MOST_RED:
        yield f"\n… and {len(found) - _MOST_RED} more in the report"


def _suites(record: RunRecord) -> Iterator[str]:
    if not record.scenarios:
        return
    yield "### Promises"
    yield ""
    yield "| suite | kept | broken | harness error | not observed | time |"
    yield "|---|--:|--:|--:|--:|--:|"
    for suite in view.suites(record):
        cells = [str(suite.counts[one]) for one in ("passed", "failed", "error", "skipped")]
        yield f"| {_text(suite.name)} | {' | '.join(cells)} | {words.seconds(suite.duration_s)} |"
    if record.left_out:
        yield f"\nNot run: {_text(words.left_out(record))}. {_code('golive run --all')} runs everything."


def _ledger(record: RunRecord) -> Iterator[str]:
    book = record.ledger
    if not book.deliveries:
        return
    yield "### Ledger"
    yield ""
    sent = words.count(book.deliveries, "webhook")
    yield f"{sent} sent → {book.rejected:,} refused, {_ends(book, 'unanswered')}{book.accepted:,} accepted  "
    new = words.count(book.conversions, "conversion")
    yield f"accepted → {book.duplicate:,} duplicates, {book.ignored:,} ignored, {new}  "
    ends = f"{book.delivered:,} delivered, " + _ends(book, "dead_lettered", "expired", "suppressed", "held")
    yield f"conversions → {ends}**{book.lost:,} lost, {book.doubled:,} doubled, {book.pending:,} pending**"
    hunt = record.privacy
    if hunt.places:
        yield f"\nPersonal data: {hunt.canaries:,} invented pieces hunted in {words.count(len(hunt.places), 'place')}, "
        yield f"**{words.count(len(hunt.leaks), 'leak')}**"
        yield from (f"- {_text(one)}" for one in hunt.leaks)


def _ends(book: Ledger, *names: str) -> str:
    return "".join(f"{getattr(book, name):,} {words.plain(name)}, " for name in names if getattr(book, name))


def _slo(record: RunRecord) -> Iterator[str]:
    if not record.slo:
        return
    yield "### Service levels"
    yield ""
    yield "| | target | measured | 95 % interval | samples | |"
    yield "|---|--:|--:|--:|--:|---|"
    for one in record.slo:
        cells = (words.slo_target(one), words.slo_measured(one), words.slo_interval(one), f"{one.samples:,}")
        shown = [_text(cell).replace("&lt;", "<").replace("&gt;", ">") for cell in cells]
        yield f"| {_text(one.name)} | {' | '.join(shown)} | {words.plain(words.slo_state(one))} |"
    if record.load:
        yield f"\n{_text(words.load_sentence(record.load))}"


def _plan(record: RunRecord) -> Iterator[str]:
    rows = view.plan(record)
    if not rows:
        return
    yield "### The launch plan"
    yield ""
    yield f"| story | {' | '.join(words.plain(state) for state in _STATES)} |"
    yield f"|---|{'--:|' * len(_STATES)}"
    for story in view.stories(rows):
        name = story.title if story.id.startswith("checklist/") else f"{story.id} {story.title}"
        yield f"| {_text(name)} | {' | '.join(str(story.counts[state] or '') for state in _STATES)} |"


def _again(record: RunRecord) -> Iterable[str]:
    yield f"Again: {_code(record.command)}  "
    yield f"target {_text(record.target.name)}, commit {_text(record.target.commit)}, {_text(record.machine)}"


def _text(text: str) -> str:
    """One line of words; what stands between backticks stays a command."""
    line = words.printable(" ".join(text.split()))
    if len(line) > _MOST_CHARACTERS:
        line = line[:_MOST_CHARACTERS] + " …"
    pieces = line.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its partner is a character like others
        pieces = [line.replace("`", "'")]
    return "".join(_code(piece) if number % 2 else _escaped(piece) for number, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", safe)


def _code(text: str) -> str:
    line = words.printable(" ".join(text.split())).replace("`", "'").replace("|", "\\|")
    return f"`{line}`" if line else ""
