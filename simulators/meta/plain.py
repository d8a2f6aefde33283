"""The plain call, read and judged in one go: what nearly every event of a load run is.

msgspec reads a JSON body into typed objects in one pass, which is three times as fast as reading it and then asking
every rule of `rules.py`. It is a short cut and no second judge: here is only ever said "this call is right". Whatever
does not fit (another encoding, a rare key, anything that is wrong) is None, and the long way judges it; a property
test holds that what is plain here is refused by no rule there.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Literal

import msgspec

from simulators.meta.currencies import CURRENCIES
from simulators.meta.inbox import Columns
from simulators.meta.rules import DAY_S, MAX_AGE_DAYS
from simulators.meta.switches import Switches

_Hash = Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
_Hashes = list[_Hash] | None
_NONE: tuple[str, ...] = ()
_Text = str | None
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What orjson, and so the long way, reads as an integer."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A JSON object all of whose keys are known."""


class _User(_Part, frozen=True):
    em: _Hashes = None
    ph: _Hashes = None
    fn: _Hashes = None
    ln: _Hashes = None
    ct: _Hashes = None
    st: _Hashes = None
    zp: _Hashes = None
    country: _Hashes = None
    external_id: list[str] | None = None
    client_ip_address: _Text = None
    client_user_agent: _Text = None
    fbc: _Text = None
    fbp: _Text = None


class _Content(_Part, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]
    quantity: _Whole = 1
    item_price: float = 0.0


class _Custom(_Part, frozen=True):
    value: Annotated[float, msgspec.Meta(ge=0)] | None = None
    currency: _Text = None
    order_id: _Text = None
    content_ids: list[str] | None = None
    content_type: _Text = None
    content_name: _Text = None
    contents: list[_Content] | None = None
    num_items: _Whole | None = None


class _Event(_Part, frozen=True):
    event_name: str
    event_time: _Whole
    user_data: _User
    event_id: _Text = None
    action_source: Literal["website", "email", "app", "phone_call", "chat", "system_generated", "other"] | None = None
    event_source_url: _Text = None
    custom_data: _Custom | None = None


class _Body(_Part, frozen=True):
    data: list[_Event]
    access_token: _Text = None
    appsecret_proof: _Text = None
    test_event_code: _Text = None


class PlainCall(msgspec.Struct, frozen=True, gc=False):
    """A call that no rule has anything against; its events as columns. `body` is what came, its `data` a JSON array."""

    body: bytes
    token: str | None
    proof: str | None
    test_event_code: str | None
    columns: Columns


_read = msgspec.json.Decoder(_Body).decode


def plain(body: bytes, *, now_s: float, switches: Switches) -> PlainCall | None:
    """The call in a JSON body, if it is plain and right; None says nothing but "ask the rules"."""
    try:
        call = _read(body)
    except (msgspec.DecodeError, ValueError):
        return None
    if not 0 < len(call.data) <= switches.batch_limit or not _are_right(call.data, now_s, switches):
        return None
    return PlainCall(
        body,
        call.access_token,
        call.appsecret_proof,
        call.test_event_code,
        Columns(
            tuple([event.event_id for event in call.data]),
            tuple([event.event_name for event in call.data]),
            tuple([event.custom_data.order_id if event.custom_data else None for event in call.data]),
        ),
    )


def _are_right(events: Sequence[_Event], now_s: float, switches: Switches) -> bool:
    """What types cannot say: hashes, time, match keys, names, and what a Purchase needs."""
    oldest_s, newest_s = now_s - MAX_AGE_DAYS * DAY_S, now_s + switches.future_tolerance_s
    hashes: list[str] = []
    for event in events:
        user, custom, name = event.user_data, event.custom_data, event.event_name
        hashes += user.em or _NONE
        hashes += user.ph or _NONE
        if user.fn or user.ln or user.ct or user.st or user.zp or user.country:
            hashes += chain(*filter(None, (user.fn, user.ln, user.ct, user.st, user.zp, user.country)))
        if not (
            oldest_s <= event.event_time <= newest_s
            and (user.em or user.ph or user.fbp or user.fbc or user.client_ip_address or user.external_id)
            and (name == "Purchase" or name.strip())
        ):
            return False
        if custom is None or not custom.currency:
            if name == "Purchase":
                return False
        elif custom.currency.upper() not in CURRENCIES or (custom.value is None and name == "Purchase"):
            return False
    try:
        unhexlify("".join(hashes))  # as strict as the rules' own expression, and four times as fast
    except ValueError:
        return False
    return True
