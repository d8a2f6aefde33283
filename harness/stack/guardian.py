"""Sweeps up when golive itself is killed.

Run as a child of its own (`python -I -S guardian.py`): it reads `pid N` and `path PATH` lines, and when its standard
input ends without a `bye` it kills those process groups and removes those folders and files. A group that was told as
`tidy N` has something else to remove: it is asked with SIGTERM first. Standard library only, so that it starts in
milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
import time

#: So long may a group that was asked to tidy up take.
TIDY_S = 15.0


def main() -> int:
    """Listen until the parent says bye or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    groups: dict[str, set[int]] = {"pid": set(), "tidy": set()}
    paths: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word in groups:
            groups[word].add(int(rest))
        elif word == "gone":
            for kind in groups.values():
                kind.discard(int(rest))
        elif word == "path":
            paths.append(rest)
        elif word == "bye":
            return 0
    sweep(groups["pid"], groups["tidy"], paths)
    return 0


def sweep(groups: set[int], tidy: set[int], paths: list[str]) -> None:
    """End all that is left, and remove what it has left."""
    for group in groups:
        _send(group, signal.SIGKILL)
    for group in tidy:
        _send(group, signal.SIGTERM)
    _wait(tidy)
    for group in tidy:
        _send(group, signal.SIGKILL)
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):  # it was a folder, or is gone
            os.unlink(path)


def _send(group: int, number: int) -> bool:
    """Whether there was such a group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait(groups: set[int]) -> None:
    """Return once they are gone, or have had their time; their parent is dead, so nobody can be waited for."""
    pause, deadline = threading.Event(), time.monotonic() + TIDY_S
    while any(_send(group, 0) for group in groups) and time.monotonic() < deadline:
        pause.wait(0.05)


if __name__ == "__main__":
    sys.exit(main())
