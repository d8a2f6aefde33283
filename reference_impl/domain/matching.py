"""Which click a purchase came from: last touch inside the attribution window, by the surest identifier first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from reference_impl.domain.conversion import Trail

Method = Literal["click_id", "fbclid", "email", "phone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A click that might be it. `em` and `ph` are the hashes that its visitor left at the checkout."""

    click_id: str
    clicked_at_s: float
    fbclid: str | None = None
    fbp: str | None = None
    em: str | None = field(default=None, repr=False)
    ph: str | None = field(default=None, repr=False)
    consent: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The click, and how it was found."""

    candidate: Candidate
    method: Method


def best_match(
    candidates: Sequence[Candidate],
    *,
    paid_at_s: float,
    paid_within_s: float,
    window_s: float,
    trail: Trail,
    em: str | None,
    ph: str | None,
) -> Match | None:
    """The last click before the payment and inside the window, by the first identifier under which there is one.

    A click after the payment explains nothing, and an identifier that is absent on either side matches nobody.
    Gateways tell the payment's time in whole seconds or minutes: it was before `paid_at_s + paid_within_s`.
    """
    until_s = paid_at_s + paid_within_s
    eligible = [one for one in candidates if paid_at_s - window_s <= one.clicked_at_s < until_s]
    rules: tuple[tuple[Method, str | None, Callable[[Candidate], str | None]], ...] = (
        ("click_id", trail.click_id, lambda one: one.click_id),
        ("fbclid", trail.fbclid, lambda one: one.fbclid),
        ("email", em, lambda one: one.em),
        ("phone", ph, lambda one: one.ph),
    )
    for method, wanted, identifier in rules:
        same = [one for one in eligible if wanted and identifier(one) == wanted]
        if same:
            return Match(candidate=max(same, key=lambda one: one.clicked_at_s), method=method)
    return None


def denied(candidates: Sequence[Candidate], trail: Trail, found: Match | None) -> bool:
    """Whether the visitor has refused to be tracked: by the click they are matched to, or by the click they name.

    A refusal has no attribution window.
    """
    named = [one for one in candidates if trail.click_id and one.click_id == trail.click_id]
    return any(one.consent == "denied" for one in (*named, *((found.candidate,) if found else ())))
