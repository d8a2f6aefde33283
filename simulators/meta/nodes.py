"""What clients read of Graph beside the events edge: the pixel, who a token is, a new token for an old one.

Pure but for `exchange`, which gives out a token. Shapes: facts, sections 8 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from simulators.meta.decode import Parameters
from simulators.meta.errors import GraphError
from simulators.meta.state import Meta
from simulators.meta.tokens import APP_ID, Token

EXCHANGED_FOR_S = 5_183_944
"""About sixty days, as recorded."""
_APP_TOKEN = re.compile(r"\d+\|\S+").fullmatch
_NAME = "Conversions API Application"
_SCOPE = "read_ads_dataset_quality"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

Answer = dict[str, Any]


def pixel(meta: Meta, pixel_id: str, asked: Parameters) -> Answer:
    """`GET /{pixel}`: a token made in the Events Manager may write to its pixel and may not read it."""
    token = meta.tokens.check(asked.token, now_s=meta.now_s())
    meta.tokens.check_access(token, pixel_id, method="get")
    if token.kind != "USER":
        raise GraphError("missing_permission")
    return {"id": pixel_id}


def me(meta: Meta, asked: Parameters) -> Answer:
    """`GET /me`: the id of whom the token stands for."""
    return {"id": meta.tokens.check(asked.token, now_s=meta.now_s()).user_id}


def debug_token(meta: Meta, asked: Parameters) -> Answer:
    """`GET /debug_token`: asked with an app token, or by a token about itself.

    The secret of an app token is not checked: no app is registered here.
    """
    wanted = asked.values.get("input_token")
    if not isinstance(wanted, str) or not wanted:
        raise GraphError("missing_parameter", name="input_token")
    now_s = meta.now_s()
    if not _APP_TOKEN(asked.token or ""):
        meta.tokens.check(asked.token, now_s=now_s)
        if asked.token != wanted:
            raise GraphError("missing_permission")
    try:
        token = meta.tokens.check(wanted, now_s=now_s)
    except GraphError as error:
        told = {"code": error.code, "message": error.message}
        if error.subcode is not None:
            told["subcode"] = error.subcode
        known = meta.tokens.find(wanted)
        return {"data": {**(_about(known) if known else {}), "error": told, "is_valid": False, "scopes": []}}
    return {"data": _about(token)}


def _about(token: Token) -> Answer:
    expires_at_s = 0 if token.expires_at_s is None else int(token.expires_at_s)
    return {
        "app_id": APP_ID,
        "type": token.kind,
        "application": _NAME,
        "data_access_expires_at": 0,
        "expires_at": expires_at_s,
        "is_valid": True,
        "issued_at": token.issued_at_s,
        "scopes": [_SCOPE],
        "granular_scopes": [{"scope": _SCOPE, "target_ids": sorted(token.pixels)}],
        "user_id": token.user_id,
    }


def exchange(meta: Meta, asked: Parameters) -> Answer:
    """`GET /oauth/access_token?grant_type=fb_exchange_token`: a living token for one that lives about sixty days."""
    if not asked.values.get("client_id"):
        raise GraphError("missing_client_id")
    for name in ("client_secret", "grant_type", "fb_exchange_token"):
        if not asked.values.get(name):
            raise GraphError("missing_parameter", name=name)
    if asked.values["grant_type"] != "fb_exchange_token":
        raise GraphError("missing_parameter", name="grant_type=fb_exchange_token")
    now_s = meta.now_s()
    old = meta.tokens.check(str(asked.values["fb_exchange_token"]), now_s=now_s)
    fresh = Token(
        token="EAA" + "".join(meta.rng.choices(_ALPHABET, k=60)),
        issued_at_s=int(now_s),
        expires_at_s=now_s + EXCHANGED_FOR_S,
        kind=old.kind,
        pixels=set(old.pixels),
    )
    meta.tokens.add(fresh)
    return {"access_token": fresh.token, "token_type": "bearer", "expires_in": EXCHANGED_FOR_S}


def crash_report(_meta: Meta, _asked: Parameters) -> Answer:
    """`POST /{app}/instruments`: where the official SDKs report their own crashes."""
    return {"success": True}


#: By method and path; paths that begin with an id are none of these.
NODES: Mapping[tuple[str, str], Callable[[Meta, Parameters], Answer]] = {
    ("GET", "/me"): me,
    ("GET", "/debug_token"): debug_token,
    ("GET", "/oauth/access_token"): exchange,
    ("POST", "/oauth/access_token"): exchange,
}
