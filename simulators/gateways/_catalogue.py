"""Everything that the fake gateways can be made to say, as rows, read off the gateways themselves.

`golive list events`, `GET /_golive/events`, docs/catalogue.md and the test that walks through all of it have these
rows, and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.gateways import Event, FakeGateway, known, webhook
from simulators.gateways._tamper import TAMPERINGS, NothingToTamper, Signing, expected, tamper
from simulators.people import Order, order

#: A moment and an address for what is rendered only to be looked at.
NOW_S = 1_772_366_400
URL = "http://127.0.0.1:8080/hook"
_IS_STATUS = re.compile(r"(^|_)status($|_)").search


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event as one vendor tells it in one dialect."""

    gateway: str
    dialect: str
    event: Event
    statuses: tuple[str, ...]
    """Every member called status in the rendered body, as `path=value`."""

    @property
    def meaning(self) -> str:
        """What a right receiver makes of it, in a word or two."""
        return f"{self.event.outcome}, of a part" if self.event.partial else self.event.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TamperingRow:
    """What a right receiver does with one tampering of `approved`, by (gateway, dialect)."""

    name: str
    does: str
    expected: Mapping[tuple[str, str], str]
    """`refused`, `accepted` or `either`; a scheme that has nothing of the kind is not there."""


def spoken() -> Iterator[tuple[FakeGateway, str]]:
    """Every gateway in every dialect that it speaks."""
    for _, fake in sorted(known().items()):
        for dialect in fake.dialects:
            yield fake, dialect


def sample() -> Order:
    """An order to look at."""
    return order("7/catalogue", now_s=NOW_S)


def events() -> Iterator[EventRow]:
    """All events of all gateways in all dialects."""
    for fake, dialect in spoken():
        for event in fake.events(dialect).values():
            body = fake.render(sample(), event.name, dialect=dialect, secret="…", url=URL, now_s=NOW_S)  # noqa: S106 -- only to be looked at
            yield EventRow(
                gateway=fake.name, dialect=dialect, event=event, statuses=tuple(_statuses(json.loads(body), ()))
            )


def _statuses(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _statuses(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _statuses(inner, (*path, str(number)))
    elif path and _IS_STATUS(path[-1]) and value is not None:
        yield f"{'.'.join(path)}={value}"


def tamperings() -> Iterator[TamperingRow]:
    """All tamperings, in their own order."""
    for name, apply in TAMPERINGS.items():
        found = {
            (fake.name, dialect): expected(name, fake.name, dialect)
            for fake, dialect in spoken()
            if _bites(name, fake, dialect)
        }
        yield TamperingRow(name=name, does=" ".join((apply.__doc__ or "").split()), expected=found)


def _bites(name: str, fake: FakeGateway, dialect: str) -> bool:
    secret = fake.new_secret("catalogue")
    how = Signing(
        gateway=fake,
        dialect=dialect,
        secret=secret,
        url=URL,
        now_s=NOW_S,
        another_tenants_secret=fake.new_secret("catalogue, another tenant"),
    )
    genuine = webhook(fake, sample(), "approved", dialect=dialect, secret=secret, url=URL, now_s=NOW_S)
    try:
        tamper(name, genuine, how)
    except NothingToTamper:
        return False
    return True
