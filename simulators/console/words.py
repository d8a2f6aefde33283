"""Meta's refusals in plain words, by what a client sees of them: `code` and `error_subcode`."""

from __future__ import annotations

from collections.abc import Mapping

#: Every pair of `simulators.meta.errors.TABLE` is here; a test says so.
REFUSALS: Mapping[tuple[int, int | None], str] = {
    (1, None): "Meta had an unknown error. Try again later.",
    (2, None): "Meta is in trouble for a moment. Try again, and wait longer each time.",
    (4, None): "Too many calls: the app's limit is reached. Wait as long as the usage header says.",
    (80004, 2446079): "Too many calls for this ad account. Wait as long as the usage header says.",
    (2500, None): "The path is not one that Graph knows. It is /vN.0/PIXEL/events.",
    (2635, None): "This version of the API is too old.",
    (104, None): "No access token came with the call.",
    (101, None): "client_id is missing.",
    (190, None): "The access token is not one that Meta can read. Check that it is whole and for this app.",
    (190, 458): "The token's user has removed the app. A new token is needed.",
    (190, 460): "The token died because its user changed the password. A new token is needed.",
    (190, 463): "The access token has expired. A new token is needed; trying again does not help.",
    (190, 467): "The token's user has logged out. A new token is needed.",
    (100, 33): "The pixel does not exist, or this token may not write to it.",
    (100, None): "The call itself is malformed: its body, its data, a parameter, or a permission that it needs.",
    (100, 2804003): "An event is too old: Meta takes seven days. It refuses the whole batch for it.",
    (100, 2804004): "An event lies in the future. Check the clock, and that event_time is in seconds.",
    (100, 2804008): "An entry of contents has no id.",
    (100, 2804009): "A Purchase has no value.",
    (100, 2804010): "A Purchase has no currency.",
    (100, 2804014): "The currency is not an ISO 4217 code, like BRL.",
    (100, 2804016): "Something personal was sent in the clear: it must be hashed with SHA-256.",
    (100, 2804019): "An event, or the list of events, has a field that is missing or wrong.",
    (100, 2804036): "The lead_id is not valid.",
    (100, 2804050): "Too little is known of the person to match anybody: send more hashed keys, or fbp and fbc.",
    (100, 2804064): "event_source_url must not come with business_messaging.",
}


def refusal(status: int, code: int | None, subcode: int | None, fault: str | None) -> str:
    """Why Meta did not take a call, in one sentence."""
    if code is not None:
        known = REFUSALS.get((code, subcode)) or REFUSALS.get((code, None))
        return known or "Meta refused it with a code that this page has no words for."
    if fault is not None:
        return f"The armed fault {fault} struck: nothing was counted, and nothing told the client why."
    return f"Refused with HTTP {status}."
