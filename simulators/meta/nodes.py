"""What clients read of Graph beside the events edge: the pixel, who a token is, a new token for an old one.

Pure but for `exchange` and `app_token`, which give out a token, and `batch`, whose calls are real ones. Shapes: facts,
sections 8 and 9; those of the edges that list something were compared with the fields of the official SDK's objects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson

from simulators.meta import decode
from simulators.meta.decode import Parameters
from simulators.meta.errors import GraphError
from simulators.meta.events import EventsCall
from simulators.meta.state import Meta
from simulators.meta.tokens import APP_ID, Token
from simulators.meta.versions import served

EXCHANGED_FOR_S = 5_183_944
"""About sixty days, as recorded."""
_APP_TOKEN = re.compile(r"\d+\|\S+").fullmatch
_NAME = "Conversions API Application"
_SCOPE = "read_ads_dataset_quality"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

MAX_BATCH = 50
"""Requests in one batch (documented)."""
_ALL = 1_000_000
_HOUR_S = 3_600
_STATS_SPAN_S = 24 * _HOUR_S
_STATS = ("event", "event_total_counts")
_EVENTS = re.compile(r"/([^/]+)/events/?").fullmatch
_FORM = "application/x-www-form-urlencoded"

Object = dict[str, Any]
Answer = Object | list[Any]


def pixel(meta: Meta, pixel_id: str, asked: Parameters) -> Object:
    """`GET /{pixel}?fields=…`: a token made in the Events Manager may write to its pixel and may not read it.

    Known fields: id, name, last_fired_time (of server events), is_unavailable. Others are left out, as Graph leaves out
    what a token may not see.
    """
    _check_reader(meta, pixel_id, asked)
    wanted = str(asked.values.get("fields") or "id").split(",")
    known: Object = {"id": pixel_id, "name": f"Pixel {pixel_id}", "is_unavailable": False}
    if "last_fired_time" in wanted:
        times = [one.received_at_s for one in meta.inbox.arrivals(after=0, limit=_ALL)[0] if one.pixel == pixel_id]
        known |= {"last_fired_time": _iso(max(times))} if times else {}
    return {"id": pixel_id} | {name: known[name] for name in wanted if name in known}


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _check_reader(meta: Meta, pixel_id: str, asked: Parameters) -> None:
    token = meta.tokens.check(asked.token, now_s=meta.now_s())
    meta.tokens.check_access(token, pixel_id, method="get")
    if token.kind != "USER":
        raise GraphError("missing_permission")


def stats(meta: Meta, pixel_id: str, asked: Parameters) -> Object:
    """`GET /{pixel}/stats?aggregation=event`: what came in by hour and event, before any deduplication.

    Of the last 24 hours, unless `start_time` and `end_time` (Unix seconds) say otherwise, and of server events only.
    """
    _check_reader(meta, pixel_id, asked)
    kind = asked.values.get("aggregation")
    if kind not in _STATS:
        raise GraphError("missing_parameter", name=f"aggregation={' or '.join(_STATS)}")
    now_s, only = meta.now_s(), asked.values.get("event")
    begins_s = _seconds(asked.values.get("start_time"), now_s - _STATS_SPAN_S)
    ends_s = _seconds(asked.values.get("end_time"), now_s)
    hours: dict[int, Counter[str]] = {}
    for one in meta.inbox.arrivals(after=0, limit=_ALL)[0]:
        wanted = one.pixel == pixel_id and begins_s <= one.received_at_s <= ends_s and only in {None, one.event_name}
        if wanted and one.event_name:
            hour_s = int(one.received_at_s) // _HOUR_S * _HOUR_S
            hours.setdefault(hour_s, Counter())[one.event_name] += 1
    rows = [
        {
            "start_time": _iso(hour_s),
            "aggregation": kind,
            "data": [{"value": name, "count": number} for name, number in sorted(counted.items())],
        }
        for hour_s, counted in sorted(hours.items())
    ]
    return {"data": rows, "paging": {}}


def _seconds(given: object, default_s: float) -> float:
    text = str(given)
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 else default_s


def dataset_quality(meta: Meta, asked: Parameters) -> Object:
    """`GET /dataset_quality?dataset_id=…`: `{}`, as of a dataset without data: no score is invented here."""
    token = meta.tokens.check(asked.token, now_s=meta.now_s())
    dataset = asked.values.get("dataset_id")
    if not isinstance(dataset, str) or not dataset:
        raise GraphError("missing_parameter", name="dataset_id")
    meta.tokens.check_access(token, dataset, method="get")
    return {}


def me(meta: Meta, asked: Parameters) -> Object:
    """`GET /me`: the id of whom the token stands for."""
    return {"id": meta.tokens.check(asked.token, now_s=meta.now_s()).user_id}


def debug_token(meta: Meta, asked: Parameters) -> Object:
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


def _about(token: Token) -> Object:
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


def exchange(meta: Meta, asked: Parameters) -> Object:
    """`GET /oauth/access_token`: a living token for one that lives about sixty days, or an app's own token.

    `grant_type` is fb_exchange_token or client_credentials; secrets are not checked, as no app is registered here.
    """
    if not asked.values.get("client_id"):
        raise GraphError("missing_client_id")
    if asked.values.get("grant_type") == "client_credentials":
        return _app_token(asked)
    for name in ("client_secret", "grant_type", "fb_exchange_token"):
        if not asked.values.get(name):
            raise GraphError("missing_parameter", name=name)
    if asked.values["grant_type"] != "fb_exchange_token":
        raise GraphError("missing_parameter", name="grant_type=fb_exchange_token")
    now_s = meta.now_s()
    old = meta.tokens.check(str(asked.values["fb_exchange_token"]), now_s=now_s)
    fresh = Token(
        # Of the old one too: a fake that begins anew with the same seed must not give out the same token again.
        token="EAA" + "".join(Random(f"{meta.rng.random()}/{old.token}").choices(_ALPHABET, k=60)),
        issued_at_s=int(now_s),
        expires_at_s=now_s + EXCHANGED_FOR_S,
        kind=old.kind,
        pixels=set(old.pixels),
    )
    meta.tokens.add(fresh)
    return {"access_token": fresh.token, "token_type": "bearer", "expires_in": EXCHANGED_FOR_S}


def _app_token(asked: Parameters) -> Object:
    if not asked.values.get("client_secret"):
        raise GraphError("missing_parameter", name="client_secret")
    return {"access_token": f"{asked.values['client_id']}|golive", "token_type": "bearer"}


def crash_report(_meta: Meta, _asked: Parameters) -> Object:
    """`POST /{app}/instruments`: where the official SDKs report their own crashes."""
    return {"success": True}


def batch(meta: Meta, asked: Parameters) -> list[Any]:
    """`POST /` with `batch=[{method, relative_url, body?}]`: each call by itself, answered in its place.

    A call without a token has the batch's. Faults and latency of a pixel are not felt in here: a batch is answered at
    once.
    """
    calls = asked.values.get("batch")
    try:
        calls = orjson.loads(calls) if isinstance(calls, str) else calls
    except ValueError:
        calls = None
    if not isinstance(calls, list) or not calls:
        raise GraphError("missing_parameter", name="batch")
    if len(calls) > MAX_BATCH:
        raise GraphError("too_many_calls", limit=MAX_BATCH)
    include_headers = str(asked.values.get("include_headers", "true")).lower() != "false"
    return [_call(meta, one, asked.token, include_headers=include_headers) for one in calls]


def _call(meta: Meta, call: Any, token: str | None, *, include_headers: bool) -> Object:
    """One call of a batch, as Graph wraps its answer: `{"code", "headers", "body": "<JSON text>"}`."""
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    try:
        status, body = _answered(meta, call, token)
    except GraphError as error:
        status, body = error.status, orjson.dumps(error.envelope(meta.trace_id()))
        headers["WWW-Authenticate"] = error.www_authenticate()
    told: Object = {"code": status, "body": body.decode()}
    if include_headers:
        told["headers"] = [{"name": name, "value": value} for name, value in headers.items()]
    return told


class _Wish(NamedTuple):
    method: str
    path: str
    asked: Parameters


def _answered(meta: Meta, call: Any, token: str | None) -> tuple[int, bytes]:
    wish = _read(meta, call, token)
    edge = _EVENTS(wish.path)
    if edge is not None and wish.method == "POST":
        reply = EventsCall(meta, edge[1], wish.asked).work()
        return reply.status, reply.body
    node = NODES.get((wish.method, wish.path.rstrip("/")))
    if node is None or node is batch:
        raise GraphError("unknown_path", path=wish.path)
    return HTTPStatus.OK, orjson.dumps(node(meta, wish.asked))


def _read(meta: Meta, call: Any, token: str | None) -> _Wish:
    """What one call asks for; the SDK's `relative_url` has neither a leading slash nor a version.

    Raises:
        GraphError: it is no object with the members it needs, or its version is none.
    """
    members = call if isinstance(call, dict) else {}
    method, url, body = members.get("method"), members.get("relative_url"), members.get("body") or ""
    if not (isinstance(method, str) and isinstance(url, str) and isinstance(body, str)):
        raise GraphError("missing_parameter", name="batch[].method and batch[].relative_url")
    path, _, query = url.partition("?")
    target = served(unquote(urlsplit("/" + path.lstrip("/")).path), meta.switches.version_mode)
    asked = decode.parameters(query.encode(), _FORM, "", body.encode())
    return _Wish(method.upper(), target.path, Parameters(asked.values, asked.token or token))


Node = Callable[[Meta, Parameters], Answer]
_OF_A_PIXEL = re.compile(r"/(\d+)(/stats)?").fullmatch


class Nodes(dict[tuple[str, str], Node]):
    """Nodes by method and path; of a pixel's own paths the pixel is taken out of the path."""

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        """The node that answers there, else `default`."""
        found = super().get(key)
        if found is not None:
            return found
        method, path = key
        own = _OF_A_PIXEL(path) if method == "GET" else None
        if own is None:
            return default
        reader = stats if own[2] else pixel

        def node(meta: Meta, asked: Parameters) -> Answer:
            return reader(meta, own[1], asked)

        return node


#: By method and path without its version.
NODES = Nodes(
    {
        ("GET", "/me"): me,
        ("GET", "/debug_token"): debug_token,
        ("GET", "/oauth/access_token"): exchange,
        ("POST", "/oauth/access_token"): exchange,
        ("GET", "/dataset_quality"): dataset_quality,
        ("POST", ""): batch,
    }
)
#: The same as clients write them, with what answers; those with an id in their path as well.
LISTED: Mapping[str, Callable[..., Answer]] = {
    **{f"{method} {path or '/'}": node for (method, path), node in NODES.items()},
    "GET /{pixel}": pixel,
    "GET /{pixel}/stats": stats,
    "POST /{app}/instruments": crash_report,
}
