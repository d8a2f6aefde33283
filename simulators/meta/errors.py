"""Every error of the fake in one table, and the envelope in which Graph answers it.

Source: /work/shared/facts/meta_capi.md, section 6; `uncertain` names what no captured answer proves. Clients decide on
`code` and `error_subcode`: Meta localises the texts, so nothing may rely on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any

OAUTH = "OAuthException"
METHOD = "GraphMethodException"
INVALID = "Invalid parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `message` and `detail` may hold `{names}`, filled by whoever raises it."""

    code: int
    subcode: int | None = None
    status: int = 400
    kind: str = OAUTH
    message: str = INVALID
    title: str | None = None
    """error_user_title; answers about the payload carry it, those about tokens do not."""
    detail: str | None = None
    """error_user_msg."""
    is_transient: bool | None = None
    """None: the member is absent, as in answers about tokens."""
    uncertain: str = ""
    armed_only: bool = False
    """No request makes the fake answer so by itself: the fault `refusal` does."""


def _payload(subcode: int | None, title: str, detail: str, uncertain: str = "") -> Row:
    """An answer about the payload: always 400, code 100, `Invalid parameter`."""
    return Row(code=100, subcode=subcode, title=title, detail=detail, is_transient=False, uncertain=uncertain)


def _dead_token(
    subcode: int | None,
    message: str,
    uncertain: str = "status: 400 is recorded too",
    *,
    armed_only: bool = False,
) -> Row:
    return Row(code=190, subcode=subcode, status=401, message=message, uncertain=uncertain, armed_only=armed_only)


def _armed(code: int, message: str, subcode: int | None = None, **more: Any) -> Row:
    """An answer that depends on what a fake cannot know (accounts, apps, use of others): for the fault `refusal`."""
    return Row(code=code, subcode=subcode, message=message, armed_only=True, **more)


def _messaging(subcode: int, detail: str) -> Row:
    """An answer about business messaging, whose rules are not imitated."""
    row = _payload(subcode, "Invalid Business Messaging Event", detail, "seen in client code only")
    return replace(row, armed_only=True)


_SESSION = "Error validating access token: "
_STATUS_403, _STATUS_IS_OURS = "status: 400 is possible", "status and wording"

