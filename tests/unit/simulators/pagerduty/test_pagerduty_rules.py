"""Events API v2, the alarm in an SNS message, and which URL may be visited: rules without a wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.pagerduty import rules, sns
from simulators.pagerduty.errors import TABLE, Refused
from simulators.pagerduty.switches import Switches
from tests.rows import each_row

KEY = "e93facc04764012d7bfb002500d5d1a6"
ARN = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:dlq-not-empty"


def trigger(**changes: Any) -> dict[str, Any]:
    """A trigger that is taken, with other members; `payload__X` changes the payload's X, None leaves it out."""
    told: dict[str, Any] = {
        "routing_key": KEY,
        "event_action": "trigger",
        "payload": {"summary": "disk full", "source": "db-1", "severity": "critical"},
    }
    for name, value in changes.items():
        place, member = (told["payload"], name[9:]) if name.startswith("payload__") else (told, name)
        place.pop(member, None)
        if value is not None:
            place[member] = value
    return told


def why(told: dict[str, Any]) -> list[str]:
    with pytest.raises(Refused) as refused:
        rules.event(told)
    assert refused.value.status == 400
    assert refused.value.body()["status"] == "invalid event"
    return list(refused.value.body()["errors"])


@each_row(
    ("changes", "errors"),
    [
        ({"routing_key": "short"}, ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
        ({"routing_key": None}, ["'routing_key' is missing or blank"]),
        ({"routing_key": 7}, ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
        ({"payload__severity": None}, ["'payload.severity' is missing or blank"]),
        (
            {"payload__severity": "fatal"},
            ["'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"],
        ),
        ({"payload__severity": ["critical"]}, [pytest.approx]),
        ({"payload__summary": " "}, ["'payload.summary' is missing or blank"]),
        ({"payload__summary": "x" * 1025}, ["'payload.summary' is too long (maximum is 1024 characters)"]),
        ({"payload__source": None}, ["'payload.source' is missing or blank"]),
        ({"payload__custom_details": "text"}, ["'payload.custom_details' is invalid (must be an object)"]),
        ({"payload__timestamp": "yesterday"}, ["'payload.timestamp' is invalid (must be an ISO 8601 time)"]),
        ({"payload": None}, ["'payload' is missing or blank"]),
        ({"payload": []}, ["'payload' is invalid (must be an object)"]),
        ({"dedup_key": "x" * 256}, ["'dedup_key' is too long (maximum is 255 characters)"]),
        ({"event_action": "resolve", "payload": None}, ["'dedup_key' is missing or blank"]),
        ({"event_action": "page", "dedup_key": "a"}, [pytest.approx]),
        ({"images": [{"src": "http://plain.example"}]}, ["'images.src' is invalid (must be an https URL)"]),
        ({"links": [{"text": "no href"}]}, ["'links.href' is missing or blank"]),
        ({"links": "x"}, ["'links' is invalid (must be an array of objects)"]),
    ],
)
def test_what_is_wrong_is_told_in_pagerdutys_words(changes: dict[str, Any], errors: list[Any]) -> None:
    """One entry of `errors` for each mistake (`approx` stands for any wording)."""
    found = why(trigger(**changes))
    assert len(found) == len(errors)
    assert all(one == wanted or wanted is pytest.approx for one, wanted in zip(found, errors, strict=True))


def test_every_mistake_is_told_at_once() -> None:
    """The vendor lists them all."""
    assert len(why({"routing_key": "x", "event_action": "trigger", "payload": {}})) == 4


@each_row(
    "changes",
    [
        {},
        {"dedup_key": "x" * 255},
        {"payload__summary": "x" * 1024},
        {"payload__timestamp": "2015-07-17T08:42:58.315+0000"},
        {"payload__custom_details": {"free": 0.75}},
        {"images": [{"src": "https://a.example/b.png"}], "links": [{"href": "http://a.example"}]},
        {"event_action": "resolve", "dedup_key": "a", "payload": None},
        {"event_action": "acknowledge", "dedup_key": "a"},
    ],
)
def test_what_is_right_is_taken(changes: dict[str, Any]) -> None:
    """Lengths up to the limit, the vendor's own sample of a time, and no payload where none is needed."""
    assert rules.event(trigger(**changes)).key == KEY


_NAMES = [
    "routing_key",
    "event_action",
    "payload",
    "dedup_key",
    "links",
    "images",
    "summary",
    "severity",
    "src",
    "Type",
]
_ALARM = ["NewStateValue", "AlarmName", "AlarmArn", "Region"]
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["trigger", "resolve", "ALARM", KEY]) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES + _ALARM), inner, max_size=6),
    max_leaves=12,
)


