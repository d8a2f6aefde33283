"""Logging in and out: what a browser holds, what is kept of it, and how guessing is slowed down.

The cookie is a random token, of which the database keeps a hash. There is no signing key that could leak, be forgotten
or have a default, and a session can be ended: at logout, with a new password, with the user.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
from dataclasses import dataclass, field
from math import ceil

import psycopg
from flask import Request, Response

from reference_impl import users
from reference_impl.db import logins
from reference_impl.db.logins import Viewer
from reference_impl.web.addresses import client_address
from reference_impl.web.database import Connection, Database

_TOKEN = re.compile(r"^[A-Za-z0-9_-]{43}$")
_HASHING_AT_ONCE = 2
"""A hash costs 32 MiB and a quarter of a second: logins must not take the threads that webhooks need."""
_PATIENCE_S = 2.0


class Throttled(Exception):
    """Too many tries; `left_s` says how long it will be refused."""

    def __init__(self, left_s: float) -> None:
        super().__init__()
        self.minutes = ceil(left_s / 60)


class Busy(Exception):
    """More people are logging in than can be served at this moment."""


@dataclass(slots=True, kw_only=True)
class Door:
    """Lets viewers in. A wrong password and a name that nobody has get the same answer, after the same time."""

    database: Database
    session_hours: int
    trusted_hops: int = 0
    """Proxies of our own in front, by which an address is known (addresses.py)."""
    most_failures: int = 10
    most_failures_of_address: int = 50
    """Over all names: who tries one password with every name is slowed down, too. An office shares one address."""
    window_s: float = 900.0
    _hashing: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(_HASHING_AT_ONCE), init=False
    )

    def enter(self, name: str, password: str, *, address: str | None = None) -> str | None:
        """A new session's token; None where name and password do not go together.

        `address` is the caller's, None where it cannot be known.

        Raises:
            Throttled: this name was tried too often, whether or not there is such a user; or so many from there.
            Busy: try again in a moment.
        """
        name = name.strip().lower()
        if not re.match(users.NAME_PATTERN, name) or len(password) > users.PASSWORD_MAX:
            # No user is called so, as everybody may know; and what was typed here may be a password.
            return None
        name_hash = hashlib.sha256(name.encode()).hexdigest()
        address_hash = _address_hash(address)
        with self.database.connection() as connection:
            if address_hash is not None:
                # First, so that whoever is refused here cannot lock out one name after the other.
                self._count_address(connection, address_hash)
            tries = logins.count_try(connection, name_hash, window_s=self.window_s)
            if tries.count > self.most_failures:
                raise Throttled(tries.left_s)
            kept = logins.password_hash(connection, name)
        if not self._right(password, kept):
            return None
        token = secrets.token_urlsafe(32)
        with self.database.connection() as connection:
            try:
                logins.open_session(
                    connection,
                    name=name,
                    name_hash=name_hash,
                    token_hash=_hashed(token),
                    hours=self.session_hours,
                )
            except psycopg.errors.ForeignKeyViolation:
                return None  # the user was deleted in this very moment
            if address_hash is not None:
                # This one try alone: an account of one's own is no pass for guessing others'.
                logins.forgive_try(connection, address_hash)
        return token

    def viewer(self, connection: Connection, token: str | None) -> Viewer | None:
        """Who holds that token."""
        return logins.viewer(connection, _hashed(token)) if token else None

    def leave(self, token: str | None) -> None:
        """End a session."""
        if token:
            with self.database.connection() as connection:
                logins.close_session(connection, _hashed(token))

    def address_of(self, request: Request) -> str | None:
        """The caller's address, as far as our own proxies vouch for it."""
        told = request.headers.getlist("X-Forwarded-For")
        return client_address(request.remote_addr, told, trusted_hops=self.trusted_hops)

    def _count_address(self, connection: Connection, address_hash: str) -> None:
        tries = logins.count_try(connection, address_hash, window_s=self.window_s)
        if tries.count > self.most_failures_of_address:
            raise Throttled(tries.left_s)

    def _right(self, password: str, kept: str | None) -> bool:
        if not self._hashing.acquire(timeout=_PATIENCE_S):
            raise Busy
        try:
            return users.right(password, kept)
        finally:
            self._hashing.release()


def secure(request: Request) -> bool:
    """Whether the browser speaks TLS, perhaps to a proxy. Who lies here only makes their own cookie safer."""
    return request.is_secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def token_in(request: Request, what: str) -> str | None:
    """A well-formed token from the request's cookie; `what` is `session` or `form`."""
    found = request.cookies.get(_cookie(request, what), "")
    return found if _TOKEN.match(found) else None


def put_token(request: Request, answer: Response, what: str, token: str, *, max_age_s: int | None = None) -> None:
    """Let the browser hold a token: no script can read it, no other site can use it."""
    answer.set_cookie(
        _cookie(request, what),
        token,
        max_age=max_age_s,
        secure=secure(request),
        httponly=True,
        samesite="Lax" if what == "session" else "Strict",
        path="/",
    )


def drop_token(request: Request, answer: Response, what: str) -> None:
    """Let the browser forget it."""
    answer.delete_cookie(_cookie(request, what), secure=secure(request), httponly=True, samesite="Lax", path="/")


def stamp(token: str, purpose: str) -> str:
    """What a form carries to show that it is a page of ours that holds the cookie."""
    return hmac.new(token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def genuine(request: Request, token: str | None, purpose: str) -> bool:
    """Whether a form was sent from our own page."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    given = request.form.get("stamp", "")
    return token is not None and hmac.compare_digest(given.encode(), stamp(token, purpose).encode())


def _cookie(request: Request, what: str) -> str:
    # The prefix makes browsers refuse it from a neighbouring subdomain; they allow it under TLS only.
    return f"{'__Host-' if secure(request) else ''}golive-{what}"


def _address_hash(address: str | None) -> str | None:
    """Under what an address's tries are counted: of IPv6 the /64, which is one customer's. No name has a blank."""
    if address is None:
        return None
    known = ipaddress.ip_address(address)
    whole = ipaddress.ip_network((known, 64 if known.version == 6 else 32), strict=False)
    return _hashed(f"address {whole}")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