TABLE: Mapping[str, Row] = {
    # -- the path
    "unknown_path": Row(code=2500, message="Unknown path components: {path}"),
    "old_version": Row(
        code=2635,
        message="(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version: "
        "{latest}.",
    ),
    # -- tokens
    "no_token": Row(
        code=104, message="An access token is required to request this resource.", uncertain="status: the body is live"
    ),
    "unparsable_token": _dead_token(None, "Invalid OAuth access token - Cannot parse access token", uncertain=""),
    "expired_token": _dead_token(463, _SESSION + "Session has expired on {expired_on}. The current time is {now}."),
    "password_changed": _dead_token(
        460,
        _SESSION + "The session has been invalidated because the user changed their password or Facebook has changed "
        "the session for security reasons.",
    ),
    "logged_out": _dead_token(467, _SESSION + "The session is invalid because the user logged out."),
    "app_removed": _dead_token(458, _SESSION + "The user has not authorized application {app_id}."),
    "app_deleted": Row(code=190, message="Error validating application. Application has been deleted."),
    "no_access": Row(
        code=100,
        subcode=33,
        kind=METHOD,
        message="Unsupported {method} request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api",
    ),
    "wrong_proof": Row(code=100, kind=METHOD, message="Invalid appsecret_proof provided in the API argument"),
    "missing_proof": Row(
        code=100, kind=METHOD, message="API calls from the server require an appsecret_proof argument"
    ),
    "missing_permission": Row(code=100, message="(#100) Missing Permission"),
    "missing_parameter": Row(code=100, message="(#100) The parameter {name} is required", uncertain="generic wording"),
    "missing_client_id": Row(code=101, message="Missing client_id parameter.", uncertain="code"),
    # -- the payload as a whole
    "body_too_large": Row(
        code=100, message="(#100) The request body is larger than {limit} bytes", uncertain="Meta's answer is unknown"
    ),
    "malformed_body": Row(
        code=100, message="(#100) The request body is not valid {syntax}", uncertain="Meta's answer is unknown"
    ),
    "malformed_data": Row(
        code=100, message="(#100) param data must be an array.", uncertain="Meta's answer is unknown"
    ),
    "empty_data": _payload(
        2804019, "Server Side Api Parameter Error", "Param $['data'] must hold at least 1 event.", "whole answer"
    ),
    "too_many_events": _payload(
        2804019,
        "Server Side Api Parameter Error",
        "Param $['data'] must hold at most {limit} events, {count} were sent.",
        "subcode and wording; the limit is documented",
    ),
    "too_many_calls": Row(
        code=960,
        kind="GraphBatchException",
        message="Too many requests in batch message. Maximum batch size is {limit}",
        uncertain="code",
    ),
    # -- one event of it
    "parameter": _payload(2804019, "Server Side Api Parameter Error", "{problem}", "subcode"),
    "content_without_id": _payload(
        2804008, "Missing Content Id", "Param {where} must have an id.", "claimed by one source"
    ),
    "too_old": _payload(
        2804003,
        "Event Timestamp Too Old",
        "The timestamp for this event is too far in the past. Events must be at most {limit_days} days old: "
        "$['data'][{index}].",
    ),
    "in_future": _payload(
        2804004,
        "Event Timestamp In The Future",
        "The timestamp for this event is in the future: $['data'][{index}].",
        "tolerance: a switch",
    ),
    "no_value": _payload(
        2804009, "Missing Value for Purchase Event", "Purchase events must have a value: $['data'][{index}]."
    ),
    "no_currency": _payload(
        2804010, "Missing Currency for Purchase Event", "Purchase events must have a currency: $['data'][{index}]."
    ),
    "not_hashed": _payload(
        2804016,
        "User Parameter Not Hashed",
        "The user_data parameter {key} of $['data'][{index}] must be hashed with SHA-256.",
    ),
    "bad_lead_id": _payload(2804036, "Invalid Lead ID", "The lead_id of $['data'][{index}] is not valid."),
    "too_few_keys": _payload(
        2804050,
        "Insufficient Customer Information Parameters",
        "$['data'][{index}] does not have enough customer information parameters to be matched.",
    ),
    "bad_currency": _payload(
        2804014, "Invalid Currency", "Param {where} must be an ISO 4217 code.", "seen in production, meaning guessed"
    ),
    "url_not_allowed": _payload(
        2804064,
        "Event Source Url Not Allowed",
        "event_source_url must not be sent with business_messaging: $['data'][{index}].",
    ),
    # -- Meta's own trouble
    "unknown_error": _armed(1, "An unknown error occurred", status=500, is_transient=False),
    "try_later": _armed(
        2,
        "An unexpected error has occurred. Please retry your request later.",
        status=500,
        is_transient=True,
        uncertain="status: 503 is possible",
    ),
    "service_down": _armed(
        2, "Service temporarily unavailable", status=503, is_transient=True, uncertain="status and wording"
    ),
    "app_limit": _armed(4, "(#4) Application request limit reached", is_transient=True, uncertain="status: 403 is old"),
    "user_limit": _armed(17, "(#17) User request limit reached", 2446079, is_transient=True, uncertain="is_transient"),
    "page_limit": _armed(32, "(#32) Page request limit reached", is_transient=True, uncertain="whole body"),
    "custom_limit": _armed(
        613, "(#613) Calls to this api have exceeded the rate limit.", 1487742, uncertain="subcode: 5044001 or none too"
    ),
    "audience_limit": _armed(
        80003,
        "(#80003) There have been too many calls to this ad-account. Wait a bit and try again.",
        uncertain=_STATUS_IS_OURS,
    ),
    "business_limit": _armed(
        80004, "(#80004) There have been too many calls to this ad-account. Wait a bit and try again.", 2446079
    ),
    "temporary_limit": _armed(341, "(#341) Feed action request limit reached", uncertain=_STATUS_IS_OURS),
    "upload_not_ready": _armed(21009, "(#21009) The data set upload is temporarily not ready.", uncertain="status"),
    # -- what only the account's owner can mend
    "capability": _armed(3, "(#3) Application does not have the capability to make this API call."),
    "no_app_permission": _armed(
        10, "(#10) Application does not have permission for this action", status=403, uncertain=_STATUS_403
    ),
    "no_permission": _armed(200, "(#200) Permissions error", status=403, uncertain="status: 400 is possible; wording"),
    "needs_ads_management": _armed(
        294,
        "(#294) Managing advertisements requires an access token with the extended permission for ads_management",
        status=403,
        uncertain=_STATUS_403,
    ),
    "policy_block": _armed(
        368, "The action attempted has been deemed abusive or is otherwise disallowed", uncertain=_STATUS_IS_OURS
    ),
    "no_such_alias": _armed(
        803, "(#803) Some of the aliases you requested do not exist: {alias}", status=404, uncertain="status"
    ),
    "session_key": _armed(102, "Session key invalid or no longer valid", status=401, uncertain=_STATUS_IS_OURS),
    "token_checkpoint": _dead_token(459, _SESSION + "The user is in a checkpoint.", _STATUS_IS_OURS, armed_only=True),
    "token_unconfirmed": _dead_token(464, _SESSION + "The user is not confirmed.", _STATUS_IS_OURS, armed_only=True),
    "token_invalidated": _dead_token(
        466, _SESSION + "The session was invalidated by an API call.", _STATUS_IS_OURS, armed_only=True
    ),
    "undecryptable_token": _dead_token(
        None, "The access token could not be decrypted", _STATUS_IS_OURS, armed_only=True
    ),
    # -- apps and messaging
    "bad_extinfo": replace(
        _payload(2804043, "Invalid Extinfo", "The extinfo of $['data'][{index}] is not valid.", "wording"),
        armed_only=True,
    ),
    "messaging_event_name": _messaging(2804066, "This event_name is not allowed with business_messaging."),
    "messaging_page_id": _messaging(2804069, "page_id is missing."),
    "messaging_ig_account_id": _messaging(2804079, "ig_account_id is missing."),
    "messaging_ctwa_clid": _messaging(2804087, "ctwa_clid is not valid."),
    "messaging_no_account": _messaging(2804116, "Neither page_id nor whatsapp_business_account_id is given."),
    "messaging_page_to_whatsapp": _messaging(2804131, "page_id does not fit a WhatsApp dataset."),
    "messaging_whatsapp_to_website": _messaging(2804132, "A WhatsApp account does not fit a website's dataset."),
}