def _attempt(parse: Callable[[], object]) -> str:
    try:
        parse()
    except (Refused, sns.Discarded) as error:
        return str(error)
    return "taken"


@given(_ANY)
def test_no_json_breaks_the_parsers(told: Any) -> None:
    """Anything is an event, an alarm, or refused in words; nothing else is raised."""
    body = json.dumps(told).encode()
    wrapped = json.dumps({"Type": "Notification", "Subject": "ALARM: x", "Message": json.dumps(told)}).encode()
    assert _attempt(lambda: rules.event(rules.parse(body)))
    assert _attempt(lambda: sns.event(sns.envelope(body), KEY, Switches()))
    assert _attempt(lambda: sns.event(sns.envelope(wrapped), KEY, Switches()))


@each_row("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"a": NaN}', b'"\\ud800"'])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Also what is nested too deeply, or is JSON for some parsers only."""
    with pytest.raises(Refused) as refused:
        rules.parse(body)
    assert refused.value.body() == {
        "status": "Unrecognized object",
        "message": "Event object format is unrecognized",
        "errors": ["JSON parse error"],
    }
    with pytest.raises(Refused):
        sns.envelope(body)


def notification(alarm: Any = None, **changes: Any) -> sns.Envelope:
    """CloudWatch's alarm (facts, 2.27) in a Notification."""
    told = {
        "AlarmName": "dlq-not-empty",
        "AWSAccountId": "111122223333",
        "NewStateValue": "ALARM",
        "Region": "US East (N. Virginia)",
        "AlarmArn": ARN,
        **(alarm or {}),
    }
    message = {
        "Type": "Notification",
        "Subject": f'{told["NewStateValue"]}: "dlq-not-empty" in US East (N. Virginia)',
        "Message": json.dumps({name: value for name, value in told.items() if value is not None}),
        **changes,
    }
    return sns.envelope(json.dumps({name: value for name, value in message.items() if value is not None}).encode())


def test_an_alarm_triggers_and_ok_resolves_under_one_key() -> None:
    """The AlarmArn makes them one alert, the Subject is the title."""
    fired = sns.event(notification(), KEY, Switches())
    over = sns.event(notification({"NewStateValue": "OK"}), KEY, Switches())
    assert (fired.action, over.action) == ("trigger", "resolve")
    assert fired.dedup_key == over.dedup_key == ARN
    assert fired.title == 'ALARM: "dlq-not-empty" in US East (N. Virginia)'
    assert sns.event(notification(), KEY, Switches(title="alarm_name")).title == "dlq-not-empty"


@each_row(
    ("alarm", "switches", "wanted"),
    [
        ({}, Switches(alert_key="name"), "111122223333/US East (N. Virginia)/dlq-not-empty"),
        ({"AlarmArn": None}, Switches(), "111122223333/US East (N. Virginia)/dlq-not-empty"),
        (
            {"AlarmArn": None, "AlarmName": None, "Region": None, "AWSAccountId": None},
            Switches(),
            '//"dlq-not-empty" in US East (N. Virginia)',
        ),
    ],
)
def test_an_alarm_without_an_arn_is_known_by_its_name(alarm: Any, switches: Switches, wanted: str) -> None:
    """An emulator's alarm may lack it; the smallest one taken had NewStateValue alone (facts, 4.4)."""
    assert sns.event(notification(alarm), KEY, switches).dedup_key == wanted


@each_row(
    ("message", "reason"),
    [
        (notification({"NewStateValue": "INSUFFICIENT_DATA"}), "INSUFFICIENT_DATA resolves nothing"),
        (notification({"NewStateValue": "OK"}, Subject='ALARM: "x" in y'), "Subject does not begin"),
        (notification(Subject=None), "Subject does not begin"),
        (notification(Subject="ALARM:x"), "Subject does not begin"),
        (notification(Message="{'single': 'quotes'}"), "Message is not JSON"),
        (notification(Message="[]"), "Message is not a JSON object"),
        (notification({"NewStateValue": "alarm"}), "neither ALARM nor OK"),
        (notification({"AlarmArn": "a" * 2000}), "AlarmArn is too long"),
    ],
)
def test_what_is_no_alarm_is_discarded(message: sns.Envelope, reason: str) -> None:
    """Each with its own reason."""
    with pytest.raises(sns.Discarded, match=reason):
        sns.event(message, KEY, Switches())


def test_without_the_subject_rule_the_message_alone_decides() -> None:
    """A switch, as one person's probing is all that is known of it."""
    assert sns.event(notification(Subject=None), KEY, Switches(subject_must_match=False)).title == "dlq-not-empty"


def confirmation(url: str) -> sns.Envelope:
    return sns.envelope(json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).encode())


