"""The trend: one line for each run, read again whatever stands between the lines."""

import json
from dataclasses import replace
from pathlib import Path

from harness.records import RunRecord
from reports import history, html
from tests.rows import each_row


def test_a_line_is_read_again(tmp_path: Path, any_record: RunRecord) -> None:
    history.add(tmp_path, any_record)
    assert history.read(tmp_path) == [json.loads(json.dumps(history.line(any_record)))]


def test_the_last_line_of_a_run_is_the_one_that_counts(tmp_path: Path, go: RunRecord) -> None:
    """A run that found its own report leaking is judged and written a second time."""
    for one in (go, replace(go, run_id="another"), replace(go, duration_s=9.0)):
        history.add(tmp_path, one)
    assert [(one["run_id"], one["duration_s"]) for one in history.read(tmp_path)] == [
        ("another", go.duration_s),
        (go.run_id, 9.0),
    ]


@each_row(
    "bad", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"run_id": "x"}', b'{"kind": 1, "slo": []}'], shared=("go",)
)
def test_what_is_no_line_is_passed_over(tmp_path: Path, go: RunRecord, bad: bytes) -> None:
    (tmp_path / history.FILE).write_bytes(bad + b"\n")
    history.add(tmp_path, go)
    assert [one["run_id"] for one in history.read(tmp_path)] == [go.run_id]


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert history.read(tmp_path) == []


def test_the_page_shows_earlier_runs_of_this_kind_and_target_only(go: RunRecord) -> None:
    def earlier(name: str, **changed: object) -> dict[str, object]:
        told = {"commit": name, "started_at": "2026-02-01T12:00:00Z"}
        return {**history.line(replace(go, run_id=name)), **told, **changed}

    lines = [
        earlier("mine"),
        earlier("later", started_at="2027-01-01T12:00:00Z"),
        earlier("load", kind="load"),
        earlier("theirs", target="other"),
        earlier("<b>hostile</b>", slo={"webhook latency p95": {"measured": "x", "unit": 3}}),
    ]
    page = html.render(go, lines)
    trend = page[page.index('<section id="trend">') : page.index('<section id="time">')]
    assert ">mine<" in trend
    assert "&lt;b&gt;hostile" in trend
    assert not [name for name in ("later", ">load<", "theirs", "<b>hostile") if name in trend]
    assert "golive compare" in trend


def test_not_more_than_the_last_ten_are_shown(go: RunRecord) -> None:
    lines = [
        {**history.line(replace(go, run_id=f"r{day}")), "started_at": f"2026-02-{day:02}T12:00:00Z"}
        for day in range(1, 29)
    ]
    shown = history.before(go, lines)
    assert [one["run_id"] for one in shown] == [*(f"r{day}" for day in range(20, 29)), go.run_id]
