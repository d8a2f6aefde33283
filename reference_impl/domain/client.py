"""The buyer's address and browser: Meta wants them as they are, so between receipt and dispatch they are sealed."""

from __future__ import annotations

import json


def to_text(*, ip: str | None, ua: str | None) -> str | None:
    """What is sealed: `{"ip", "ua"}`; None where there is neither."""
    given = {name: value for name, value in (("ip", ip), ("ua", ua)) if value}
    return json.dumps(given) if given else None


def to_user_data(text: str) -> dict[str, str]:
    """The opened text in Meta's words."""
    found = json.loads(text)
    names = {"ip": "client_ip_address", "ua": "client_user_agent"}
    return {names[name]: found[name] for name in names if found.get(name)}
