"""What makes Meta refuse a batch: pure functions over decoded JSON; the first failing event decides the answer.

Facts: `facts/meta_capi.md` sections 3 to 6, order of section 13: keys and types, hashing, time, match keys, Purchase.
A sentence names the place and the key that is wrong, never the value: that may be a person's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from simulators.meta.currencies import CURRENCIES
from simulators.meta.errors import GraphError
from simulators.meta.switches import Switches

DAY_S = 86_400
MAX_AGE_DAYS = 7
MAX_AGE_PHYSICAL_STORE_DAYS = 62

#: 64 hex digits in either case, and what the Parameter Builder library appends to them.
_IS_HASHED = re.compile(r"[0-9a-fA-F]{64}(?:\.[A-Za-z0-9_-]{8}|\.[A-Za-z0-9_-]{2})?").fullmatch
_IS_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,10})?").fullmatch
_IS_LEAD_ID = re.compile(r"\d{15,16}").fullmatch

HASHED_KEYS = frozenset(
    [
        "em",
        "ph",
        "fn",
        "ln",
        "ge",
        "db",
        "ct",
        "st",
        "zp",
        "country",
        "f5first",
        "f5last",
        "fi",
        "dobd",
        "dobm",
        "doby",
        "app_user_id",
    ]
)
ACTION_SOURCES = frozenset(
    [
        "email",
        "website",
        "app",
        "phone_call",
        "chat",
        "physical_store",
        "system_generated",
        "business_messaging",
        "other",
    ]
)
#: Keys that say too little about a person, alone or together; a subset of one set is refused (since Graph v13).
_TOO_FEW = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
#: Keys by which a person can be found; others in `user_data` are tolerated and count for nothing.
MATCH_KEYS = HASHED_KEYS | frozenset(
    [
        "external_id",
        "client_ip_address",
        "client_user_agent",
        "fbc",
        "fbp",
        "subscription_id",
        "lead_id",
        "fb_login_id",
        "anon_id",
        "madid",
        "page_id",
        "page_scoped_user_id",
        "ctwa_clid",
        "ig_account_id",
        "ig_sid",
        "whatsapp_business_account_id",
    ]
)

#: One of these is enough, whatever else is there: they stand in none of the weak sets.
_ENOUGH = MATCH_KEYS - frozenset().union(*_TOO_FEW)

Check = Callable[[Any], bool]


def _is_str(value: object) -> bool:
    return type(value) is str


def _is_int(value: object) -> bool:
    return type(value) is int


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_object(value: object) -> bool:
    return type(value) is dict


def _is_name(value: object) -> bool:
    return type(value) is str and value.strip() != ""


def _is_amount(value: object) -> bool:
    """A JSON number or a quoted one, not below zero (that Meta refuses those is our guess)."""
    if type(value) is str:
        return _IS_NUMBER(value) is not None
    return (type(value) is float or type(value) is int) and value >= 0


def _is_strings(value: object) -> bool:
    return type(value) is str or (type(value) is list and all(type(one) is str for one in value))


def _is_ids(value: object) -> bool:
    return _is_strings(value) or (type(value) is list and all(type(one) in {str, int} for one in value))


def _is_list(value: object) -> bool:
    return type(value) is list


def _is_ldu(value: object) -> bool:
    return value in (["LDU"], [])


_A_STRING, _AN_OBJECT, _AN_INTEGER = "a string", "a JSON object", "an integer"

EVENT_KEYS: Final[dict[str, tuple[Check, str]]] = {
    "event_name": (_is_name, "a non-empty string"),
    "event_time": (_is_int, "an integer, a Unix timestamp in seconds"),
    "event_id": (_is_str, _A_STRING),
    "action_source": (lambda value: value in ACTION_SOURCES if type(value) is str else False, "an action source"),
    "event_source_url": (_is_str, _A_STRING),
    "referrer_url": (_is_str, _A_STRING),
    "user_data": (_is_object, _AN_OBJECT),
    "custom_data": (_is_object, _AN_OBJECT),
    "opt_out": (_is_bool, "a boolean"),
    "data_processing_options": (_is_ldu, "[] or ['LDU']"),
    "data_processing_options_country": (lambda value: type(value) is int and value in {0, 1}, "0 or 1"),
    "data_processing_options_state": (
        lambda value: type(value) is int and (value == 0 or 1000 <= value <= 1014),
        "0 or a known state",
    ),
    "app_data": (_is_object, _AN_OBJECT),
    "original_event_data": (_is_object, _AN_OBJECT),
    "attribution_data": (_is_object, _AN_OBJECT),
    "messaging_channel": (_is_str, _A_STRING),
    "customer_segmentation": (_is_str, _A_STRING),
    "advanced_measurement_table": (_is_str, _A_STRING),
}
CUSTOM_KEYS: Final[dict[str, tuple[Check, str]]] = {
    "value": (_is_amount, "a number that is not negative"),
    "net_revenue": (_is_amount, "a number that is not negative"),
    "predicted_ltv": (_is_amount, "a number that is not negative"),
    "currency": (_is_str, _A_STRING),
    "contents": (_is_list, "an array"),
    "content_ids": (_is_ids, "an array of strings"),
    "content_type": (_is_str, _A_STRING),
    "content_name": (_is_str, _A_STRING),
    "content_category": (_is_str, _A_STRING),
    "search_string": (_is_str, _A_STRING),
    "status": (_is_str, _A_STRING),
    "order_id": (_is_str, _A_STRING),
    "item_number": (_is_str, _A_STRING),
    "num_items": (_is_int, _AN_INTEGER),
    "delivery_category": (_is_str, _A_STRING),
}
#: Keys for which being of that type is the whole rule: most values pass here, without a call.
_TYPES: Final[dict[Check, type]] = {_is_str: str, _is_int: int, _is_bool: bool, _is_object: dict, _is_list: list}
_EVENT_TYPES: Final = {key: _TYPES[rule[0]] for key, rule in EVENT_KEYS.items() if rule[0] in _TYPES}
_CUSTOM_TYPES: Final = {key: _TYPES[rule[0]] for key, rule in CUSTOM_KEYS.items() if rule[0] in _TYPES}
CONTENT_KEYS = frozenset(
    ["id", "quantity", "item_price", "title", "description", "brand", "category", "delivery_category"]
)


def first_refusal(events: Sequence[Any], now_s: float, switches: Switches) -> GraphError | None:
    """Why the whole batch is refused: the first broken rule of the first failing event; None when all may pass.

    `now_s` is Unix seconds on the fake's clock.
    """
    for index, event in enumerate(events):
        refusal = refusal_of(event, index, now_s, switches)
        if refusal is not None:
            return refusal
    return None


def refusal_of(event: Any, index: int, now_s: float, switches: Switches) -> GraphError | None:
    """Why this event is refused, `index` being its place in the batch; None when it may pass."""
    if type(event) is not dict:
        return _wrong(f"$['data'][{index}]", _AN_OBJECT)
    refusal = _shape(event, index)
    if refusal is not None:
        return refusal
    user = event["user_data"]
    return (
        _hashing(user, index)
        or _time(event, index, now_s, switches)
        or _match_keys(user, index)
        or _rare(event, user, index)
        or _purchase(event, index)
    )


def _wrong(place: str, should_be: str) -> GraphError:
    return GraphError("parameter", problem=f"Param {place} must be {should_be}")


def _unexpected(key: str, place: str) -> GraphError:
    return GraphError("parameter", problem=f'Unexpected key "{key[:80]}" on param "{place}".')


def _shape(event: dict[str, Any], index: int) -> GraphError | None:
    """Keys and types, of the event and of what hangs from it."""
    for key, value in event.items():
        if type(value) is _EVENT_TYPES.get(key):
            continue
        rule = EVENT_KEYS.get(key)
        if rule is None:
            return _unexpected(key, f"$['data'][{index}]")
        if value is not None and not rule[0](value):
            return _wrong(f"$['data'][{index}]['{key}']", rule[1])
    for key in ("event_name", "event_time", "user_data"):
        if event.get(key) is None:
            return GraphError("parameter", problem=f"Param $['data'][{index}]['{key}'] is required")
    custom = event.get("custom_data")
    return _custom(custom, index) if custom else None


def _custom(custom: dict[str, Any], index: int) -> GraphError | None:
    """Types of the known keys; unknown ones are custom properties and pass."""
    for key, value in custom.items():
        if type(value) is _CUSTOM_TYPES.get(key):
            continue
        rule = CUSTOM_KEYS.get(key)
        if rule is not None and value is not None and not rule[0](value):
            return _wrong(f"$['data'][{index}]['custom_data']['{key}']", rule[1])
    currency = custom.get("currency")
    if currency and currency.upper() not in CURRENCIES:
        return GraphError("bad_currency", where=f"$['data'][{index}]['custom_data']['currency']")
    contents = custom.get("contents")
    return _contents(contents, f"$['data'][{index}]['custom_data']['contents']") if contents else None


def _contents(contents: list[Any], place: str) -> GraphError | None:
    for number, item in enumerate(contents):
        if type(item) is not dict:
            return _wrong(f"{place}[{number}]", _AN_OBJECT)
        if not CONTENT_KEYS.issuperset(item):
            return _unexpected(next(key for key in item if key not in CONTENT_KEYS), f"{place}[{number}]")
        if item.get("id") in (None, ""):
            return GraphError("content_without_id", where=f"{place}[{number}]")
    return None


def _hashing(user: dict[str, Any], index: int) -> GraphError | None:
    """Every value of a key that must be hashed looks hashed; the answer names the key."""
    for key, value in user.items():
        if key not in HASHED_KEYS or value is None:
            continue
        for one in value if type(value) is list else (value,):
            if type(one) is not str or not _IS_HASHED(one):
                return GraphError("not_hashed", key=key, index=index)
    external_id = user.get("external_id")
    if external_id is not None and not _is_ids(external_id):
        return _wrong(f"$['data'][{index}]['user_data']['external_id']", "a string or an array of strings")
    return None


def _time(event: dict[str, Any], index: int, now_s: float, switches: Switches) -> GraphError | None:
    """Not older than a week (a shop's till: 62 days), not ahead of now by more than the tolerance."""
    age_s = now_s - event["event_time"]
    limit_days = MAX_AGE_PHYSICAL_STORE_DAYS if event.get("action_source") == "physical_store" else MAX_AGE_DAYS
    if age_s > limit_days * DAY_S:
        return GraphError("too_old", limit_days=limit_days, index=index)
    if age_s < -switches.future_tolerance_s:
        return GraphError("in_future", index=index)
    return None


def _match_keys(user: dict[str, Any], index: int) -> GraphError | None:
    for key, value in user.items():
        if value and key in _ENOUGH:
            return None
    present = {key for key, value in user.items() if value and key in MATCH_KEYS}
    for weak in _TOO_FEW:
        if present <= weak:
            return GraphError("too_few_keys", index=index)
    return None


def _rare(event: dict[str, Any], user: dict[str, Any], index: int) -> GraphError | None:
    """Rules of lead forms and messaging."""
    lead_id = user.get("lead_id")
    if lead_id is not None and not _IS_LEAD_ID(str(lead_id)):
        return GraphError("bad_lead_id", index=index)
    if event.get("action_source") == "business_messaging" and event.get("event_source_url"):
        return GraphError("url_not_allowed", index=index)
    return None


def _purchase(event: dict[str, Any], index: int) -> GraphError | None:
    """A Purchase has a value and a currency; zero is a value."""
    if event["event_name"] != "Purchase":
        return None
    custom = event.get("custom_data") or {}
    if custom.get("value") is None:
        return GraphError("no_value", index=index)
    if not custom.get("currency"):
        return GraphError("no_currency", index=index)
    return None
