"""How figures and states are put into words: one place, so that no two renderers tell the same figure differently."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.records import (
    LoadCost,
    LoadResult,
    RowState,
    RunRecord,
    SloResult,
    Verdict,
    figure,
    left_out_suites,
    observed,
)

__all__ = ["figure"]  # told the same everywhere, so it stands where all can reach it

VERDICT_WORDS = {
    Verdict.GO: "GO",
    Verdict.GO_WITH_CONCERNS: "GO WITH CONCERNS",
    Verdict.NO_GO: "NO GO",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
}
HARNESS_ERROR = "HARNESS ERROR"

#: A sign for each word, so that neither colour nor word alone carries the meaning.
VERDICT_SIGNS = {
    Verdict.GO: "✓",
    Verdict.GO_WITH_CONCERNS: "!",
    Verdict.NO_GO: "✗",
    Verdict.INCONCLUSIVE: "?",
}
MEANINGS = {
    Verdict.GO: "It may go live: every line of the launch plan was seen to be met, or somebody answers for it.",
    Verdict.GO_WITH_CONCERNS: "It may go live, if whoever decides accepts what was waived.",
    Verdict.NO_GO: "It must not go live: what was promised does not hold.",
    Verdict.INCONCLUSIVE: "Nothing is broken, but too little is known to let it go live.",
}
#: Of a launch for which nothing was seen broken, and not everything is there.
NOT_YET = "It must not go live yet: nothing was seen broken, but lines of the launch plan are not met."
#: Of one run on its own, which cannot see most of the launch.
TESTED = "No launch decision: what was tested holds, and golive readiness says whether to launch."
HARNESS_MEANING = "golive itself failed. This says nothing of the target, neither good nor bad."

STATE_SIGNS = {
    RowState.MET: "✓",
    RowState.NOT_MET: "✗",
    RowState.UNDECIDED: "?",
    RowState.NOT_OBSERVED: "–",
    RowState.WAIVED: "!",
    RowState.ATTESTED: "§",
    RowState.OUT_OF_SCOPE: "·",
}
OUTCOME_WORDS = {"passed": "kept", "failed": "broken", "skipped": "not observed", "error": "harness error"}
OUTCOME_SIGNS = {"passed": "✓", "failed": "✗", "skipped": "–", "error": "!"}

#: What a page, a table or XML cannot hold, and what turns the words behind it round.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\u0020-\u007e\u00a0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


def printable(text: str) -> str:
    """The text with a mark in the place of each character that nobody can see: a target may answer with anything."""
    return _UNPRINTABLE.sub("�", text)


def verdict_word(record: RunRecord) -> str:
    """`NO GO`; a run without a verdict ended in a harness error."""
    return VERDICT_WORDS[record.verdict] if record.verdict else HARNESS_ERROR


def verdict_scope(record: RunRecord) -> str:
    """What a GO of one run is for: a stranger took the bare word for the launch's. Nothing for every other verdict."""
    if record.kind == "readiness" or record.verdict not in (Verdict.GO, Verdict.GO_WITH_CONCERNS):
        return ""
    seen, total = observed((*record.stories, *record.checklist))
    return f"for what was tested ({seen} of {total} rows); no launch decision"


def verdict_line(record: RunRecord) -> str:
    """The word and what it is for, the same on every page, in every file and on the terminal."""
    return f"{verdict_word(record)} {verdict_scope(record)}".strip()


def verdict_sign(record: RunRecord) -> str:
    """A sign beside the word."""
    return VERDICT_SIGNS[record.verdict] if record.verdict else "!"


def verdict_meaning(record: RunRecord) -> str:
    """What the word means for somebody who sees it for the first time."""
    if record.verdict is Verdict.NO_GO and not _broken(record):
        return NOT_YET
    if verdict_scope(record):
        return TESTED
    return MEANINGS[record.verdict] if record.verdict else HARNESS_MEANING


def _broken(record: RunRecord) -> bool:
    failed = any(one.outcome == "failed" and one.blame != "harness" for one in record.scenarios)
    refuted = any(one.met is False for one in record.slo)
    return bool(failed or refuted or record.broken or record.privacy.leaks or not record.ledger.closed)


