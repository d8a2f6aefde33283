"""What Meta takes and later complains of in the Events Manager: no refusal, and no invented score.

Pure. Each complaint has a name of ours; Meta's own are not public (facts, sections 4, 5 and 7). A missing match key is
told by its name: what it would add to the event match quality is Meta's secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: What Meta's documents call the keys of high and medium priority for a website's event.
WANTED_KEYS = ("em", "ph", "fbc", "fbp", "external_id", "client_ip_address", "client_user_agent")

_APPENDIX = r"(?:\.[\w-]{2}|\.[\w-]{8})?"
_FBP = re.compile(rf"fb\.\d+\.\d{{10,13}}\.\d+{_APPENDIX}").fullmatch
_FBC = re.compile(rf"fb\.\d+\.\d{{10,13}}\.[^.\s]+{_APPENDIX}").fullmatch
_SUFFIX = re.compile(r"\.[A-Za-z_-][\w-]{7}$")


def missing_keys(event: Any) -> list[str]:
    """The match keys that a website's event would gain from, in Meta's order; empty for other sources."""
    if not isinstance(event, Mapping) or event.get("action_source", "website") != "website":
        return []
    known = _object(event.get("user_data"))
    return [key for key in WANTED_KEYS if not known.get(key)]


def complaints(event: Any) -> list[str]:
    """Names of what is doubtful in an event that Meta takes all the same."""
    if not isinstance(event, Mapping):
        return []
    about = _About(event, _object(event.get("user_data")), _object(event.get("custom_data")))
    return [name for name, one in COMPLAINTS.items() if one.doubtful(about)]


class _About(NamedTuple):
    """What a complaint looks at."""

    event: Mapping[str, Any]
    user: Mapping[str, Any]
    custom: Mapping[str, Any]

    @property
    def website(self) -> bool:
        return self.event.get("action_source") == "website"


class Complaint(NamedTuple):
    """Something doubtful: in words, and how it is told."""

    words: str
    doubtful: Callable[[_About], bool]


#: By name, in the order in which they are told.
COMPLAINTS: Mapping[str, Complaint] = {
    "no_action_source": Complaint("action_source is missing", lambda of: not of.event.get("action_source")),
    "no_event_id": Complaint(
        "event_id is missing: a retry, or the browser's Pixel, counts the sale twice",
        lambda of: not of.event.get("event_id"),
    ),
    "website_without_event_source_url": Complaint(
        "a website's event without event_source_url, which the documents demand",
        lambda of: of.website and not of.event.get("event_source_url"),
    ),
    "website_without_client_user_agent": Complaint(
        "a website's event without client_user_agent, which the documents demand",
        lambda of: of.website and not of.user.get("client_user_agent"),
    ),
    "invalid_fbp": Complaint("fbp is not `fb.1.<ms>.<number>`", lambda of: _wrong(of.user.get("fbp"), _FBP)),
    "invalid_fbc": Complaint("fbc is not `fb.1.<ms>.<fbclid>`", lambda of: _wrong(of.user.get("fbc"), _FBC)),
    "invalid_client_ip_address": Complaint(
        "client_ip_address is no IP address", lambda of: _no_address(of.user.get("client_ip_address"))
    ),
    "value_without_currency": Complaint(
        "custom_data has a value and no currency",
        lambda of: of.custom.get("value") is not None and not of.custom.get("currency"),
    ),
    "currency_without_value": Complaint(
        "custom_data has a currency and no value",
        lambda of: bool(of.custom.get("currency")) and of.custom.get("value") is None,
    ),
}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _wrong(value: object, right: Any) -> bool:
    return bool(value) and not (isinstance(value, str) and right(value))


def _no_address(value: object) -> bool:
    if not value:
        return False
    try:
        ipaddress.ip_address(_SUFFIX.sub("", str(value)))
    except ValueError:
        return True
    return False
