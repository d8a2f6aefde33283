"""A pipe is never silent for long, and says how far the run is."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from harness.cli import terminal
from harness.cli.terminal import Progress
from harness.records import ScenarioResult

LIMIT_S = 20.0


class Pipe(io.StringIO):
    """Remembers what was written, and wakes who waits for some of it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def write(self, text: str) -> int:
        with self._changed:
            written = super().write(text)
            self._changed.notify_all()
        return written

    def wait_for(self, words: str) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.getvalue(), LIMIT_S), self.getvalue()
            return self.getvalue()


def result(outcome: str) -> ScenarioResult:
    return ScenarioResult(
        id="G-01",
        title="A promise.",
        story="",
        criterion="",
        proves=(),
        suite="gateways",
        outcome=outcome,  # type: ignore[arg-type]  # a test's word
        duration_s=1.0,
        message="it was broken",
    )


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    monkeypatch.setattr(terminal, "SILENCE_S", 0.05)
    return Pipe()


def progress(pipe: Pipe) -> Progress:
    return Progress(Console(file=pipe, width=160, soft_wrap=True, highlight=False))


def test_silence_is_broken_with_how_far_the_run_is(pipe: Pipe) -> None:
    with progress(pipe) as shown:
        shown.phase("scenarios")
        shown.expects(3, 42.0, measured=True)
        shown.finished(result("passed"))
        pipe.wait_for("scenarios  1 of 3  1 passed")
        shown.finished(result("failed"))
        said = pipe.wait_for("scenarios  2 of 3  1 passed  1 failed")
    assert "3 scenarios, about 42 seconds in all (by earlier runs on this machine)" in said
    assert "it was broken" in said


@pytest.mark.parametrize(
    ("scenarios", "seconds", "measured", "words"),
    [
        (1, 9.6, False, "1 scenario, about 10 seconds in all (an estimate; no earlier run here says more)"),
        (625, 150.0, True, "625 scenarios, about 2 minutes in all (by earlier runs on this machine)"),
    ],
)
def test_duration_is_said_before_it_begins(
    pipe: Pipe, scenarios: int, seconds: float, measured: bool, words: str
) -> None:
    with progress(pipe) as shown:
        shown.expects(scenarios, seconds, measured=measured)
    assert words in pipe.getvalue()


def test_nothing_is_said_after_the_end(pipe: Pipe) -> None:
    with progress(pipe) as shown:
        shown.phase("scenarios")
        pipe.wait_for("scenarios\n")
    for one in [one for one in threading.enumerate() if one.name == "progress"]:
        one.join(LIMIT_S)
        assert not one.is_alive()
