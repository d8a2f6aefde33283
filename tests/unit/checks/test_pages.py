"""What Meta counted of page views and checkouts must be what a page told."""

from __future__ import annotations

from harness.checks import pages
from harness.records import Arrival


def arrival(event_id: str | None, name: str = "PageView", *, counted: bool = True) -> Arrival:
    return Arrival(
        event_id=event_id, event_name=name, order_id=None, keys=(), counted=counted, refused=not counted, at_s=0.0
    )


def test_what_a_page_told_is_from_somewhere() -> None:
    """By its id; a purchase is no page event, and what was not counted harms nobody."""
    calm = [arrival("a"), arrival("b", "InitiateCheckout"), arrival("x", "Purchase"), arrival("y", counted=False)]
    assert pages.from_nowhere(calm, {"a", "b"}) == []


def test_what_no_page_told_is_named() -> None:
    """Another id, or none at all."""
    found = pages.from_nowhere([arrival("a"), arrival("z"), arrival(None, "InitiateCheckout")], {"a"})
    assert found == [
        "Meta counted the page event PageView (event id z) that no page told",
        "Meta counted the page event InitiateCheckout (event id None) that no page told",
    ]


def test_a_purchase_is_never_told_by_a_page() -> None:
    """Or a target could send sales again under a page's id after the ledger was closed."""
    assert not pages.is_told(arrival("a", "Purchase"), {"a"})
    assert pages.is_told(arrival("a"), {"a"})
    assert not pages.is_told(arrival("b"), {"a"})
