"""While a secret is rolled, two of them are good: who signs what with which.

A receiver that knows only one of the two loses half of its sales for as long as the overlap lasts, and so it is caught.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, cast

from simulators.gateways import FakeGateway

_SWITCH = "old_secret"


@dataclass(frozen=True, slots=True)
class Signer:
    """A gateway and the secret it signs with."""

    gateway: FakeGateway
    secret: str = field(repr=False)


class NoOverlap(ValueError):
    """Two secrets make no sense here; the message says why and holds neither."""


def signers(fake: FakeGateway, *, dialect: str, secret: str, old_secret: str | None) -> tuple[Signer, ...]:
    """Who signs the first delivery, the second, and so on, in turns; one alone without an old secret.

    Stripe signs each delivery with both. Of a scheme with one signature the new secret and the old one take turns.

    Raises:
        NoOverlap: a static token, or the same secret twice.
    """
    if old_secret is None:
        return (Signer(fake, secret),)
    if old_secret == secret:
        raise NoOverlap("The old secret is the new one: nothing would be rolled.")
    if signs_with_both(fake):
        return (Signer(cast("FakeGateway", dataclasses.replace(cast("Any", fake), **{_SWITCH: old_secret})), secret),)
    if not fake.authenticates_body[dialect]:
        raise NoOverlap(
            f"{fake.name} signs nothing in the {dialect} dialect: it shows one static token, and from the moment in "
            "which that is changed the new one alone. Send once with each token instead."
        )
    return (Signer(fake, secret), Signer(fake, old_secret))


def signs_with_both(fake: FakeGateway) -> bool:
    """Whether the vendor puts a signature by each secret into one delivery."""
    return _SWITCH in {one.name for one in dataclasses.fields(cast("Any", fake))}
