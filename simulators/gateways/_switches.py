"""What vendors leave open: the fields of a gateway's class, read off it, and set by name.

Nothing is listed here: a field that somebody adds to a gateway is a switch from then on.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from simulators.gateways import FakeGateway, UnknownName

_MARK = re.compile(r"\[([^\]]+)\]\s*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One thing that is uncertain, or differs between accounts."""

    name: str
    default: Any
    others: tuple[Any, ...]
    """What else it may be; empty where that is no short list."""
    mark: str
    """How sure the default is: `?` unpublished, `!` sources disagree, CODE seen, DOC documented; empty: a matter of
    the account."""
    about: str
    """What it decides, in the gateway's own words."""

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown or taken where others can read it."""
        return "secret" in self.name


class BadSwitch(ValueError):
    """A switch that cannot be set so; the message says why and holds no value."""


def switches(fake: FakeGateway) -> tuple[Switch, ...]:
    """All switches of that gateway, in its own order."""
    kind = cast("Any", type(fake))
    hints, told = get_type_hints(kind), _docstrings(kind)
    return tuple(
        _switch(one.name, getattr(fake, one.name), hints[one.name], told.get(one.name, ""))
        for one in dataclasses.fields(kind)
    )


def _switch(name: str, default: Any, hint: Any, text: str) -> Switch:
    found = _MARK.search(text)
    return Switch(
        name=name,
        default=default,
        others=tuple(one for one in _choices(hint) if one != default),
        mark=found[1] if found else "",
        about=_MARK.sub("", text),
    )


def with_switches(fake: FakeGateway, changes: Mapping[str, Any]) -> FakeGateway:
    """The gateway with these switches set; values as JSON has them.

    Raises:
        UnknownName: no such switch.
        BadSwitch: a value of the wrong kind, or a secret, which has options of its own.
    """
    if not changes:
        return fake
    known, hints = {one.name: one for one in switches(fake)}, get_type_hints(type(fake))
    values = {}
    for name, value in changes.items():
        if name not in known:
            raise UnknownName(f"{fake.name} switch", name, known)
        if known[name].is_secret:
            raise BadSwitch(f"{name} is no switch to be read by others: it has an option of its own.")
        try:
            values[name] = TypeAdapter(hints[name]).validate_json(json.dumps(value), strict=True)
        except ValidationError:
            raise BadSwitch(f"{fake.name} {name} is {_in_words(hints[name])}.") from None
    return cast("FakeGateway", dataclasses.replace(cast("Any", fake), **values))


def _choices(hint: Any) -> tuple[Any, ...]:
    if hint is bool:
        return (True, False)
    return get_args(hint) if get_origin(hint) is Literal else ()


def _in_words(hint: Any) -> str:
    choices = _choices(hint)
    if choices:
        return " or ".join(json.dumps(one) for one in choices)
    words = {str: "a text", int: "a whole number", type(None): "null"}
    return " or ".join(words.get(one, "a list of fixed length") for one in (get_args(hint) or (hint,)))


@functools.cache
def _docstrings(kind: type) -> Mapping[str, str]:
    """The text under each field; Python itself keeps none of it, and reading the source takes 20 ms."""
    found = {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    lines = cast("ast.ClassDef", tree.body[0]).body
    for field, text in itertools.pairwise(lines):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = " ".join(value.value.split())
    return found
