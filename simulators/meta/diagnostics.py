"""What Meta takes and later complains of in the Events Manager: no refusal, and no invented score.

Pure. Each complaint has a name of ours; Meta's own are not public (facts, sections 4, 5 and 7). A missing match key is
told by its name: what it would add to the event match quality is Meta's secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

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
    user, custom = _object(event.get("user_data")), _object(event.get("custom_data"))
    website = event.get("action_source") == "website"
    found = {
        "no_action_source": not event.get("action_source"),
        "no_event_id": not event.get("event_id"),
        "website_without_event_source_url": website and not event.get("event_source_url"),
        "website_without_client_user_agent": website and not user.get("client_user_agent"),
        "invalid_fbp": _wrong(user.get("fbp"), _FBP),
        "invalid_fbc": _wrong(user.get("fbc"), _FBC),
        "invalid_client_ip_address": _no_address(user.get("client_ip_address")),
        "value_without_currency": custom.get("value") is not None and not custom.get("currency"),
        "currency_without_value": bool(custom.get("currency")) and custom.get("value") is None,
    }
    return [name for name, doubtful in found.items() if doubtful]


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
