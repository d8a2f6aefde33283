"""The dashboard: log in, see your own numbers, log out. Rendered here; no other host is ever asked for anything.

Whose numbers are shown follows from the session alone. No address, parameter or form field names a tenant, so there is
none to be forged.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import psycopg_pool
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reference_impl.analytics import numbers
from reference_impl.web import login
from reference_impl.web.database import Database
from reference_impl.web.login import Busy, Door, Throttled
from reference_impl.web.overview import overview

log = logging.getLogger(__name__)

DAYS = 30
_FILES = {"style.css": "text/css", "fresh.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def blueprint(*, database: Database, door: Door, now_s: Callable[[], float], timeout_s: float) -> Blueprint:
    """The dashboard's routes; a page whose numbers take longer than `timeout_s` says so."""
    routes = Blueprint("dashboard", __name__, url_prefix="/dashboard", template_folder="templates")
    files = {name: (Path(__file__).parent / "static_dashboard" / name).read_bytes() for name in _FILES}
    routes.after_request(_guarded)
    _add_page(routes, database=database, door=door, now_s=now_s, timeout_s=timeout_s)
    _add_logins(routes, door)
    _add_apologies(routes, timeout_s)

    @routes.get("/<any('style.css', 'fresh.js'):name>")
    def file(name: str) -> ResponseReturnValue:
        answer = Response(files[name], mimetype=_FILES[name])
        answer.headers["Cache-Control"] = "public, max-age=300"
        return answer

    return routes


def _add_page(
    routes: Blueprint, *, database: Database, door: Door, now_s: Callable[[], float], timeout_s: float
) -> None:
    @routes.get("", strict_slashes=False)
    def page() -> ResponseReturnValue:
        token = login.token_in(request, "session")
        with database.connection() as connection:
            viewer = door.viewer(connection, token)
            if viewer is None or token is None:
                return redirect(url_for("dashboard.login_page"), 303)
            now = datetime.fromtimestamp(now_s(), UTC)
            read = numbers.read(connection, viewer.tenant, now=now, days=DAYS, timeout_s=timeout_s)
        return render_template("dashboard.html", viewer=viewer, view=overview(read), stamp=login.stamp(token, "logout"))


def _add_logins(routes: Blueprint, door: Door) -> None:
    @routes.get("/login")
    def login_page() -> ResponseReturnValue:
        return _form()

    @routes.post("/login")
    def log_in() -> ResponseReturnValue:
        if not login.genuine(request, login.token_in(request, "form"), "login"):
            return _form("This form was too old or came from another page. Please try again.", status=400)
        name, password = request.form.get("name", ""), request.form.get("password", "")
        try:
            token = door.enter(name, password, address=door.address_of(request))
        except Throttled as error:
            log.warning("dashboard: too many logins fail; refused for %d min", error.minutes)
            return _form(f"Too many tries. Please wait {error.minutes} min and try again.", status=429)
        except Busy:
            return _form("Too many people are logging in. Please try again in a moment.", status=503)
        if token is None:
            log.info("dashboard: a login failed")
            return _form("Name and password do not go together.", status=401, name=name[:64])
        door.leave(login.token_in(request, "session"))
        answer = make_response(redirect(url_for("dashboard.page"), 303))
        login.put_token(request, answer, "session", token, max_age_s=door.session_hours * 3600)
        login.drop_token(request, answer, "form")
        return answer

    @routes.post("/logout")
    def log_out() -> ResponseReturnValue:
        token = login.token_in(request, "session")
        if token is not None and not login.genuine(request, token, "logout"):
            return _sorry(400, "You are still logged in", "This form was too old or came from another page.")
        door.leave(token)
        answer = make_response(redirect(url_for("dashboard.login_page"), 303))
        login.drop_token(request, answer, "session")
        return answer


def _add_apologies(routes: Blueprint, timeout_s: float) -> None:
    @routes.errorhandler(psycopg.errors.QueryCanceled)
    def _slow(_: Exception) -> ResponseReturnValue:
        log.error("dashboard: the numbers took longer than %.1f s", timeout_s)
        return _sorry(503, "This takes too long", f"Your numbers could not be read within {timeout_s:g} seconds.")

    @routes.errorhandler(psycopg.OperationalError)
    @routes.errorhandler(psycopg.errors.ReadOnlySqlTransaction)
    @routes.errorhandler(psycopg_pool.PoolTimeout)
    def _away(error: Exception) -> ResponseReturnValue:
        log.error("dashboard: the database is away: %s", type(error).__name__)
        return _sorry(503, "We cannot reach your numbers", "The database does not answer at the moment.")

    @routes.errorhandler(Exception)
    def _unforeseen(error: Exception) -> ResponseReturnValue:
        log.error("dashboard: an unforeseen error: %s", type(error).__name__, exc_info=error)
        return _sorry(500, "Something went wrong on our side", "We have been told.")


def _form(complaint: str = "", *, status: int = 200, name: str = "") -> Response:
    token = login.token_in(request, "form") or secrets.token_urlsafe(32)
    page = render_template("login.html", complaint=complaint, name=name, stamp=login.stamp(token, "login"))
    answer = make_response(page, status)
    login.put_token(request, answer, "form", token)
    return answer


def _sorry(status: int, heading: str, sentence: str) -> Response:
    answer = make_response(render_template("sorry.html", heading=heading, sentence=sentence), status)
    if status == 503:
        answer.headers["Retry-After"] = "10"
    return answer


def _guarded(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers.setdefault("Cache-Control", "no-store")
    if login.secure(request):
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    return answer
