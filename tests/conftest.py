"""For all tests: in CI a test that is skipped has not passed."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

#: Reasons that somebody has read and agreed to, one a line; `#` begins a comment.
REVIEWED = Path(__file__).with_name("reviewed_skips.txt")


def _reviewed() -> set[str]:
    lines = REVIEWED.read_text(encoding="utf-8").splitlines() if REVIEWED.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `CI=true` a skip is a failure, unless its reason stands in `reviewed_skips.txt`."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason not in _reviewed():
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}\nLet it run, or add the reason to tests/reviewed_skips.txt."
    return report
