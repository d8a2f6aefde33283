"""How a saboteur gets at the reference: by name, everywhere that name is used, and never in silence."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import reference_impl

BITES = "GOLIVE_SABOTEUR_BITES"
"""The environment variable that names the file in which broken code says that it ran: a line for each process."""

#: These are commands and migrations: nothing imports them, and some act when they are imported.
_LEFT_OUT = (
    "reference_impl.__main__",
    "reference_impl.contract",
    "reference_impl.db.env",
    "reference_impl.db.versions",
)


class Gone(Exception):
    """What a saboteur wants to break is not there any more; says where it looked."""


_bitten: list[int] = []


def bite() -> None:
    """Say that the broken code has run: one line for each process, however often it runs."""
    if os.getpid() in _bitten:
        return
    _bitten.append(os.getpid())
    path = os.environ.get(BITES)
    if path:
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(f"{os.getpid()} {' '.join(sys.argv[1:2])}\n")


def swap(owner: ModuleType | type, name: str, make: Callable[[Any], Any]) -> None:
    """Put `make(what stands there)` in the place of an attribute, in every module of the reference that has it.

    A function that was imported by name elsewhere (`from … import name`) is the same object there, under whatever
    name; a constant is replaced where it has the same name as well.

    Raises:
        Gone: the owner has no such attribute.
    """
    old = _own(owner, name)
    new = make(old)
    setattr(owner, name, new)
    if not isinstance(owner, ModuleType):
        return
    movable = callable(old)
    for module in _reference():
        for other, value in list(vars(module).items()):
            if value is old and (movable or other == name):
                setattr(module, other, new)


def rewrite(module: ModuleType, name: str, old: str, new: str, *, used_by: str) -> None:
    """Replace a piece of an SQL text; the function `used_by`, which executes it, says that it bites.

    Raises:
        Gone: there is no such text, or the piece does not stand in it exactly once.
    """

    def replaced(text: Any) -> str:
        if not isinstance(text, str) or text.count(old) != 1:
            raise Gone(f"{module.__name__}.{name} does not hold {old!r} exactly once")
        return text.replace(old, new)

    swap(module, name, replaced)
    swap(module, used_by, biting)


def entry(mapping: Any, key: object, make: Callable[[Any], Any], *, where: str) -> None:
    """Put `make(what stands there)` into a table of the reference.

    Raises:
        Gone: it is no table, or has no such entry.
    """
    if not isinstance(mapping, MutableMapping) or key not in mapping:
        raise Gone(f"{where} has no entry {key!r}")
    mapping[key] = make(mapping[key])


def biting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it was; that it runs is a bite."""

    def told(*args: Any, **kwargs: Any) -> Any:
        bite()
        return function(*args, **kwargs)

    return told


def returning(value: Any) -> Callable[[Any], Callable[..., Any]]:
    """For `swap`: a function that does nothing but return that."""

    def make(_: Any) -> Callable[..., Any]:
        def told(*_: Any, **__: Any) -> Any:
            bite()
            return value

        return told

    return make


def _own(owner: ModuleType | type, name: str) -> Any:
    if name not in vars(owner):
        label = owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
        raise Gone(f"{label} has no {name!r}")
    return vars(owner)[name]


def load_reference() -> None:
    """Import every module of the reference, so that `swap` finds all who use a name."""
    for found in pkgutil.walk_packages(reference_impl.__path__, "reference_impl.", onerror=_fail):
        if not found.name.startswith(_LEFT_OUT):
            importlib.import_module(found.name)


def _fail(name: str) -> None:
    raise Gone(f"{name} cannot be imported")


def _reference() -> Iterator[ModuleType]:
    with suppress(RuntimeError):  # the table of modules may grow while it is walked
        for name, module in list(sys.modules.items()):
            if name.startswith("reference_impl.") and isinstance(module, ModuleType):
                yield module
