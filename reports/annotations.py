"""What GitHub Actions shows beside a pull request: one workflow command a line, for the verdict and what is red.

GitHub reads them from whatever a step prints, keeps ten errors of a step, and runs none of their text.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.records import RunRecord, ScenarioResult, Verdict
from reports import view, words

#: GitHub shows ten of a step; the verdict is one of them.
MOST_RED = 9
_MOST_CHARACTERS = 1000
_LEVELS = {
    Verdict.GO: "notice",
    Verdict.GO_WITH_CONCERNS: "warning",
    Verdict.NO_GO: "error",
    Verdict.INCONCLUSIVE: "warning",
}


def lines(record: RunRecord, *, file: str | None) -> Iterator[str]:
    """The verdict, then each red scenario; `file` (in the repository) is where GitHub pins them, None: nowhere.

    INCONCLUSIVE is a warning and no notice: unknown is never a pass.
    """
    found = view.red(record)
    more = f" {len(found) - MOST_RED} more red scenarios stand in the report." if len(found) > MOST_RED else ""
    level = _LEVELS[record.verdict] if record.verdict else "error"
    yield _command(level, f"golive: {words.verdict_line(record)}", words.headline(record) + more, file)
    for one in found[:MOST_RED]:
        yield _command("error", f"{one.id} {one.title}", _message(one), file)


def _message(one: ScenarioResult) -> str:
    whose = "broken promise" if one.outcome == "failed" and one.blame != "harness" else "harness error"
    again = f"\nAgain: {one.reproduce}" if one.reproduce else ""
    return f"{whose}: {(one.message or 'no reason was given')[:_MOST_CHARACTERS]}{again}"


def _command(level: str, title: str, message: str, file: str | None) -> str:
    where = f"file={_property(file)}," if file else ""
    return f"::{level} {where}title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    """As @actions/core escapes a message: what is no line of its own can be no command of its own."""
    kept = "\n".join(words.printable(line) for line in text.splitlines())
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
