"""What this machine has of what golive can use. Looks, and changes nothing."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from harness import faketime
from harness.errors import UsageError

State = Literal["ok", "lacking", "needed"]
"""`lacking`: something is not possible without it; `needed`: nothing is."""

#: The names that golive's packages take at the top level: the choice of its users, and short enough to be taken twice.
NAMES = ("harness", "simulators", "scenarios", "load", "reference_impl", "reports")

#: Extra -> a module that only it brings, and what it is for.
EXTRAS = {
    "aws": ("ministack", "a local SQS, SNS and Secrets Manager (`${aws_url}`), and `golive readiness --aws-…`"),
    "reference": ("flask", "the reference pipeline and an embedded PostgreSQL (`${database_url}`)"),
    "load": ("locust", "`golive load`"),
    "model": ("hypothesis", "the model, scenario M-01"),
}
_PROGRAMS = {
    "make": "the commands of golive's own repository",
    "git": "the commit in a report",
    "chromium": "golive's own browser tests",
    "java": "`make bench-fakes`, the comparison with WireMock",
    "docker": "containers around a target; golive itself needs none",
    "node": "examples/node-target",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked for."""

    name: str
    state: State
    found: str
    """What there is, or what is not possible without it and what to do."""


def look(here: Path) -> list[Check]:
    """Everything, as seen from the folder in which golive was called."""
    return [_python(), *_extras(), _faketime(), *_programs(), *_shadows(here)]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    return Check(
        name="Python",
        state="ok" if fine else "needed",
        found=version if fine else f"{version}; 3.11 or newer is needed",
    )


def _extras() -> list[Check]:
    found = []
    for extra, (module, use) in EXTRAS.items():
        there = find_spec(module) is not None
        told = use if there else f"no {use}: pip install 'golive[{extra}]'"
        found.append(Check(name=f"golive[{extra}]", state="ok" if there else "lacking", found=told))
    return found


def _faketime() -> Check:
    try:
        library = faketime.library()
    except (UsageError, ImportError) as error:
        return Check(name="libfaketime", state="lacking", found=f"no --at and no time travel: {error}")
    return Check(name="libfaketime", state="ok", found=str(library))


def _programs() -> list[Check]:
    found = []
    for name, use in _PROGRAMS.items():
        path = shutil.which(name)
        found.append(Check(name=name, state="ok" if path else "lacking", found=path or f"not here; only for {use}"))
    return found


def _shadows(here: Path) -> list[Check]:
    """Files of these names where golive is called: a plain `python -m` would take them for golive's."""
    found = []
    for name in NAMES:
        spec = find_spec(name)
        ours = {Path(one).resolve() for one in (spec.submodule_search_locations or ()) if spec} if spec else set()
        for place in (here / name, here / f"{name}.py"):
            is_module = (place / "__init__.py").exists() if place.is_dir() else place.exists()
            if is_module and place.resolve() not in ours:
                found.append(_shadow(name, place))
        if not ours:
            found.append(Check(name=name, state="needed", found="golive's package of this name is not installed"))
        elif not any(Path(one, "py.typed").exists() or Path(one, "__init__.py").exists() for one in ours):
            found.append(Check(name=name, state="needed", found=f"{sorted(map(str, ours))[0]} is not golive's package"))
    return found or [Check(name="top-level names", state="ok", found=f"{', '.join(NAMES)}: golive's own")]


def _shadow(name: str, place: Path) -> Check:
    told = (
        f"{place} has the name of a package of golive's: `python -m {name}` and imports from this folder find yours. "
        "`golive` itself does not look here; call it from another folder if something is odd"
    )
    return Check(name=name, state="lacking", found=told)
