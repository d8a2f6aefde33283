"""From the bytes of a request to its parameters and events; pure, any bytes end in a result or a `GraphError`.

`data` comes in five encodings (facts section 0): a JSON array of objects; a JSON array of JSON strings; a form field
holding either; a multipart field holding either; and PHP's `data[0][event_name]=…` is not among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from simulators.meta.errors import GraphError

_MAX_FIELDS = 1000  # parameters of a form, not events


@dataclass(frozen=True)
class Parameters:
    """Everything a client sent beside its path: query and body merged, the token set apart."""

    values: Mapping[str, Any]
    token: str | None

    def __repr__(self) -> str:
        return f"Parameters({sorted(self.values)})"  # neither tokens nor people


def parameters(query: bytes, content_type: str, authorization: str, body: bytes) -> Parameters:
    """Merge what the query and the body say; the body wins, a Bearer header is asked last.

    Raises:
        GraphError: the query or the body cannot be read as what its content type says.
    """
    try:
        values = _form(query) if query else {}
    except ValueError:
        raise GraphError("malformed_body", syntax="query string") from None
    if body:
        values.update(_body(content_type, body))
    token = values.pop("access_token", None)
    if token is None:
        token = bearer(authorization)
    return Parameters(values, token if isinstance(token, str) else None)


def bearer(authorization: str) -> str | None:
    """The token of an Authorization header, if it is such a one."""
    return authorization[7:].strip() if authorization[:7].lower() == "bearer " else None


def events(value: object, *, limit: int) -> list[Any]:
    """The events of `data`, each still unchecked; those sent as JSON strings are read.

    Raises:
        GraphError: missing, not an array, empty, or more than `limit` events.
    """
    if value is None:
        raise GraphError("missing_parameter", name="data")
    found = _loaded(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        raise GraphError("malformed_data")
    if not found:
        raise GraphError("empty_data")
    if len(found) > limit:
        raise GraphError("too_many_events", limit=limit, count=len(found))
    return [_loaded(one) if isinstance(one, str) else one for one in found]


def _loaded(text: str) -> Any:
    """The JSON value of a text; the text itself when it is not JSON, for the rules to refuse."""
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _body(content_type: str, body: bytes) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or (kind not in _FORMS and body[:1] in {b"{", b"["}):
        kind = "application/json"
    try:
        return _READERS.get(kind, _form_body)(content_type, body)
    except ValueError:  # its text may quote the body, and so a person: only the kind is told
        raise GraphError("malformed_body", syntax=_SYNTAX.get(kind, "form")) from None


def _json(_content_type: str, body: bytes) -> dict[str, Any]:
    loaded = orjson.loads(body)
    if not isinstance(loaded, dict):
        problem = "not an object"
        raise ValueError(problem)
    return loaded


def _form_body(_content_type: str, body: bytes) -> dict[str, Any]:
    return _form(body)


def _form(text: bytes) -> dict[str, Any]:
    pairs = parse_qsl(
        text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS, strict_parsing=False
    )
    return dict(pairs)


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Fields by name; RFC 7578 as clients send it, without nested parts."""
    boundary = _BOUNDARY(content_type)
    if boundary is None:
        problem = "no boundary"
        raise ValueError(problem)
    mark = b"--" + (boundary[1] or boundary[2]).encode()
    found: dict[str, Any] = {}
    for part in body.split(mark)[1:]:
        if part.startswith(b"--"):
            return found
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME(head.decode())
        if separator and name:
            found[name[1]] = content.removesuffix(b"\r\n").decode()
    problem = "it breaks off"
    raise ValueError(problem)


_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE).search
_FIELD_NAME = re.compile(r'^content-disposition:[^\r\n]*[;\s]name="([^"]*)"', re.IGNORECASE | re.MULTILINE).search
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_READERS = {"application/json": _json, "multipart/form-data": _multipart}
_SYNTAX = {"application/json": "JSON: an object is expected", "multipart/form-data": "multipart/form-data"}
