"""What people answer for: attestations and waivers, from one TOML file. Pure: text in, rows out.

An attestation says that somebody saw it; a waiver says that somebody decides to launch without knowing it, or with
it not met. Both have an owner, a date, an expiry and a reason. What a machine can measure is never attested: it can
only be waived; and nothing waives a promise that a scenario or a load run has seen broken.
"""

from __future__ import annotations

import datetime
import difflib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.readiness.plan import Plan, Row
from harness.readiness.rows import Observation
from harness.records import RowState

#: Rows that golive itself can look at only in part or not at all, so that a person may answer for them.
#: (Beside these: all rows that are seen by attestation.) Everything else is measured somewhere, and can be waived only.
READ_BY_PEOPLE: Mapping[str, str] = {
    "011.1/timing-safe": "timing cannot be seen over HTTP: somebody has read the code",
    "011.4a/timing-safe": "timing cannot be seen over HTTP: somebody has read the code",
    "011.4b/timing-safe": "timing cannot be seen over HTTP: somebody has read the code",
    "011.4c/timing-safe": "timing cannot be seen over HTTP: somebody has read the code",
    "011.3/di": "a reviewer has read the code",
    "011.5a/tests": "a reviewer has read the tests",
    "011.5c/runbook": "the team can open it when it is needed",
    "011.6/deployments": "whoever deploys has looked at each",
    "011.1/alive": "whoever deploys has called it",
    "constraint/no-breaking-change": "a reviewer has compared the contracts",
    "done/story-gate": "QA has judged each story",
    "checklist/code/flags": "whoever deploys has set them",
    "checklist/code/ci": "golive does not see the CI system: a developer has, for this commit",
    "checklist/code/types-lint": "golive does not see the CI system: a developer has, for this commit",
    **{f"011.3/story-009-{place}": "its text is in the story; QA has seen it kept" for place in range(1, 10)},
}

#: What is attested here has no text in the plan: without the story nobody knows what was attested.
_NEEDS_STORY = "011.3/story-009-"

_REQUIRED_WORDS = 3


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    row: str
    owner: str
    date: datetime.date
    expires: datetime.date
    reason: str = Field(max_length=2_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody's word on one row."""

    kind: Literal["attest", "waive"]
    row: str
    owner: str
    given: date
    expires: date
    reason: str

    def in_force(self, today: date) -> bool:
        """Given by today, and not expired: the day that it expires is its last."""
        return self.given <= today <= self.expires

    def words(self, today: date) -> str:
        """The sentence for the report."""
        verb = "Attested" if self.kind == "attest" else "Waived"
        told = f"{verb} by {self.owner} on {self.given}, until {self.expires}: {self.reason.removesuffix('.')}."
        if self.given > today:
            return f"{told} It is dated in the future, so it does not count yet."
        return told if self.in_force(today) else f"{told} It expired on {self.expires}, so it counts as not met."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """A whole file, by row."""

    entries: Mapping[str, Entry]
    today: date


def attestable(row: Row) -> bool:
    """Whether a person's word settles it."""
    return row.how == "attestation" or row.id in READ_BY_PEOPLE


def parse(text: str, plan: Plan, today: date) -> Attestations:
    """Read a file.

    Raises:
        UsageError: not TOML, an unknown key or row, something missing, a row twice, an attestation of what is measured.
    """
    try:
        told = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"The attestations are not TOML: {error}.") from None
    for name in told:
        if name not in ("attest", "waive"):
            raise UsageError(f"The attestations have {name!r}, which means nothing. Known: [[attest]] and [[waive]].")
    entries: dict[str, Entry] = {}
    for kind in ("attest", "waive"):
        listed = told.get(kind, [])
        if not isinstance(listed, list):
            raise UsageError(f"Write [[{kind}]] with two brackets: each entry is one of many.")
        for place, given in enumerate(listed, 1):
            entry = _entry(kind, place, given, plan)
            if entry.row in entries:
                raise UsageError(f"The row {entry.row!r} stands twice in the attestations. Keep the one that holds.")
            entries[entry.row] = entry
    return Attestations(entries=entries, today=today)


