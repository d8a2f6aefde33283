"""The payment gateways: one file each, found by their place in this folder.

To add one, put `NAME.py` here with a class `Gateway` that satisfies `Adapter`. Nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Protocol

from reference_impl.domain.conversion import Meaning, Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDelivery:
    """One webhook exactly as it arrived: the bytes that were signed, before any parsing."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    query: Mapping[str, str] = field(repr=False)


class BadSignature(Exception):
    """The sender could not prove who it is; the message says why, and holds no secret (401)."""


class UnprovenSender(BadSignature):
    """A proof was given, and none of our secrets fits it: a stranger's, or made with a secret newer than ours."""


class MalformedBody(Exception):
    """The bytes are not what the vendor's format can be read from (400)."""


class SchemaMismatch(Exception):
    """Well-formed, but a field is missing or of the wrong kind; names fields, never values (422)."""


class Adapter(Protocol):
    """One vendor, in each dialect that it speaks."""

    dialects: ClassVar[tuple[str, ...]]
    """Of `plan` and `vendor`. Which one a tenant uses is its configuration, never sniffed."""

    def verify(self, delivery: RawDelivery, *, dialect: str, secrets: Sequence[str], now_s: float) -> None:
        """Return if any of the secrets (several while one is rotated) proves the sender.

        Raises:
            BadSignature: no proof, a wrong one, or a stale one.
            MalformedBody: only where the proof stands inside the body and that cannot be read.
        """
        ...

    def read(self, body: bytes, *, dialect: str) -> Meaning:
        """Say what a body means whose sender has been verified.

        Raises:
            MalformedBody, SchemaMismatch.
        """
        ...

    def checkout_params(self, trail: Trail, *, dialect: str) -> Mapping[str, str]:
        """What the page must add to the checkout's URL, or give the vendor's API, so that `read` finds the trail again.

        What the vendor has no room for is left out.
        """
        ...


class UnknownGateway(LookupError):
    """No file of that name stands in this folder (404)."""


@cache
def known() -> Mapping[str, Adapter]:
    """All adapters by name."""
    return {
        module.name: importlib.import_module(f"{__name__}.{module.name}").Gateway()
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    }


def adapter(name: str) -> Adapter:
    """The adapter of that name, or UnknownGateway."""
    try:
        return known()[name]
    except KeyError:
        raise UnknownGateway(name) from None
