"""What SNS posts: the envelope, whether its subscription may be confirmed, and the alarm in it.

Source: /work/shared/facts/aws_pagerduty.md, 2.23 to 2.27, 3.1 to 3.6, 4.1 to 4.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

import orjson

from simulators.loopback import is_loopback
from simulators.pagerduty.errors import Refusal, Refused
from simulators.pagerduty.rules import MAX_SUMMARY, Event
from simulators.pagerduty.switches import Switches

Type = Literal["SubscriptionConfirmation", "Notification", "UnsubscribeConfirmation"]
MAX_URL = 2048
_MAX_IDENTITY = 1024
"""Characters of an alarm's name or ARN; AWS allows 255 for the name."""
_PRINTABLE = re.compile(r"[\x21-\x7e]+").fullmatch
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class Discarded(Exception):
    """The notification opens and closes nothing; the message says why, and quotes nothing of it."""


class NotVisited(Exception):
    """The SubscribeURL is not one to visit; the message says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One SNS message. `fields` are its members that are strings; attributes are not signed and not read (3.6)."""

    type: Type
    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        """A member, or the empty string."""
        return self.fields.get(name, "")

    def string_to_sign(self) -> bytes:
        """Name LF value LF of the signed members in byte order, values as they are; no Subject, no line of it."""
        names = _NOTIFICATION if self.type == "Notification" else _CONFIRMATION
        lines = [f"{name}\n{self.fields[name]}\n" for name in names if name in self.fields]
        return "".join(lines).encode("utf-8")


def envelope(body: bytes) -> Envelope:
    """The SNS message in the body, whatever its Content-Type says; the caller has limited its size.

    Raises:
        Refused: it is none; with raw message delivery it never is (3.11).
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(Refusal.of("sns_not_json")) from None
    if not isinstance(found, dict):
        raise Refused(Refusal.of("sns_not_json"))
    kind = found.get("Type")
    if kind not in get_args(Type):
        raise Refused(Refusal.of("sns_type"))
    return Envelope(cast("Type", kind), {name: value for name, value in found.items() if isinstance(value, str)})


def check_topic(message: Envelope, switches: Switches) -> None:
    """Return if the topic is listened to.

    Raises:
        Refused: there is an allow-list, and the topic is not on it.
    """
    allowed = {one.strip() for one in switches.topics.split(",") if one.strip()}
    if allowed and message.get("TopicArn") not in allowed:
        raise Refused(Refusal.of("sns_topic"))


def url_to_visit(message: Envelope, switches: Switches) -> str:
    """Where a GET confirms the subscription.

    Raises:
        NotVisited: it points where it must not, or is none that confirms a subscription.
    """
    asked = split_url(message.get("SubscribeURL"))
    if asked is None or _action(asked.query) != ["ConfirmSubscription"]:
        reason = "SubscribeURL does not confirm a subscription"
        raise NotVisited(reason)
    if switches.confirm == "never":
        reason = "confirm is never"
        raise NotVisited(reason)
    if switches.confirm_at:
        base = urlsplit(switches.confirm_at)
        return urlunsplit((base.scheme, base.netloc, asked.path or "/", asked.query, ""))
    if switches.confirm == "loopback" and not is_loopback(asked.hostname or ""):
        reason = "SubscribeURL leaves this machine; --confirm anywhere lets it"
        raise NotVisited(reason)
    return urlunsplit(asked._replace(path=asked.path or "/", fragment=""))


def _action(query: str) -> list[str]:
    try:
        return parse_qs(query, max_num_fields=20).get("Action", [])
    except ValueError:
        return []


def split_url(text: str) -> SplitResult | None:
    """An http(s) URL with a host, without a user, of printable ASCII and bounded length; else None."""
    if len(text) > MAX_URL or not _PRINTABLE(text):
        return None
    try:
        found = urlsplit(text)
        found.port  # noqa: B018 -- it raises if it is no number
    except ValueError:
        return None
    if found.scheme not in {"http", "https"} or not found.hostname or "@" in found.netloc:
        return None
    return found


def event(message: Envelope, key: str, switches: Switches) -> Event:
    """What the notification tells the integration: ALARM triggers, OK resolves (4.2).

    Shape of `Message`, a string of strict JSON (2.24; all but NewStateValue may be absent, 4.4):
        {"AlarmName", "AlarmArn", "AWSAccountId", "Region", "NewStateValue", "NewStateReason", "StateChangeTime", …}

    Raises:
        Discarded: it is no alarm, its Subject says otherwise, or it is in INSUFFICIENT_DATA (4.3, 4.4).
    """
    try:
        alarm = orjson.loads(message.get("Message"))
    except orjson.JSONDecodeError:
        reason = "Message is not JSON"
        raise Discarded(reason) from None
    if not isinstance(alarm, dict):
        reason = "Message is not a JSON object"
        raise Discarded(reason)
    state = alarm.get("NewStateValue")
    if state not in ("ALARM", "OK"):  # it may be unhashable
        insufficient = state == "INSUFFICIENT_DATA"
        reason = "INSUFFICIENT_DATA resolves nothing" if insufficient else "NewStateValue is neither ALARM nor OK"
        raise Discarded(reason)
    subject = message.get("Subject")
    if switches.subject_must_match and not subject.startswith(f"{state}: "):
        reason = "Subject does not begin as NewStateValue says"
        raise Discarded(reason)
    dedup_key = _identity(alarm, subject, switches)
    name = _short(alarm, "AlarmName")
    title = name if switches.title == "alarm_name" else subject
    return Event(
        origin="cloudwatch",
        key=key,
        action="trigger" if state == "ALARM" else "resolve",
        dedup_key=dedup_key,
        title=(title or name or subject)[:MAX_SUMMARY],
        details=alarm,
    )


def _identity(alarm: Mapping[str, Any], subject: str, switches: Switches) -> str:
    """What makes two notifications one alert (4.6); without a name, what the Subject says after the state."""
    arn = _short(alarm, "AlarmArn")
    if arn and switches.alert_key == "arn":
        return arn
    name = _short(alarm, "AlarmName") or subject.partition(": ")[2][:_MAX_IDENTITY]
    return f"{_short(alarm, 'AWSAccountId')}/{_short(alarm, 'Region')}/{name}"


def _short(alarm: Mapping[str, Any], name: str) -> str:
    """A member that is text, else the empty string.

    Raises:
        Discarded: it is longer than any of AWS's.
    """
    value = alarm.get(name)
    if not isinstance(value, str):
        return ""
    if len(value) > _MAX_IDENTITY:
        reason = f"{name} is too long"
        raise Discarded(reason)
    return value
