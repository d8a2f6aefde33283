"""`/tr`: the browser's Pixel, as far as a server has to know of it: its events take part in the deduplication.

A page's script, or the image in its `<noscript>`, asks for `/tr/?id=PIXEL&ev=Purchase&eid=ID&cd[value]=…`. The answer
is always a picture, whatever was asked: a page must not break because of it. (Well known, and in Meta's own noscript
snippet; the facts hold no recorded answer.)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from simulators.meta.faults import Reply
from simulators.meta.inbox import Call
from simulators.meta.state import Meta

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_MEMBER = re.compile(r"(cd|ud)\[(\w{1,40})\]").fullmatch
_PARTS = {"cd": "custom_data", "ud": "user_data"}


def event_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The event that a query tells, in the words of the Conversions API."""
    event: dict[str, Any] = {
        "event_name": asked.get("ev"),
        "event_id": asked.get("eid"),
        "action_source": "website",
        "event_source_url": asked.get("dl"),
        "user_data": {key: asked[key] for key in ("fbp", "fbc") if asked.get(key)},
        "custom_data": {},
    }
    for key, value in asked.items():
        if found := _MEMBER(key):
            event[_PARTS[found[1]]][found[2]] = value
    return event


def take(meta: Meta, asked: Mapping[str, Any]) -> Reply:
    """Count the event if its pixel is known and it has a name; the picture in any case."""
    pixel, event = asked.get("id"), event_of(asked)
    if isinstance(pixel, str) and isinstance(event["event_name"], str) and meta.tokens.knows_pixel(pixel):
        now_s = meta.now_s()
        event_id = event["event_id"] if isinstance(event["event_id"], str) else None
        counts = meta.dedupe.counts(pixel, event_id, event["event_name"], now_s)
        meta.inbox.put(
            Call(
                seq=meta.inbox.next_seq(),
                pixel=pixel,
                at_s=now_s,
                status=200,
                code=None,
                subcode=None,
                fault=None,
                token_last4=None,
                events=[event],
                verdicts=["counted" if counts else "duplicate"],
                source="browser",
            )
        )
    return Reply(status=200, body=_GIF, content_type=b"image/gif")
