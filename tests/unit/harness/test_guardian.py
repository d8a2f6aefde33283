"""The guardian, when golive is dead: what it asks, what it kills."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.stack import guardian

_TIDY = """
import pathlib, signal, sys
def tidy(*_):
    pathlib.Path(sys.argv[1]).write_text("tidied")
    sys.exit(0)
signal.signal(signal.SIGTERM, tidy)
print("ready", flush=True)
signal.pause()
"""
_STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


def begin(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A process in a group of its own, once it is ready."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def test_who_has_something_to_remove_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are killed; and so is who was asked and does not go."""
    monkeypatch.setattr(guardian, "TIDY_S", 1.0)
    note = tmp_path / "note"
    tidy, stubborn, other = begin(_TIDY, str(note)), begin(_STUBBORN), begin(_TIDY, str(tmp_path / "never"))
    guardian.sweep({other.pid}, {tidy.pid, stubborn.pid}, [])
    assert [one.wait(timeout=10) for one in (tidy, stubborn, other)] == [0, -signal.SIGKILL, -signal.SIGKILL]
    assert note.read_text(encoding="utf-8") == "tidied"
    assert not (tmp_path / "never").exists()
    for one in (tidy, stubborn, other):
        if one.stdout is not None:
            one.stdout.close()


def test_folders_and_files_are_removed(tmp_path: Path) -> None:
    """And what is gone already is no mistake."""
    folder, file = tmp_path / "folder", tmp_path / "file"
    (folder / "inner").mkdir(parents=True)
    file.touch()
    guardian.sweep(set(), set(), [str(tmp_path / "gone"), str(folder), str(file)])
    assert list(tmp_path.iterdir()) == []