def headline(record: RunRecord) -> str:
    """The headline without the word it begins with; the word stands beside it."""
    text = record.headline.removeprefix(verdict_word(record)).lstrip(": ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def left_out(record: RunRecord) -> str:
    """`recovery (66), monitoring (10)`: the suites that were not run, and how many scenarios are in each."""
    return left_out_suites(record.left_out)


def plain(value: object) -> str:
    """`not_observed` as words."""
    return str(value).replace("_", " ")


def count(number: int, noun: str, many: str = "") -> str:
    """`1 row`, `1,204 rows`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def seconds(value: float) -> str:
    """`0.04 s`, `1.2 s`, `58 s`, `2 min 4 s`."""
    if value >= 100:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 0.1 else f"{value:.2f} s"


def slo_target(one: SloResult) -> str:
    """`< 200 ms`, `> 99 %`: a rate has to be over its target, everything else under it."""
    return f"{'>' if one.unit == '%' else '<'} {figure(one.target, one.target)} {one.unit}"


def slo_measured(one: SloResult) -> str:
    """`152.3 ms`, or a dash."""
    return "–" if one.measured is None else f"{figure(one.measured, one.target)} {one.unit}"


def past_number(told: object) -> str:
    """A number as a line of the history has it; a dash where it has none."""
    if not isinstance(told, Mapping) or not isinstance(told.get("measured"), int | float):
        return "–"
    return f"{figure(float(told['measured']))} {told.get('unit', '')}".strip()


def slo_interval(one: SloResult) -> str:
    """`148.1 to 157.9 ms`, or a dash."""
    if one.ci95 is None:
        return "–"
    return f"{figure(one.ci95[0], one.target)} to {figure(one.ci95[1], one.target)} {one.unit}"


def slo_state(one: SloResult) -> RowState:
    """As rows say it."""
    if one.met is None:
        return RowState.NOT_OBSERVED if one.measured is None else RowState.UNDECIDED
    return RowState.MET if one.met else RowState.NOT_MET


def load_sentence(load: LoadResult) -> str:
    """What the load was, so that its numbers can be believed or not."""
    asked = f"{figure(load.planned_per_s)}/s planned, {figure(load.achieved_per_s)}/s achieved"
    sent = f"{count(load.requests, 'request')} in {seconds(load.duration_s)}, {load.failures:,} failed"
    behind = f"the senders were at most {figure(load.scheduler_lag_p99_ms)} ms late (p99)"
    meta = f"{figure(load.meta_latency_median_ms)} ms median and {figure(load.meta_latency_p95_ms)} ms p95"
    return f"Profile {load.profile}: {asked}; {sent}; {behind}. The fake Meta answered in {meta}.{_acknowledged(load)}"


def _acknowledged(load: LoadResult) -> str:
    """Both ways to count, side by side: from the moment a webhook was due, and as a tool that waits would have said."""
    pairs = (
        ("p50", load.ack_p50_ms, None),
        ("p95", load.ack_p95_ms, load.uncorrected_p95_ms),
        ("p99", load.ack_p99_ms, load.uncorrected_p99_ms),
    )
    told = [
        ("" if corrected is None else f"{name} {figure(corrected)} ms")
        + ("" if other is None else f" (uncorrected {name} {figure(other)} ms)")
        for name, corrected, other in pairs
        if not (corrected is None and other is None)
    ]
    return f" Webhooks were answered in: {', '.join(told)}." if told else ""


def share_sentence(cost: LoadCost) -> str:
    """How much of the CPU golive took from the target, and whether that is too much."""
    if cost.golive_percent is None:
        return "How much of the CPU was golive's own is not known."
    kept = cost.golive_percent < cost.goal_percent
    goal = f"under {cost.goal_percent:g} % wanted" if kept else f"{cost.goal_percent:g} % or more is too much"
    return f"golive and its fakes took {cost.golive_percent:g} % of the CPU, the generator apart: {goal}."
