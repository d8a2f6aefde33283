"""The three languages in which SDKs talk to CloudWatch, read and answered. No I/O.

Source:
    facts/aws_pagerduty.md 1.16: current botocore talks smithy-rpc-v2-cbor, older SDKs JSON or the Query protocol.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

MAX_BYTES = 1024 * 1024
"""Of a request, unpacked."""
Language = Literal["cbor", "json", "query"]
_OPERATION = re.compile(r"/service/[^/]+/operation/(\w+)").fullmatch
_EMPTY_CBOR = b"\xa0"


class Unreadable(Exception):
    """The body is not what its headers say; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: what is to be done, with what."""

    language: Language
    action: str
    given: Mapping[str, Any]


def language(headers: Mapping[str, str]) -> Language:
    """Which language a request is in, by its headers (lower-case names)."""
    if headers.get("smithy-protocol") == "rpc-v2-cbor" or "cbor" in headers.get("content-type", ""):
        return "cbor"
    return "json" if headers.get("x-amz-target") else "query"


def read(path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """A request, whichever language it is in. `headers` by lower-case name. Raises Unreadable."""
    body = _unpacked(body, headers.get("content-encoding", ""))
    spoken = language(headers)
    if spoken == "cbor":
        found = _OPERATION(path)
        return Asked(language=spoken, action=found[1] if found else "", given=_map(_cbor(body)))
    if spoken == "json":
        action = headers["x-amz-target"].rpartition(".")[2]
        return Asked(language=spoken, action=action, given=_map(_json(body)))
    given = _nested(dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True)))
    return Asked(language="query", action=str(given.get("Action", "")), given=given)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Unreadable("Content-Encoding is gzip or nothing")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        whole = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        raise Unreadable("the body is not gzip") from None
    if len(whole) > MAX_BYTES:
        raise Unreadable(f"more than {MAX_BYTES} bytes")
    return whole


def _cbor(body: bytes) -> Any:
    try:
        import cbor2  # noqa: PLC0415 -- an extra
    except ImportError:
        raise Unreadable("reading CBOR needs the package cbor2: pip install golive[aws]") from None
    try:
        return cbor2.loads(body) if body else {}
    except (cbor2.CBORDecodeError, RecursionError):
        raise Unreadable("the body is not CBOR") from None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None


def _map(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Unreadable("the body is no map")
    return found


def _nested(flat: Mapping[str, str]) -> dict[str, Any]:
    """`MetricData.member.1.MetricName=x` as lists and maps. Numbers say the order, as AWS reads them."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        here = tree
        *above, last = path.split(".")
        for step in above:
            here = here.setdefault(step, {})
            if not isinstance(here, dict):
                raise Unreadable(f"{path} is a value and a structure")
        here[last] = value
    return {name: _lists(one) for name, one in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"} and isinstance(value["member"], dict):
        try:
            return [_lists(one) for _, one in sorted(value["member"].items(), key=lambda pair: int(pair[0]))]
        except ValueError:
            raise Unreadable("the members of a list are numbered") from None
    return {name: _lists(one) for name, one in value.items()}


def done(spoken: Language, action: str, told: Mapping[str, Any] | None = None) -> tuple[bytes, str, Mapping[str, str]]:
    """The answer to what was done: body, content type, headers."""
    told = told or {}
    if spoken == "cbor":
        return _as_cbor(told) if told else _EMPTY_CBOR, "application/cbor", {"smithy-protocol": "rpc-v2-cbor"}
    if spoken == "json":
        return json.dumps(told, default=_seconds).encode(), "application/x-amz-json-1.0", {}
    result = f"<{action}Result>{_as_xml(told)}</{action}Result>" if told else ""
    text = (
        f'<{action}Response xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">{result}'
        f"<ResponseMetadata><RequestId>golive</RequestId></ResponseMetadata></{action}Response>"
    )
    return text.encode(), "text/xml", {}


def _as_cbor(told: Mapping[str, Any]) -> bytes:
    import cbor2  # noqa: PLC0415 -- an extra; the question was read by it

    return cbor2.dumps(told, datetime_as_timestamp=True)


def _seconds(value: Any) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return value.timestamp()


def _as_xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_as_xml(one)}</{name}>" for name, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_as_xml(one)}</member>" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if isinstance(value, datetime) else str(value))


def refused(spoken: Language, status: int, code: str, message: str) -> tuple[bytes, str, Mapping[str, str]]:
    """The answer to what was not."""
    fault = "Sender" if status < 500 else "Receiver"
    headers = {"x-amzn-query-error": f"{code};{fault}"}
    if spoken == "query":
        text = (
            '<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error>'
            f"<Type>{fault}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
            "<RequestId>golive</RequestId></ErrorResponse>"
        )
        return text.encode(), "text/xml", {}
    told = {"__type": f"com.amazonaws.cloudwatch#{code}", "message": message}
    if spoken == "json":
        return json.dumps(told).encode(), "application/x-amz-json-1.0", headers
    return _small_cbor(told), "application/cbor", {"smithy-protocol": "rpc-v2-cbor", **headers}


def _small_cbor(told: Mapping[str, str]) -> bytes:
    """A map of a few texts. So small that refusing needs no package."""
    return bytes([0xA0 + len(told)]) + b"".join(_text(word) for pair in told.items() for word in pair)


def _text(text: str) -> bytes:
    raw = text.encode()[:60_000]
    return b"\x79" + len(raw).to_bytes(2, "big") + raw
