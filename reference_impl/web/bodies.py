"""A request's raw bytes, and never more of them than are allowed."""

from __future__ import annotations

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge


def limit(app: Flask, *, max_bytes: int) -> None:
    """Refuse longer bodies (413).

    Werkzeug refuses what says beforehand that it is longer; a chunked body it cuts off at its limit without a word. So
    its limit is one byte more than is allowed, and whoever reaches it has sent too much.
    """
    app.config["MAX_CONTENT_LENGTH"] = max_bytes + 1


def raw() -> bytes:
    """The bytes as they came. Raises RequestEntityTooLarge."""
    body = request.get_data(cache=False)
    if len(body) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return body
