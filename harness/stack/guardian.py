"""Sweeps up when golive itself is killed.

Run as a child of its own (`python -I -S guardian.py`): it reads `pid N` and `folder PATH` lines, and when its
standard input ends without a `bye` it kills those process groups and removes those folders. Standard library only,
so that it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def main() -> int:
    """Listen until the parent says bye or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    groups: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "pid":
            groups.add(int(rest))
        elif word == "gone":
            groups.discard(int(rest))
        elif word == "folder":
            folders.append(rest)
        elif word == "bye":
            return 0
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
