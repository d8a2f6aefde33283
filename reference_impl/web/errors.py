"""Every refusal as JSON: `{"error": {"code", "message"}}`. No trace, and nothing of what was sent."""

from __future__ import annotations

import logging

import psycopg
import psycopg_pool
from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from reference_impl.sealing import NoDataKey

log = logging.getLogger(__name__)

_CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
#: Answered before the body was read. What is left of it would be taken for the next request on that connection, so
#: the server cuts it, and must say so: a sender that reuses it would lose its next delivery (seen with granian).
_UNREAD = (413, 415)


class Refused(Exception):
    """A request that is answered with a status, a code for programs and a sentence for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after_s: int | None = None,
        unread: bool = False,
        proven: bool = False,
    ) -> None:
        """`unread`: the body was not looked at, so the connection cannot be used again. `proven`: the sender has shown
        who it is, so that what it cannot get rid of is lost."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.unread = unread
        self.proven = proven


def _answer(status: int, code: str, message: str) -> Response:
    answer = jsonify({"error": {"code": code, "message": message}})
    answer.status_code = status
    if status in _UNREAD:
        answer.headers["Connection"] = "close"
    return answer


def register(app: Flask) -> None:
    """Make the application answer so, whatever goes wrong."""

    @app.errorhandler(Refused)
    def _refused(error: Refused) -> Response:
        answer = _answer(error.status, error.code, str(error))
        if error.retry_after_s is not None:
            answer.headers["Retry-After"] = str(error.retry_after_s)
        if error.unread:
            answer.headers["Connection"] = "close"
        return answer

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        status = error.code or 500
        answer = _answer(status, _CODES.get(status, error.name.lower().replace(" ", "_")), _plain(error))
        if status == 405 and error.get_headers():
            answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
        return answer

    @app.errorhandler(psycopg.OperationalError)
    @app.errorhandler(psycopg.errors.ReadOnlySqlTransaction)  # a standby, or a disk that is full
    @app.errorhandler(psycopg_pool.PoolTimeout)
    @app.errorhandler(BotoCoreError)
    @app.errorhandler(ClientError)
    @app.errorhandler(NoDataKey)
    def _away(error: Exception) -> Response:
        log.error("a service that we need is away: %s", type(error).__name__)
        answer = _answer(503, "unavailable", "A service that we need is away. Please deliver again.")
        answer.headers["Retry-After"] = "5"
        return answer

    @app.errorhandler(Exception)
    def _unforeseen(error: Exception) -> Response:
        log.error("an unforeseen error: %s", type(error).__name__, exc_info=error)
        return _answer(500, "internal", "Something went wrong on our side. Please deliver again.")


def _plain(error: HTTPException) -> str:
    # Werkzeug's own sentences quote nothing of the request.
    return error.description or error.name
