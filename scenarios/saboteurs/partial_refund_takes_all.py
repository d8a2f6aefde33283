"""charge.refunded is read as a refund of everything, though `refunded` is still false: sales of today are unsaid."""

from typing import Any

from reference_impl.gateways import stripe
from scenarios.saboteurs._patching import bite, entry

CAUGHT_BY = ("G-25[stripe-vendor]", "G-32[stripe-vendor]")


def patch() -> None:
    """A part is the whole."""

    def make(old: Any) -> Any:
        def refunded(event: Any) -> Any:
            bite()
            event["data"]["object"]["refunded"] = True
            return old(event)

        return refunded

    entry(stripe._READERS, "charge.refunded", make, where="stripe._READERS")
