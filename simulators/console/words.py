"""Meta's refusals in plain words, by what a client sees of them: `code` and `error_subcode`."""

from __future__ import annotations

from collections.abc import Mapping

#: Every pair of `simulators.meta.errors.TABLE` is here; a test says so.
REFUSALS: Mapping[tuple[int, int | None], str] = {
    (1, None): "Meta had an unknown error. Try again later.",
    (2, None): "Meta is in trouble for a moment. Try again, and wait longer each time.",
    (4, None): "Too many calls: the app's limit is reached. Wait as long as the usage header says.",
    (80004, 2446079): "Too many calls for this ad account. Wait as long as the usage header says.",
    (17, 2446079): "Too many calls: the user's limit is reached. Wait as long as the usage header says.",
    (32, None): "Too many calls: the page's limit is reached. Wait as long as the usage header says.",
    (613, 1487742): "Too many calls of this kind. Wait, and call less often.",
    (80003, None): "Too many calls for this ad account's audiences. Wait as long as the usage header says.",
    (341, None): "A limit is reached for the time being. Wait.",
    (960, None): "More than 50 calls in one batch.",
    (21009, None): "The data set is not ready for uploads yet. Try again later.",
    (3, None): "The app may not make this call.",
    (10, None): "The app has not the permission for this. Trying again does not help.",
    (200, None): "A permission is missing. Assign the system user to the dataset.",
    (294, None): "The token needs the permission ads_management.",
    (368, None): "Meta has blocked this for a breach of its policies, for the time being.",
    (803, None): "There is no such object: an id is a number.",
    (102, None): "The session is no longer valid. A new token is needed.",
    (2500, None): "The path is not one that Graph knows. It is /vN.0/PIXEL/events.",
    (2635, None): "This version of the API is too old.",
    (104, None): "No access token came with the call.",
    (101, None): "client_id is missing.",
    (190, None): "The access token is not one that Meta can read. Check that it is whole and for this app.",
    (190, 458): "The token's user has removed the app. A new token is needed.",
    (190, 459): "The token's user has to log in at Facebook and pass a check.",
    (190, 464): "The token's user is not confirmed.",
    (190, 466): "The token was invalidated. A new token is needed.",
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
    (100, 2804043): "extinfo of an app's event is not valid.",
    (100, 2804066): "This event_name is not allowed with business_messaging.",
    (100, 2804069): "business_messaging wants a page_id.",
    (100, 2804079): "business_messaging on Instagram wants an ig_account_id.",
    (100, 2804087): "The ctwa_clid is not valid.",
    (100, 2804116): "business_messaging wants a page_id or a whatsapp_business_account_id.",
    (100, 2804131): "A page_id does not fit the dataset of a WhatsApp account.",
    (100, 2804132): "A WhatsApp account does not fit the dataset of a website.",
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
