"""Which version of Graph a path asks for, and which one answers (facts, section 10)."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from simulators.meta.errors import GraphError

OLDEST = 21
LATEST = 26
_VERSIONED = re.compile(r"/v(\d{1,3})\.(\d{1,2})(?=/|$)").match


class Served(NamedTuple):
    """The version that answers, the path without its version, and the warning a client gets beside the answer."""

    version: str
    path: str
    warning: str | None = None


def served(path: str, mode: Literal["upgrade", "strict"]) -> Served:
    """What serves the path. One without a version is served by the oldest usable one.

    Raises:
        GraphError: 2500 a version that does not exist yet, 2635 one that is gone, when `mode` is strict.
    """
    found = _VERSIONED(path)
    if found is None:
        return Served(f"v{OLDEST}.0", path)
    number, minor, rest = int(found[1]), found[2], path[found.end() :]
    if number > LATEST or (minor != "0" and number >= OLDEST):
        raise GraphError("unknown_path", path=path)
    if number >= OLDEST:
        return Served(f"v{number}.0", rest)
    if mode == "strict":
        raise GraphError("old_version", latest=f"v{LATEST}.0")
    asked = found[0][1:]
    warning = f"The call has been auto-upgraded to v{OLDEST}.0 as {asked} has been deprecated."
    return Served(f"v{OLDEST}.0", rest, warning)
