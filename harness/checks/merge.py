"""The parts of a run become one run. Pure: records in, what was found out.

What no part has looked at is skipped by name, so that nobody takes three quarters of a run for a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.records import PrivacyResult, RunRecord, ScenarioResult, ShardInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What all parts together have seen."""

    scenarios: tuple[ScenarioResult, ...]
    harness_errors: tuple[str, ...]
    broken: tuple[str, ...]
    privacy: PrivacyResult
    not_applicable: tuple[str, ...]
    missing: tuple[int, ...]
    """Parts that nobody handed in."""


def merge(records: Sequence[RunRecord]) -> Merged:
    """Put the parts together.

    Raises:
        UsageError: they are not parts of one run, or one was given twice.
    """
    parts = [(record, _part(record)) for record in records]
    if not parts:
        raise UsageError("Nothing to merge: name the folders of the parts.")
    _must_belong_together(parts)
    first = parts[0][1]
    given = {part.index: record for record, part in parts}
    missing = tuple(index for index in range(1, first.count + 1) if index not in given)
    out = {name for _, part in parts for name in part.not_applicable}
    seen = [one for record, _ in parts for one in record.scenarios]
    return Merged(
        scenarios=(*seen, *_unseen(first, {one.id for one in seen} | out, missing)),
        harness_errors=tuple(_told(parts, "harness_errors")),
        broken=tuple(_told(parts, "broken")),
        privacy=PrivacyResult(
            canaries=sum(record.privacy.canaries for record in records),
            places=tuple(dict.fromkeys(place for record in records for place in record.privacy.places)),
            leaks=tuple(dict.fromkeys(leak for record in records for leak in record.privacy.leaks)),
        ),
        not_applicable=tuple(sorted(out)),
        missing=missing,
    )


def _part(record: RunRecord) -> ShardInfo:
    if record.shard is None:
        raise UsageError(f"{record.run_id} is no part of a run: it was started without --shard.")
    return record.shard


def _must_belong_together(parts: Sequence[tuple[RunRecord, ShardInfo]]) -> None:
    (first, whole), *others = parts
    met = {whole.index: first.run_id}
    for record, part in others:
        for what, mine, its in (
            ("number of parts", whole.count, part.count),
            ("seed", first.seed, record.seed),
            ("target", first.target.name, record.target.name),
            ("commit", first.target.commit, record.target.commit),
            ("selection", whole.selection, part.selection),
            ("list of scenarios", whole.planned, part.planned),
        ):
            if mine != its:
                told = "" if what == "list of scenarios" else f": {mine!r} and {its!r}"
                raise UsageError(f"{first.run_id} and {record.run_id} are no parts of one run: another {what}{told}.")
        if part.index in met:
            raise UsageError(f"Part {part.index} was given twice: {met[part.index]} and {record.run_id}.")
        met[part.index] = record.run_id


def _unseen(whole: ShardInfo, seen: set[str], missing: Sequence[int]) -> Iterator[ScenarioResult]:
    for one in whole.planned:
        if one.id in seen:
            continue
        end = f"of {whole.count} is missing" if one.shard in missing else "ended before"
        story, _, criterion = (one.proves[0] if one.proves else "").rpartition("/")
        yield ScenarioResult(
            id=one.id,
            title=one.title,
            story=story,
            criterion=criterion,
            proves=one.proves,
            suite=one.suite,
            outcome="skipped",
            duration_s=0,
            message=f"not observed: part {one.shard} {end}",
        )


def _told(parts: Sequence[tuple[RunRecord, ShardInfo]], name: str) -> Iterator[str]:
    for record, part in parts:
        for sentence in getattr(record, name):
            yield f"{sentence.rstrip('.')} (part {part.index})"
