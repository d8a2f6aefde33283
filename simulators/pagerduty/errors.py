"""Every refusal of the fake in one table, and the bodies in which PagerDuty answers.

Source: /work/shared/facts/aws_pagerduty.md, section 4 (4.10: the bodies of 202 and 400). Read beside it: the body for
what is no JSON in PagerDuty/api-schema, the sentence of a missing field in SigNoz/signoz#9536, that of an unknown
severity in a Go client's tests, the body of 429 in go-pagerduty's tests and NetQ's release notes. `uncertain` names
what no recorded answer proves; clients decide on the status alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `text`, the entry of `errors`, may hold `{names}`, filled by whoever refuses."""

    text: str
    status: int = 400
    uncertain: str = ""


_WORDING = "wording"

TABLE: Mapping[str, Row] = {
    # -- Events API v2
    "key_length": Row(text="Length of 'routing_key' is incorrect (should be 32 characters)"),
    "key_unknown": Row(text="Invalid routing key", uncertain="seen in a client's tests only"),
    "not_json": Row(text="JSON parse error", uncertain="status: the body is the sample of the API's schema, under 5XX"),
    "not_object": Row(text="Event is not a JSON object", uncertain=_WORDING),
    "missing": Row(text="'{field}' is missing or blank"),
    "not_one_of": Row(text="'{field}' is invalid (must be one of the following: {allowed})"),
    "not_text": Row(text="'{field}' is invalid (must be a string)", uncertain=_WORDING),
    "not_map": Row(text="'{field}' is invalid (must be an object)", uncertain=_WORDING),
    "not_list": Row(text="'{field}' is invalid (must be an array of objects)", uncertain=_WORDING),
    "not_time": Row(text="'{field}' is invalid (must be an ISO 8601 time)", uncertain=_WORDING),
    "not_https": Row(text="'{field}' is invalid (must be an https URL)", uncertain=_WORDING),
    "too_long": Row(
        text="'{field}' is too long (maximum is {limit} characters)",
        uncertain="wording; whether a long summary is refused or cut",
    ),
    "body_too_large": Row(
        status=413, text="Event is larger than {limit} bytes", uncertain="the whole answer: 512 KB is on record alone"
    ),
    # -- the endpoint for SNS: nothing of its answers is on record
    "sns_not_json": Row(text="The body is not an SNS message", uncertain="the whole answer"),
    "sns_type": Row(text="The SNS message has no Type that is known", uncertain="the whole answer"),
    "sns_topic": Row(status=403, text="The topic is not listened to", uncertain="the whole answer"),
    "sns_signature": Row(status=403, text="The SNS signature is not valid: {reason}", uncertain="the whole answer"),
    "sns_no_certificate": Row(status=500, text="No certificate: {reason}", uncertain="the whole answer"),
    "discarded": Row(text="Discarded: {reason}", uncertain="the whole answer, and whether it is 202"),
    # -- faults and limits
    "throttled": Row(status=429, text=""),
    "server_error": Row(status=500, text="Internal Server Error", uncertain="the body"),
}

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason for a refusal, in PagerDuty's words."""

    name: str
    text: str
    status: int

    @classmethod
    def of(cls, name: str, **values: object) -> Refusal:
        """The row called `name`, its `{names}` filled."""
        row = TABLE[name]
        return cls(name, row.text.format(**values), row.status)


class Refused(Exception):
    """A request is refused; holds every reason, as PagerDuty lists them all."""

    def __init__(self, *reasons: Refusal) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reason.text for reason in reasons))

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reasons[0].status

    def body(self) -> Body:
        """The JSON body: `{"status", "message", "errors"?}`."""
        if self.status == 429:
            return {
                "status": "throttle exceeded",
                "message": "Requests for this service are arriving too quickly.  Please retry later.",
            }
        if self.status == 500:
            return {"status": "error", "message": self.reasons[0].text}
        if self.reasons[0].name == "not_json":
            return {
                "status": "Unrecognized object",
                "message": "Event object format is unrecognized",
                "errors": [self.reasons[0].text],
            }
        return {
            "status": "invalid event",
            "message": "Event object is invalid",
            "errors": [reason.text for reason in self.reasons],
        }


def accepted(dedup_key: str | None) -> Body:
    """The body of a 202; it says that the event was taken, never that an incident was opened (4.10)."""
    told = {"status": "success", "message": "Event processed"}
    return told if dedup_key is None else {**told, "dedup_key": dedup_key}
