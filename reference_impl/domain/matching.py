"""Which click a purchase came from: last touch inside the attribution window, by the surest identifier first.

An identifier that rides in a cookie tells the device, not the person. Where two people share a device, the second buys
under the first one's click; what tells them apart are the e-mail and the phone that were left at the checkout.
"""

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
    fbc: str | None = None
    client_sealed: str | None = field(default=None, repr=False)
    """The visitor's address and browser, as they are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What somebody left of themselves at a checkout: hashes."""

    em: str | None = field(default=None, repr=False)
    ph: str | None = field(default=None, repr=False)


def agreement(one: Contact, other: Contact) -> tuple[int, int]:
    """In how many of e-mail and phone the two are alike, and in how many they differ; unknown is neither."""
    pairs = [(mine, theirs) for mine, theirs in ((one.em, other.em), (one.ph, other.ph)) if mine and theirs]
    alike = sum(mine == theirs for mine, theirs in pairs)
    return alike, len(pairs) - alike


def contact_after(known: Contact, told: Contact) -> Contact:
    """What a click's contact is once another one was told at its checkout.

    A correction replaces, and what is not told again stays. Who differs in both e-mail and phone is somebody else on
    the same device: the click is not theirs, and its own visitor's contact stays.
    """
    if agreement(known, told) == (0, 2):
        return known
    return Contact(em=told.em or known.em, ph=told.ph or known.ph)


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

    A click found by its own id or by fbclid is passed over if its visitor was plainly somebody else (`_strangers`).
    """
    until_s = paid_at_s + paid_within_s
    eligible = [one for one in candidates if paid_at_s - window_s <= one.clicked_at_s < until_s]
    strangers = _strangers(eligible, Contact(em=em, ph=ph))
    rules: tuple[tuple[Method, str | None, Callable[[Candidate], str | None]], ...] = (
        ("click_id", trail.click_id, lambda one: one.click_id),
        ("fbclid", trail.fbclid, lambda one: one.fbclid),
        ("email", em, lambda one: one.em),
        ("phone", ph, lambda one: one.ph),
    )
    for method, wanted, identifier in rules:
        same = [one for one in eligible if wanted and identifier(one) == wanted and one not in strangers]
        if same:
            return Match(candidate=max(same, key=lambda one: one.clicked_at_s), method=method)
    return None


def _strangers(eligible: Sequence[Candidate], buyer: Contact) -> set[Candidate]:
    """Clicks of somebody else on the buyer's device: both e-mail and phone differ; or one differs, the other is
    not known, and the buyer has a click of their own.

    One that differs says little by itself: people pay under another e-mail than they wrote to the shop.
    """
    found = {one: agreement(Contact(em=one.em, ph=one.ph), buyer) for one in eligible}
    has_own = any(alike for alike, _ in found.values())
    return {one for one, (alike, differ) in found.items() if not alike and (differ == 2 or (differ and has_own))}


def denied(candidates: Sequence[Candidate], trail: Trail, found: Match | None) -> bool:
    """Whether the visitor has refused to be tracked: by the click they are matched to, or by the click they name.

    A refusal has no attribution window.
    """
    named = [one for one in candidates if trail.click_id and one.click_id == trail.click_id]
    return any(one.consent == "denied" for one in (*named, *((found.candidate,) if found else ())))
