"""One conversion as one entry of Meta's `data` array, and what Meta would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MAX_AGE_S = 7 * 86_400
"""Meta refuses the whole request for one older event (2804003)."""

PURCHASE = "Purchase"
PAGE_EVENTS: Mapping[str, str] = {"pageview": "PageView", "checkout": "InitiateCheckout"}
"""Meta's names for what a page tells, by ours."""

# Meta refuses an event whose user_data holds only keys of one of these sets (2804050, since Graph v13).
_TOO_FEW = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)


def has_match_keys(user_data: Mapping[str, Any]) -> bool:
    """Whether Meta could match the buyer at all.

    Source:
        facts/meta_capi.md section 4 (insufficient match keys).
    """
    keys = {key for key, value in user_data.items() if value}
    return not any(keys <= poor for poor in _TOO_FEW)


def too_old(event_time_s: float, *, now_s: float) -> bool:
    """Whether Meta would refuse it for its age. A minute of margin: the batch still has to get there."""
    return now_s - event_time_s > MAX_AGE_S - 60


def to_capi_event(
    *,
    event_name: str,
    event_id: str,
    event_time_s: int,
    user_data: Mapping[str, Any],
    value: Decimal,
    currency: str,
    order_id: str,
    product_id: str | None = None,
    source_url: str | None = None,
) -> dict[str, Any]:
    """Map one stored conversion to one entry of the Conversions API's `data` array.

    A page event has no order, and a value only where the page told one.

    Units:
        `event_time_s` is whole seconds since 1970-01-01 UTC, `value` major currency units.
    Shape:
        {"event_name", "event_id", "event_time", "action_source", "user_data": {"em": [64 hex digits], …},
         "event_source_url", "custom_data": {"value", "currency", "order_id", "content_ids", "content_type"}}
    Source:
        developers.facebook.com/docs/marketing-api/conversions-api/parameters (facts/meta_capi.md sections 3 to 5).
    """
    custom: dict[str, Any] = {}
    if event_name == PURCHASE or value:
        custom |= {"value": _number(value), "currency": currency}
    if event_name == PURCHASE:
        custom["order_id"] = order_id
    if product_id:
        custom |= {"content_ids": [product_id], "content_type": "product"}
    event: dict[str, Any] = {
        "event_name": event_name,
        "event_id": event_id,
        "event_time": event_time_s,
        "action_source": "website",
        "user_data": dict(user_data),
    }
    if source_url:
        event["event_source_url"] = source_url
    return event | {"custom_data": custom} if custom else event


def _number(value: Decimal) -> int | float:
    # A JSON number: repr of a float with up to 15 significant digits prints exactly the digits that went in.
    return int(value) if value == value.to_integral_value() else float(value)
