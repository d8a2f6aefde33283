"""Every fault by its name: what `pipeline.fault(...)` and an experiment's file say."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, cast

from harness.errors import UsageError
from harness.faults import aws, meta, process
from harness.faults.base import Fault
from simulators.aws_faults import faults as aws_faults
from simulators.meta import faults as meta_faults

_OWN: Mapping[str, type[Fault]] = MappingProxyType(
    {
        one.name: one
        for one in (
            process.Kill,
            process.Pause,
            process.Terminate,
            process.DatabaseDown,
            process.DatabaseReadOnly,
            aws.EndpointGone,
            meta.TokenDead,
        )
    }
)
_TABLES: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {"aws": (aws.AwsFault, aws_faults), "meta": (meta.MetaFault, meta_faults)}
)


def known() -> Mapping[str, str]:
    """Every name, and what happens."""
    found = {name: _first_line(kind) for name, kind in _OWN.items()}
    for group, (_, table) in _TABLES.items():
        found |= {f"{group}.{name}": _first_line(kind) for name, kind in table.FAULTS.items()}
    return dict(sorted(found.items()))


def make(name: str, parameters: Mapping[str, Any]) -> Fault:
    """The fault of that name.

    Raises:
        UsageError: there is none, or it has no such parameter; with the nearest guess.
    """
    group, _, inner = name.partition(".")
    if name not in known():
        close = difflib.get_close_matches(name, known(), n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"No fault is called {name!r}.{guess} Known: {', '.join(known())}.")
    if name in _OWN:
        return _own(_OWN[name], name, parameters)
    kind, table = _TABLES[group]
    how_often = {key: value for key, value in parameters.items() if key in ("strikes", "probability")}
    rest = {key: value for key, value in parameters.items() if key not in how_often}
    _check_how_often(name, how_often)
    try:
        table.make(inner, rest)
    except ValueError as error:
        raise UsageError(f"{group}.{error}.") from None
    made: Fault = kind(fault=inner, parameters=rest, **how_often)
    return made


def _own(kind: type[Fault], name: str, parameters: Mapping[str, Any]) -> Fault:
    wanted = [one.name for one in fields(cast(Any, kind))]
    if set(parameters) != set(wanted) or not all(isinstance(one, str) for one in parameters.values()):
        needs = f"needs {', '.join(wanted)} (text)" if wanted else "takes no parameters"
        given = ", ".join(parameters) or "none"
        raise UsageError(f"The fault {name} {needs}; given: {given}.")
    return kind(**parameters)


def _check_how_often(name: str, given: Mapping[str, Any]) -> None:
    strikes, probability = given.get("strikes", 1), given.get("probability", 1.0)
    if type(strikes) is not int or strikes < 1:
        raise UsageError(f"The fault {name}: strikes is a whole number, at least 1.")
    if type(probability) not in (int, float) or not 0 <= probability <= 1:
        raise UsageError(f"The fault {name}: probability is within 0 and 1.")


def _first_line(kind: object) -> str:
    return (kind.__doc__ or "").partition("\n")[0]
