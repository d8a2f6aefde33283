"""What a scenario and a test may cost: counted from what the commands say, compared in loops, never passed unseen."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.rows import each_row

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
import run_cost
from run_cost import Cost, Row

COST = Cost(wall_s=10, cpu_s=20, loop_s=0.5, written_mb=3, exit_code=0, units=100)
"""0.4 loops for each of a hundred."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_cost, "ROOT", tmp_path)
    monkeypatch.setattr(run_cost, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(run_cost, "BASELINE", tmp_path / "baseline.json")
    return tmp_path


def kept(**costs: Cost) -> None:
    run_cost.KEPT.write_text(json.dumps({name: asdict(cost) for name, cost in costs.items()}), encoding="utf-8")


def baseline(loops: float, *, machine: str = "") -> None:
    text = json.dumps({"machine": machine or run_cost.machine(), "loops_per_unit": {"tests": loops}})
    run_cost.BASELINE.write_text(text, encoding="utf-8")


@each_row(
    ("output", "units"),
    [
        ("  5.8 s  567 scenarios, about 40 seconds in all\n… 1 passed\n", 567),
        ("  5.8 s  1 scenario, about 4 seconds in all\n", 1),
        ("a.py .F\n12 failed, 1234 passed, 3 errors in 9.1s\n", 1249),
        ("7 passed, 2 deselected in 9.1s\n\n", 7),
        ("make: *** [Makefile:40: test] Error 1\n", 0),
    ],
)
def test_scenarios_and_tests_are_counted(output: str, units: int) -> None:
    assert run_cost.units_in(output) == units


@pytest.mark.parametrize(
    ("before", "machine", "code", "words"),
    [
        (0.4, "", 0, "(+0%): within"),
        (0.33, "", 0, "(+21%): within"),
        (0.31, "", 1, "(+29%): MORE than 25%"),
        (0.8, "", 0, "(-50%): within"),
        (0.31, "an abacus", 0, "another machine"),
        (0.19, "an abacus", 1, "MORE than 100%"),
    ],
)
def test_a_quarter_more_fails(
    before: float, machine: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On another kind of machine only what doubled."""
    kept(tests=COST)
    baseline(before, machine=machine)
    assert run_cost.gate(update=False) == code
    assert words in capsys.readouterr().out


def test_what_was_not_measured_or_has_no_baseline_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    kept(tests=COST)
    assert run_cost.gate(update=False) == 2, "nothing to compare with"
    run_cost.KEPT.unlink()
    baseline(0.4)
    assert run_cost.gate(update=False) == 2
    kept(scenarios=COST, tests=COST)
    assert run_cost.gate(update=False) == 2
    assert "scenarios: no baseline" in capsys.readouterr().out
    kept(tests=Cost(wall_s=1, cpu_s=1, loop_s=1, written_mb=0, exit_code=2))
    assert run_cost.gate(update=False) == 2, "a command that ran nothing proves nothing"


def test_an_update_is_the_next_baseline() -> None:
    kept(tests=COST)
    assert run_cost.gate(update=True) == 0
    assert json.loads(run_cost.BASELINE.read_text())["loops_per_unit"] == {"tests": 0.4}
    assert run_cost.gate(update=False) == 0


def test_a_command_is_measured_with_its_children_and_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    """The CPU of a grandchild counts, and so does what it wrote; the exit code is the command's own."""
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])\nprint('3 passed')\nsys.exit(7)"
    assert run_cost.measure("tests", [sys.executable, "-c", code]) == 7
    assert "3 passed" in capfd.readouterr().out
    (cost,) = run_cost.kept().values()
    assert cost["cpu_s"] >= 0.3
    assert (cost["units"], cost["exit_code"]) == (3, 7)


def test_a_line_has_the_median_the_range_and_says_what_ended_red() -> None:
    costs = [COST, Cost(wall_s=30, cpu_s=40, loop_s=0.5, written_mb=9, exit_code=1), COST]
    row = Row(name="it", gate="90 s", measure=lambda: (COST, ""))
    line = run_cost.in_words(row, [(cost, "331 MB") for cost in costs])
    assert line == "| it **(ended red)** | 90 s | 10 (10–30) s | 20 (20–40) s | 40 (40–80) | 3 (3–9) MB | 331 MB |"
