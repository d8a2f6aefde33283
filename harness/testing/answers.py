"""What comes back, and the word for what cannot be seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from harness.errors import PromiseBroken
from harness.records import NOT_APPLICABLE, NOT_DECLARED


def sha256(text: str) -> str:
    """Lower-case hex, as Meta wants it."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the target answered one request; status None: it did not."""

    status: int | None
    text: str = field(default="", repr=False)
    content_type: str = ""
    took_ms: float = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def json(self) -> Any:
        """The body as JSON, or a broken promise."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise PromiseBroken(f"the answer {self.status} is not JSON: {self.text[:120]!r}") from None

    @property
    def refused(self) -> bool:
        """A 4xx: refused, with nothing that a vendor's retry could mend."""
        return self.status is not None and 400 <= self.status < 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A visit with an ad click, as the tracking endpoint knows it."""

    click_id: str
    fbclid: str
    fbp: str
    checkout_params: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By gateway: what the page is to put into the way to its checkout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody in front of a browser of their own, at an address of their own (one of this machine's, 127.0.0.0/8)."""

    address: str
    browser: str


def not_observable(reason: str) -> NoReturn:
    """End the scenario as not observed: neither kept nor broken."""
    import pytest  # noqa: PLC0415 -- scenarios run under pytest; the words themselves do not need it

    pytest.skip(f"not observed: {reason}")


def not_declared(reason: str) -> NoReturn:
    """End the scenario as one that this target file leaves no room for: `golive doctor` says what to add to it."""
    import pytest  # noqa: PLC0415 -- as above

    pytest.skip(f"{NOT_DECLARED}{reason}")


def not_applicable(reason: str) -> NoReturn:
    """End the scenario as one that does not exist for this variant."""
    import pytest  # noqa: PLC0415 -- as above

    pytest.skip(f"{NOT_APPLICABLE}{reason}")
