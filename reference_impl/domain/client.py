"""The buyer's address and browser: Meta wants them as they are, so between receipt and dispatch they are sealed."""

from __future__ import annotations

import json

_NAMES = {"ip": "client_ip_address", "ua": "client_user_agent"}
"""Meta's words, by ours."""


def to_text(*, ip: str | None, ua: str | None) -> str | None:
    """What is sealed: `{"ip", "ua"}`; None where there is neither."""
    given = {name: value for name, value in (("ip", ip), ("ua", ua)) if value}
    return json.dumps(given) if given else None


def to_user_data(text: str) -> dict[str, str]:
    """The opened text in Meta's words."""
    found = json.loads(text)
    return {told: found[name] for name, told in _NAMES.items() if found.get(name)}


def keys(*, ip: str | None, ua: str | None) -> frozenset[str]:
    """Which of Meta's words `to_user_data` will give of it."""
    return frozenset(_NAMES[name] for name, value in (("ip", ip), ("ua", ua)) if value)
