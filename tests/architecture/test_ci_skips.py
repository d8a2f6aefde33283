"""A skipped test is no passed test where nobody looks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.rows import each_row

TESTS = Path(__file__).parents[1]


@each_row(
    ("ci", "reviewed", "code"),
    [("", "", 0), ("true", "", 1), ("true", "no moon tonight", 0), ("true", "no moon", 1)],
)
def test_in_ci_a_skip_needs_a_reviewed_reason(tmp_path: Path, ci: str, reviewed: str, code: int) -> None:
    """The whole reason, not a part of it."""
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "reviewed_skips.txt").write_text(f"# why\n{reviewed}\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.skip(reason='no moon tonight')\ndef test_it(): ...\n", encoding="utf-8"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert done.returncode == code, done.stdout
