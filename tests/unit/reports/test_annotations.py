"""Workflow commands for GitHub: one a line, whatever a target has said."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import terminal
from harness.records import RunRecord, ScenarioResult, Verdict
from reports import annotations, words
from tests.rows import each_row

_COMMAND = re.compile(r"::(notice|warning|error) (?:file=([^,:]*),)?title=([^,:]*)::(.*)")


def red(number: int, message: str = "it was lost") -> ScenarioResult:
    """A broken promise."""
    return ScenarioResult(
        id=f"G-{number:02}[hotmart-plan]",
        title="a sale is counted once",
        story="011.1",
        criterion="hmac",
        proves=(),
        suite="gateways",
        outcome="failed",
        duration_s=1,
        message=message,
        reproduce="golive run --seed 7 -k G-01",
    )


@pytest.fixture
def here(any_record: RunRecord, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunRecord:
    """A record, in an empty checkout on GitHub."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return any_record


def parsed(record: RunRecord, file: str | None = None) -> list[tuple[str, ...]]:
    """Level, file, title and message of each line, as GitHub reads them."""
    found = [_COMMAND.fullmatch(line) for line in annotations.lines(record, file=file)]
    assert all(found), found
    return [
        tuple(
            (part or "").replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n").replace("%25", "%")
            for part in one.groups()
        )
        for one in found
        if one
    ]


def test_the_verdict_stands_first(any_record: RunRecord) -> None:
    first = next(iter(parsed(any_record)))
    assert words.verdict_word(any_record) in first[2]
    assert first[3].startswith(words.headline(any_record))


@each_row(
    ("verdict", "level"),
    [
        (Verdict.GO, "notice"),
        (Verdict.GO_WITH_CONCERNS, "warning"),
        (Verdict.INCONCLUSIVE, "warning"),
        (Verdict.NO_GO, "error"),
        (None, "error"),
    ],
    shared=("any_record",),
)
def test_only_go_is_a_notice(any_record: RunRecord, verdict: Verdict | None, level: str) -> None:
    """Unknown is never a pass, and a harness error is none."""
    assert parsed(replace(any_record, verdict=verdict, scenarios=()))[0][0] == level


def test_red_scenarios_are_errors_at_the_target_file(any_record: RunRecord) -> None:
    record = replace(any_record, scenarios=(red(1), replace(red(2), outcome="passed")))
    (_, one) = parsed(record, file="shop/golive.toml")
    assert one == (
        "error",
        "shop/golive.toml",
        "G-01[hotmart-plan] a sale is counted once",
        "broken promise: it was lost\nAgain: golive run --seed 7 -k G-01",
    )


def test_what_github_does_not_show_is_counted(any_record: RunRecord) -> None:
    """It keeps ten errors of a step."""
    found = parsed(replace(any_record, scenarios=tuple(map(red, range(12)))))
    assert len(found) == 10
    assert "3 more red scenarios" in found[0][3]


@each_row(
    "hostile",
    [
        "one\n::error::made up",
        "one\r\n::add-mask::e",
        "100 % :: a,b",
        "\u2028::notice::x",
        "a\x1b[31mred",
        "%0A::error::",
    ],
    shared=("any_record",),
)
def test_nothing_breaks_out(any_record: RunRecord, hostile: str) -> None:
    """Neither of the message, nor of the title, nor of the file."""
    one = replace(red(1, hostile), title=hostile)
    record = replace(any_record, scenarios=(one,), headline=hostile)
    lines = list(annotations.lines(record, file=hostile))
    assert len(lines) == 2
    for line in lines:
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert _COMMAND.fullmatch(line)
    if hostile.startswith("%"):
        assert hostile in parsed(record)[1][3]


def test_a_targets_words_are_no_command_on_the_terminal() -> None:
    """`::stop-commands::` in a log that we show would silence what comes after it."""
    out = Console(file=StringIO(), markup=True)
    out.print(terminal.escape("its log:\n::stop-commands::x\n  ##[error]made up\nA::b"))
    said = out.file.getvalue()  # type: ignore[attr-defined]
    assert not re.search(r"(?m)^\s*(::|##\[)", said)
    assert "stop-commands" in said
    assert "A::b" in said


@pytest.mark.parametrize(
    ("actions", "anchor", "file"),
    [("true", "shop/golive.toml", "shop/golive.toml"), ("true", "/etc/x.toml", ""), ("", "golive.toml", None)],
)
def test_only_on_github_and_only_with_a_file_of_the_repository(  # noqa: PLR0917 -- fixtures and parameters
    here: RunRecord,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    actions: str,
    anchor: str,
    file: str | None,
) -> None:
    """Standard output stays `--json`'s."""
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    terminal.annotate(here, Path(anchor))
    out, err = capsys.readouterr()
    assert out == ""
    match = _COMMAND.match(err)
    assert (match and (match[2] or "")) == file
