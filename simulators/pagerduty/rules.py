"""Events API v2: one JSON body becomes one `Event`, or every reason why it does not.

Source: /work/shared/facts/aws_pagerduty.md, 4.8 to 4.11. Lengths are in characters, as Python counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

import orjson

from simulators.pagerduty.errors import Refusal, Refused

Action = Literal["trigger", "acknowledge", "resolve"]
Severity = Literal["critical", "warning", "error", "info"]
Origin = Literal["events_v2", "cloudwatch"]

MAX_DEDUP_KEY = 255
MAX_SUMMARY = 1024
_KEY = re.compile(r"[0-9A-Za-z]{32}").fullmatch
_OPTIONAL_TEXT = ("component", "group", "class")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What an integration was told: the same for Events API v2 and for an alarm of CloudWatch."""

    origin: Origin
    key: str
    """The integration key, 32 letters and digits."""
    action: Action
    dedup_key: str | None
    """None: of a trigger that is to be an alert of its own."""
    title: str = ""
    severity: Severity | None = None
    """None: nobody said; CloudWatch never does."""
    details: Mapping[str, Any] | None = None
    """What a responder would be shown, as it came."""


def is_key(text: object) -> bool:
    """Whether it has the shape of an integration key (4.8)."""
    return isinstance(text, str) and _KEY(text) is not None


def parse(body: bytes) -> Mapping[str, Any]:
    """The body as an object; the caller has limited its size.

    Raises:
        Refused: it is no JSON, or no object.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(Refusal.of("not_json")) from None
    if not isinstance(found, dict):
        raise Refused(Refusal.of("not_object"))
    return found


def event(told: Mapping[str, Any]) -> Event:
    """The event in the object.

    Shape:
        {"routing_key", "event_action", "dedup_key"?, "payload": {"summary", "source", "severity", "timestamp"?,
         "component"?, "group"?, "class"?, "custom_details"?}, "images"?, "links"?, "client"?, "client_url"?}

    Raises:
        Refused: with every reason there is.
    """
    reasons = [*_envelope(told), *_payload(told)]
    if reasons:
        raise Refused(*reasons)
    payload = told.get("payload") or {}
    shown = {name: told[name] for name in ("client", "client_url", "links", "images") if told.get(name)}
    return Event(
        origin="events_v2",
        key=told["routing_key"],
        action=told["event_action"],
        dedup_key=told.get("dedup_key") or None,
        title=payload.get("summary", ""),
        severity=payload.get("severity"),
        details={**payload, **shown},
    )


def _envelope(told: Mapping[str, Any]) -> Iterator[Refusal]:
    """What is wrong outside the payload."""
    if not told.get("routing_key"):
        yield Refusal.of("missing", field="routing_key")
    elif not is_key(told["routing_key"]):
        yield Refusal.of("key_length")
    action = told.get("event_action")
    yield from _one_of("event_action", action, get_args(Action))
    dedup_key = told.get("dedup_key")
    if dedup_key is None or dedup_key == "":
        if action in ("acknowledge", "resolve"):  # it may be unhashable
            yield Refusal.of("missing", field="dedup_key")
    else:
        yield from _text("dedup_key", dedup_key, MAX_DEDUP_KEY)
    for name, member, https in (("images", "src", True), ("links", "href", False)):
        yield from _attachments(name, told.get(name), member, https=https)


def _payload(told: Mapping[str, Any]) -> Iterator[Refusal]:
    """What is wrong inside it; only a trigger needs one, and what another action sends there is not looked at."""
    if told.get("event_action") != "trigger":
        return
    payload = told.get("payload")
    if payload is None:
        yield Refusal.of("missing", field="payload")
        return
    if not isinstance(payload, dict):
        yield Refusal.of("not_map", field="payload")
        return
    for name in ("summary", "source"):
        value = payload.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield Refusal.of("missing", field=f"payload.{name}")
        else:
            yield from _text(f"payload.{name}", value, MAX_SUMMARY if name == "summary" else None)
    yield from _one_of("payload.severity", payload.get("severity"), get_args(Severity))
    yield from _optional(payload)


def _optional(payload: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in _OPTIONAL_TEXT:
        if payload.get(name) is not None:
            yield from _text(f"payload.{name}", payload[name], None)
    if payload.get("custom_details") is not None and not isinstance(payload["custom_details"], dict):
        yield Refusal.of("not_map", field="payload.custom_details")
    if payload.get("timestamp") is not None and not _is_time(payload["timestamp"]):
        yield Refusal.of("not_time", field="payload.timestamp")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> Iterator[Refusal]:
    if value is None or value == "":
        yield Refusal.of("missing", field=name)
    elif value not in allowed:
        *some, last = (f"'{one}'" for one in allowed)
        yield Refusal.of("not_one_of", field=name, allowed=f"{', '.join(some)} or {last}")


def _text(name: str, value: object, limit: int | None) -> Iterator[Refusal]:
    if not isinstance(value, str):
        yield Refusal.of("not_text", field=name)
    elif limit is not None and len(value) > limit:
        yield Refusal.of("too_long", field=name, limit=limit)


def _attachments(name: str, value: object, member: str, *, https: bool) -> Iterator[Refusal]:
    """Images and links: lists of objects with one member that must be there."""
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        yield Refusal.of("not_list", field=name)
        return
    for one in cast("list[dict[str, object]]", value):
        found = one.get(member)
        if not isinstance(found, str) or not found:
            yield Refusal.of("missing", field=f"{name}.{member}")
        elif https and not found.startswith("https://"):
            yield Refusal.of("not_https", field=f"{name}.{member}")
        else:
            continue
        return  # the first that is wrong: a body could hold thousands


def _is_time(value: object) -> bool:
    """ISO 8601 with a date and a time: `2015-07-17T08:42:58.315+0000` is the vendor's own example."""
    if not isinstance(value, str) or not 10 < len(value) <= 64:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