HERE = "http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn=t&Token=s"
AWS = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=s"


@each_row(
    ("url", "switches", "visited"),
    [
        (HERE, Switches(), HERE),
        (HERE.replace("127.0.0.1", "localhost"), Switches(), HERE.replace("127.0.0.1", "localhost")),
        (HERE.replace("127.0.0.1", "[::1]"), Switches(), HERE.replace("127.0.0.1", "[::1]")),
        (AWS, Switches(confirm="anywhere"), AWS),
        (
            AWS,
            Switches(confirm_at="http://127.0.0.1:9"),
            "http://127.0.0.1:9/?Action=ConfirmSubscription&TopicArn=t&Token=s",
        ),
    ],
)
def test_a_url_that_may_be_visited(url: str, switches: Switches, visited: str) -> None:
    """On this machine, anywhere when told, or where the user says."""
    assert sns.url_to_visit(confirmation(url), switches) == visited


@each_row(
    ("url", "switches"),
    [
        (AWS, Switches()),
        (HERE, Switches(confirm="never")),
        (HERE, Switches(confirm="never", confirm_at="http://127.0.0.1:9")),
        (HERE.replace("127.0.0.1", "127.0.0.1.evil.example"), Switches()),
        (HERE.replace("127.0.0.1", "localhost.evil.example"), Switches()),
        (HERE.replace("127.0.0.1", "127.0.0.1@evil.example"), Switches()),
        (HERE.replace("127.0.0.1", "0.0.0.0"), Switches()),
        (HERE.replace("127.0.0.1", "169.254.169.254"), Switches()),
        (HERE.replace("127.0.0.1", "2130706433"), Switches()),
        (HERE.replace("http", "file"), Switches()),
        (HERE.replace("ConfirmSubscription", "Unsubscribe"), Switches()),
        (HERE + "&Action=Unsubscribe", Switches()),
        (HERE + "&a" * 30, Switches()),
        (HERE + "&a=" + "x" * 3000, Switches()),
        (HERE + "\r\nX-Injected: 1", Switches(confirm="anywhere")),
        (HERE.replace("4566", "notaport"), Switches()),
        ("http://[::1", Switches()),
        ("", Switches()),
    ],
)
def test_a_url_that_must_not_be_visited(url: str, switches: Switches) -> None:
    """Whoever can post to us must not make us call other machines, or anything else on this one."""
    with pytest.raises(sns.NotVisited):
        sns.url_to_visit(confirmation(url), switches)


def test_the_table_names_what_nobody_recorded() -> None:
    """Only these answers are on record: who doubts another finds it here."""
    sure = {name for name, row in TABLE.items() if not row.uncertain}
    assert sure == {"key_length", "missing", "not_one_of", "throttled"}
