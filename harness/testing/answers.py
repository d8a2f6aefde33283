"""What comes back, and the word for what cannot be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from harness import target_json
from harness.errors import PromiseBroken
from harness.records import NOT_APPLICABLE, NOT_DECLARED
from harness.target import Answers, Refusal
from harness.target_json import TargetObject


def sha256(text: str) -> str:
    """Lower-case hex, as Meta wants it."""
    return hashlib.sha256(text.encode()).hexdigest()


#: How much of an answer is quoted.
QUOTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the target answered one request; status None: it did not."""

    status: int | None
    text: str = field(default="", repr=False)
    content_type: str = ""
    took_ms: float = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    declared: Answers = field(default=Answers(), repr=False)
    """The codes that the target file declares."""

    def json(self) -> TargetObject:
        """The body, which is to be a JSON object.

        Raises:
            PromiseBroken: It is none.
        """
        try:
            found = target_json.read(self.text)
        except ValueError:
            found = None
        if not isinstance(found, TargetObject):
            raise PromiseBroken(f"a JSON object was wanted; it was answered with {self.said}")
        return found

    @property
    def said(self) -> str:
        """`422 {"detail": …}`: the status, and the first 200 characters."""
        quoted = " ".join(self.text[:QUOTED].split())
        return f"{'nothing' if self.status is None else self.status} {quoted}".strip()

    @property
    def accepted(self) -> bool:
        """Any 2xx: the target has taken responsibility."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """A 4xx: refused, with nothing that a vendor's retry could mend."""
        return self.status is not None and 400 <= self.status < 500

    @property
    def come_again(self) -> bool:
        """No answer, or a 5xx: the vendor will deliver it again."""
        return self.status is None or self.status >= 500


def must_accept(answers: Answer | Iterable[Answer], promise: str = "a genuine webhook must be accepted") -> None:
    """Any 2xx will do. The exact code, where a target declares one, is a promise of its own (G-63).

    Raises:
        PromiseBroken: One was not accepted; its status and first 200 characters are quoted.
    """
    for answer in [answers] if isinstance(answers, Answer) else answers:
        if not answer.accepted:
            raise PromiseBroken(f"{promise}; it was answered with {answer.said}")


def must_refuse(answer: Answer, kind: Refusal, promise: str) -> None:
    """Any 4xx will do, unless the target file declares a code for this kind in `[target.answers]`.

    Raises:
        PromiseBroken: It was not refused, or not with the declared code.
    """
    if not answer.refused:
        raise PromiseBroken(f"{promise} with a 4xx; it was answered with {answer.said}")
    declared = getattr(answer.declared, kind)
    if declared is not None and answer.status != declared:
        raise PromiseBroken(
            f"{promise} with {declared}, as [target.answers] {kind} says; it was answered with {answer.said}"
        )


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
