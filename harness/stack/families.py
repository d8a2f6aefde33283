"""Processes with all that they have begun, in one look at the machine for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress

import psutil


def families(roots: Collection[int]) -> dict[int, list[psutil.Process]]:
    """By root: itself and its descendants; a root that has ended is left out.

    psutil's `children(recursive=True)` reads the whole process table for each root: ten of them, looked at twice a
    second, took a fifth of a core from the target under load.
    """
    by_parent: defaultdict[int, list[psutil.Process]] = defaultdict(list)
    found: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            by_parent[process.ppid()].append(process)
            if process.pid in roots:
                found[process.pid] = [process]
    for members in found.values():
        for one in members:  # grows meanwhile
            members.extend(by_parent[one.pid])
    return found
