"""What each published run leaves for the trend: one line of JSON in `history.jsonl`, beside the runs' folders.

A line: `{"run_id", "kind", "target", "commit", "started_at", "duration_s", "verdict", "kept", "broken", "lost",
"doubled", "leaks", "met", "in_scope", "slo": {name: {"measured", "unit", "met"}}}`. Lines are only added.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.records import RowState, RunRecord
from reports import view

FILE = "history.jsonl"
_MOST_BYTES = 2_000_000
"""So much of the end is read: some thousand runs."""


def line(record: RunRecord) -> dict[str, Any]:
    """What a trend shows of a run."""
    rows = [row for row in view.plan(record) if row.state is not RowState.OUT_OF_SCOPE]
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "target": record.target.name,
        "commit": record.target.commit,
        "started_at": record.started_at,
        "duration_s": record.duration_s,
        "verdict": record.verdict.value if record.verdict else None,
        "kept": sum(one.outcome == "passed" for one in record.scenarios),
        "broken": sum(one.outcome == "failed" and one.blame != "harness" for one in record.scenarios),
        "lost": record.ledger.lost,
        "doubled": record.ledger.doubled,
        "leaks": len(record.privacy.leaks),
        "met": sum(row.state in (RowState.MET, RowState.ATTESTED) for row in rows),
        "in_scope": len(rows),
        "slo": {one.name: {"measured": one.measured, "unit": one.unit, "met": one.met} for one in record.slo},
    }


def add(folder: Path, record: RunRecord) -> None:
    """Add a run's line to the file in that folder, in one write: two runs that end together both stand in it.

    Raises:
        OSError: it cannot be written to.
    """
    text = json.dumps(line(record), ensure_ascii=False) + "\n"
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, text.encode(errors="replace"))
    finally:
        os.close(handle)


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines that can be read, oldest first, the last one of each run; nothing where there is no file."""
    try:
        with (folder / FILE).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return []
    found: dict[str, dict[str, Any]] = {}
    for one in lines:
        try:
            told = json.loads(one)
        except ValueError:
            continue  # half a line: the file was cut
        if isinstance(told, dict) and _whole(told):
            found.pop(told["run_id"], None)
            found[told["run_id"]] = told
    return list(found.values())


def _whole(told: Mapping[str, Any]) -> bool:
    """Whether a line holds what is shown of it; another golive may have written it."""
    texts = all(isinstance(told.get(name), str) for name in ("run_id", "kind", "target", "commit", "started_at"))
    counts = all(isinstance(told.get(name), int) for name in ("kept", "broken", "met", "in_scope"))
    return texts and counts and isinstance(told.get("duration_s"), int | float) and isinstance(told.get("slo"), dict)


def before(record: RunRecord, history: Sequence[Mapping[str, Any]], most: int = 9) -> list[Mapping[str, Any]]:
    """The last runs of this kind and target that began no later than this one, oldest first, this one last."""
    mine = [
        one
        for one in history
        if one["kind"] == record.kind
        and one["target"] == record.target.name
        and one["run_id"] != record.run_id
        and one["started_at"] <= record.started_at
    ]
    return [*sorted(mine, key=lambda one: one["started_at"])[-most:], line(record)]
