"""The table of the peers: what is missing, what failed and what took too long is not measured, and never met."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import peers
from peers import Comparison, Result


@pytest.fixture
def comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.setattr(peers, "HERE", tmp_path)
    return Comparison(title="a beside b", script="one.py", options=())


def says(folder: Path, code: str) -> None:
    (folder / "one.py").write_text(code, encoding="utf-8")


def test_what_it_needs_and_is_not_here_is_named(comparison: Comparison) -> None:
    found = peers.run(replace(comparison, needs=("no-such-command",)))
    assert (found.code, "no-such-command is not here" in found.told) == (2, True)


@pytest.mark.parametrize("code", [0, 1])
def test_its_table_and_its_last_words_are_told(comparison: Comparison, tmp_path: Path, code: int) -> None:
    says(tmp_path, f"import sys; print('| a |'); print('ratio 2'); sys.exit({code})")
    found = peers.run(comparison)
    assert (found.code, found.table, found.told) == (code, "| a |", "ratio 2")


@pytest.mark.parametrize("code", ["import sys; print('x'); sys.exit(3)", "pass"])
def test_one_that_failed_or_said_nothing_is_not_met(comparison: Comparison, tmp_path: Path, code: str) -> None:
    says(tmp_path, code)
    assert peers.run(comparison).code == 2


def test_one_that_takes_too_long_is_ended(comparison: Comparison, tmp_path: Path) -> None:
    says(tmp_path, "import threading; threading.Event().wait()")
    found = peers.run(comparison, limit_s=1)
    assert (found.code, "more than 1 s" in found.told) == (2, True)


def test_not_met_is_louder_than_not_measured() -> None:
    def result(code: int) -> Result:
        return Result(title="t", code=code, table="", told="x", took_s=1.0)

    codes = ([0, 0], [0, 2], [2, 1], [])
    assert [peers.exit_code([result(one) for one in each]) for each in codes] == [0, 2, 1, 2]
    assert "? not measured" in peers.table([result(2)])