def _entry(kind: Literal["attest", "waive"], place: int, given: Any, plan: Plan) -> Entry:
    where = f"[[{kind}]] number {place}"
    try:
        read = _Entry.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "it"
        known = f"Known: {', '.join(_Entry.model_fields)}; dates as 2026-03-01, without quotes."
        raise UsageError(f"{where}: {name}: {first['msg']}. {known}") from None
    where += f" ({read.row})"
    row = plan.rows.get(read.row)
    if row is None:
        close = difflib.get_close_matches(read.row, plan.rows, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "`golive readiness --init-attestations F` lists them."
        raise UsageError(f"{where}: no row of the launch plan is called {read.row!r}. {hint}")
    _check(where, kind, read, row)
    return Entry(
        kind=kind,
        row=read.row,
        owner=read.owner.strip(),
        given=read.date,
        expires=read.expires,
        reason=" ".join(read.reason.split()),
    )


def _check(where: str, kind: str, read: _Entry, row: Row) -> None:
    if not read.owner.strip():
        raise UsageError(f"{where}: nobody owns it. Put the name of the person who answers for it into owner.")
    if len(read.reason.split()) < _REQUIRED_WORDS:
        raise UsageError(f"{where}: the reason says too little. Say what was seen, or why it may be launched without.")
    if read.expires < read.date:
        raise UsageError(f"{where}: it expires on {read.expires}, before its date {read.date}.")
    if row.how == "out_of_scope":
        raise UsageError(f"{where}: the row is out of scope ({row.reason}). Take it out.")
    if kind == "attest" and not attestable(row):
        how = "follows from other rows" if row.all_of else "is measured"
        raise UsageError(f"{where}: this row {how}, so nobody can attest it. Have it seen, or waive it with [[waive]].")


def settle(row: Row, known: Observation, said: Attestations) -> Observation:
    """What is known of a row with what people answer for.

    With a file of attestations, a row that needs a person and has nobody is not met: whoever decides has asked.
    """
    if row.how == "out_of_scope" or known.state is RowState.MET:
        return known
    entry = said.entries.get(row.id)
    if entry is None:
        return _nobody(row, known) if attestable(row) and not row.all_of else known
    words = entry.words(said.today)
    if not entry.in_force(said.today):
        return Observation(RowState.NOT_MET, (words, *known.evidence), known.reproduce)
    return _waived(row, known, words) if entry.kind == "waive" else _attested(row, known, words)


def _attested(row: Row, known: Observation, words: str) -> Observation:
    if known.state is RowState.NOT_MET:
        return Observation(known.state, (*known.evidence, f"{words} What was seen speaks against it."), known.reproduce)
    if row.id.startswith(_NEEDS_STORY) and known.state is RowState.NOT_OBSERVED:
        missing = "Nobody knows what was attested: the text of story 009 is not handed in (--story FILE.md)."
        return Observation(RowState.NOT_OBSERVED, (missing, words), known.reproduce)
    return Observation(RowState.ATTESTED, (words, *known.evidence), known.reproduce)


def _nobody(row: Row, known: Observation) -> Observation:
    if known.state is RowState.NOT_MET:
        return known
    said = f"Nobody has attested it. Can be supplied by {row.who}."
    rest = tuple(one for one in known.evidence if not one.startswith("Can be supplied by"))
    return Observation(RowState.NOT_MET, (said, *rest), known.reproduce)


def _waived(row: Row, known: Observation, words: str) -> Observation:
    if known.state is RowState.NOT_MET and (row.how in ("scenario", "load") and not row.all_of):
        kept = f"{words} It was seen broken, and no waiver excuses that."
        return Observation(known.state, (*known.evidence, kept), known.reproduce)
    return Observation(RowState.WAIVED, (words, *known.evidence), known.reproduce)


def template(plan: Plan, today: date, expires: date) -> str:
    """A file to fill in: every row that needs a person, grouped by who can supply it; all of it commented out."""
    people: dict[str, list[Row]] = {}
    for row in plan.rows.values():
        if attestable(row) and not row.all_of:
            people.setdefault(row.who, []).append(row)
    count = sum(map(len, people.values()))
    lines = [
        f"# What people answer for before the launch: {count} rows, by who can supply them.",
        "# Take the # away from each entry that you can answer for; then: golive readiness --attestations THIS_FILE",
        "# Expired entries count as not met. A row that golive measures can be waived, never attested:",
        "#",
        "# [[waive]]",
        '# row = "checklist/infrastructure/rds"',
        '# owner = "name of the person who decides"',
        f"# date = {today}",
        f"# expires = {expires}",
        '# reason = "why it may be launched without"',
    ]
    for who, rows in people.items():
        lines += ["", f"# ---- {who} ----"]
        for row in rows:
            lines += [
                "",
                f"# {row.text}",
                "# [[attest]]",
                f"# row = {json.dumps(row.id)}",
                '# owner = ""',
                f"# date = {today}",
                f"# expires = {expires}",
                '# reason = ""',
            ]
    return "\n".join(lines) + "\n"


def settler(
    first: Callable[[Row, Observation], Observation], said: Attestations | None
) -> Callable[[Row, Observation], Observation]:
    """First what was found, then what people say of it."""
    if said is None:
        return first
    return lambda row, run: settle(row, first(row, run), said)
