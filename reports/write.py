"""Writes a run's files, and lets `latest` point at them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from harness.errors import HarnessError
from harness.records import RunRecord
from reports import html, junit, markdown, trend

LATEST = "latest"


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of `report.json`."""
    text = (files("reports") / "report.schema.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def report_json(record: RunRecord) -> str:
    """The content of `report.json`, checked against its schema.

    Raises:
        HarnessError: the record does not fit it; the message names the place.
    """
    # Through JSON first, so that what is checked is what a reader will see: lists, not tuples.
    try:
        text = json.dumps(record.to_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    except ValueError as error:
        raise HarnessError(f"The run cannot be written as JSON: {error}") from None
    misfit = best_match(Draft202012Validator(schema()).iter_errors(json.loads(text)))
    if misfit is not None:
        raise HarnessError(
            f"The run does not fit reports/report.schema.json at {misfit.json_path}: {misfit.message[:300]}"
        )
    return text


def write_run(
    record: RunRecord,
    folder: Path,
    *,
    history: Sequence[Mapping[str, Any]] = (),
    trend_runs: Sequence[trend.Entry] = (),
) -> None:
    """Write `report.json`, `junit.xml`, `summary.md` and `index.html` into a folder; each is there whole or not at all.

    `history` holds the lines of earlier runs (`reports.history`), `trend_runs` the last load runs of its kind
    (`reports.trend`).

    Raises:
        HarnessError: the record does not fit its schema, or the folder cannot be written to. Then nothing is written.
    """
    rendered = {
        "report.json": report_json(record),
        "junit.xml": junit.render(record),
        "summary.md": markdown.render(record),
        "index.html": html.render(record, history, trend_runs),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in rendered.items():
            draft = folder / f".{name}.{os.getpid()}"
            draft.write_text(text, encoding="utf-8", errors="replace")
            draft.replace(folder / name)
    except OSError as error:
        raise HarnessError(f"The report cannot be written to {folder}: {error.strerror}") from None


def point_latest(folder: Path) -> None:
    """Let `latest` beside the folder point at it, in one step: a reader finds the old run or the new one, never none.

    Raises:
        HarnessError: something that is no link stands in its place.
    """
    link = folder.parent / LATEST
    draft = folder.parent / f".{LATEST}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(folder.name, target_is_directory=True)
    try:
        draft.replace(link)
    except OSError as error:
        draft.unlink()
        raise HarnessError(f"{link} cannot point at the newest run: {error.strerror}") from None