class GraphError(Exception):
    """An answer of the table, with its blanks filled. `name` is its key there."""

    def __init__(self, name: str, /, *, status: int | None = None, **blanks: object) -> None:
        row = TABLE[name]
        self.name = name
        self.row = row
        self.status = row.status if status is None else status
        self.message = row.message.format(**blanks) if blanks else row.message
        self.detail = row.detail.format(**blanks) if row.detail else None
        super().__init__(self.detail or self.message)

    @classmethod
    def example(cls, name: str) -> GraphError:
        """The answer of that name with its blanks filled by dots, for whoever wants to see how a client takes it."""
        row = TABLE[name]
        texts = (row.message, row.detail or "")
        blanks: dict[str, Any] = {blank: "…" for text in texts for _, blank, _, _ in Formatter().parse(text) if blank}
        return cls(name, **blanks)

    @property
    def code(self) -> int:
        """`error.code` of the answer."""
        return self.row.code

    @property
    def subcode(self) -> int | None:
        """`error.error_subcode` of the answer, if it has one."""
        return self.row.subcode

    def envelope(self, fbtrace_id: str) -> dict[str, Any]:
        """The body, as Graph shapes it: `fbtrace_id` stands inside `error`."""
        row = self.row
        error: dict[str, Any] = {"message": self.message, "type": row.kind, "code": row.code}
        optional = {
            "error_subcode": row.subcode,
            "is_transient": row.is_transient,
            "error_user_title": row.title,
            "error_user_msg": self.detail,
        }
        error.update((key, value) for key, value in optional.items() if value is not None)
        return {"error": {**error, "fbtrace_id": fbtrace_id}}

    def www_authenticate(self) -> str:
        """The header that Graph sends with every error; no text of the caller's gets into it unescaped."""
        kind = "invalid_token" if self.code == 190 else "invalid_request"
        safe = "".join(char for char in self.message if " " <= char <= "~" and char not in '"\\')
        return f'OAuth "Facebook Platform" "{kind}" "{safe}"'
