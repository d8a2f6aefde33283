"""What one AWS call asks for, read from its headers and body. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

#: `AWS4-HMAC-SHA256 Credential=KEY/20260301/us-east-1/sqs/aws4_request, …`
_SCOPE = re.compile(r"Credential=[^/,\s]{1,200}/\d{8}/[\w-]{1,60}/([\w-]{1,60})/aws4_request")
_MAX_FORM_FIELDS = 200


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    """The connection is reset instead."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        return _document(self.body)

    def saying(self, document: Mapping[str, Any]) -> Reply:
        """The same answer with another body. A digest of the old one (SQS sends none in JSON) would not fit."""
        kept = tuple(one for one in self.headers if not one[0].lower().startswith("x-amz-checksum"))
        return replace(self, body=json.dumps(document).encode(), headers=kept)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, and what of AWS it is for."""

    service: str
    """By the scope of its signature: `sqs`, `secretsmanager`; empty where it has none."""
    operation: str
    """`SendMessageBatch`; empty where it cannot be told."""
    is_json: bool
    body: bytes = field(repr=False)

    @classmethod
    def read(cls, headers: Mapping[str, str], body: bytes) -> Call:
        """Tell service and operation from the headers (any case of names, as aiohttp gives them) and the body."""
        scope = _SCOPE.search(headers.get("Authorization", ""))
        target = headers.get("X-Amz-Target", "")
        operation = target.rpartition(".")[2]
        if not target and "form-urlencoded" in headers.get("Content-Type", ""):
            operation = _form_action(body)
        return cls(service=scope.group(1) if scope else "", operation=operation, is_json=bool(target), body=body)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        return _document(self.body) if self.is_json else {}

    @property
    def queue(self) -> str:
        """The name of the SQS queue that it is about; empty where it is about none."""
        return str(self.document.get("QueueUrl", "")).rpartition("/")[2]

    def asking(self, document: Mapping[str, Any]) -> Call:
        """The same call with another body."""
        return Call(
            service=self.service, operation=self.operation, is_json=self.is_json, body=json.dumps(document).encode()
        )

    def error(self, status: int, code: str, message: str) -> Reply:
        """An AWS error in the protocol in which the call was made."""
        if self.is_json:
            told = json.dumps({"__type": code, "message": message}).encode()
            kind, query = "application/x-amz-json-1.0", (("x-amzn-query-error", f"{code};Sender"),)
            return Reply(status=status, body=told, headers=(("Content-Type", kind), *query))
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>golive</RequestId></ErrorResponse>"
        )
        return Reply(status=status, body=text.encode(), headers=(("Content-Type", "text/xml"),))


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _form_action(body: bytes) -> str:
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=_MAX_FORM_FIELDS).get("Action", [""])[0]
    except ValueError:
        return ""
