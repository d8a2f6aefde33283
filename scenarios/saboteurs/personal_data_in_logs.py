"""Somebody logs the buyer to find a bug, and the line stays: every purchase writes an e-mail into the log."""

import logging
from typing import Any

from reference_impl.domain import hashing
from scenarios.saboteurs._patching import bite, swap

CAUGHT_BY = ("HUNT",)
TRAFFIC = ("S-01[stripe-vendor]",)


def patch() -> None:
    """Log what is about to be hashed."""

    def make(old: Any) -> Any:
        def hash_buyer(buyer: Any) -> Any:
            bite()
            logging.getLogger("reference_impl").info("purchase of %s", buyer.email)
            return old(buyer)

        return hash_buyer

    swap(hashing, "hash_buyer", make)
