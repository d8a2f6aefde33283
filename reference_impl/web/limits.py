"""Requests that no honest sender makes are refused before anything is done for them: no body read, no query asked.

The server in front (granian, tried with raw sockets) refuses what is no HTTP: two lengths that differ, a length that is
no number, a chunk that is no chunk, a NUL in a header, more than 100 headers, an address of 64 KB. Of a length beside
`Transfer-Encoding` it forgets the length and closes the connection. This is what it lets through.
"""

from __future__ import annotations

import re

from flask import Flask, request
from werkzeug.exceptions import NotFound

from reference_impl.web.errors import Refused

_MOST_PATH = 300
_MOST_QUERY = 2_000
_MOST_HEADERS = 100
_MOST_HEADER_BYTES = 16_384
_LENGTH = re.compile(r"^[0-9]{1,20}$", re.ASCII)


def register(app: Flask) -> None:
    """Ask first of every request."""

    @app.before_request
    def _bounded() -> None:
        # PostgreSQL has no place for a NUL, so nothing that we know is called so.
        if "\x00" in request.path:
            raise NotFound
        if len(request.path) > _MOST_PATH or len(request.query_string) > _MOST_QUERY:
            raise Refused(414, "uri_too_long", "The address is too long.", unread=True)
        # As WSGI has them, HTTP_ before each name but one: this is asked of every request, and werkzeug's view of them
        # is slow. The length has a limit of its own.
        lengths = [
            len(key) - 5 + len(value)
            for key, value in request.environ.items()
            if key.startswith("HTTP_") or key == "CONTENT_TYPE"
        ]
        if len(lengths) > _MOST_HEADERS or sum(lengths) > _MOST_HEADER_BYTES:
            raise Refused(431, "headers_too_large", "There are too many headers, or they are too long.", unread=True)
        _one_length()


def _one_length() -> None:
    """A length that is no number would be read as none, and the body that follows as the next request."""
    said = request.environ.get("CONTENT_LENGTH")
    if said and not _LENGTH.match(said):
        raise Refused(400, "malformed", "The header Content-Length is no length.", unread=True)
