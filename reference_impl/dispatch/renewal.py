"""The daily renewal of Meta tokens that expire, while they still live: a dead one cannot be exchanged.

A token without a known expiry (what Events Manager gives out) never expires by time, and is left alone.

Source:
    facts/meta_capi.md section 8 (`fb_exchange_token`; long-lived tokens last about 60 days).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import requests

from reference_impl.dispatch.loops import Connection

log = logging.getLogger(__name__)

_FRESH_S = 59 * 86_400
"""What lives longer than this was renewed today."""
_ALARM_S = 86_400
"""Under a day left, although we renew daily: the renewal has been failing."""
_TIMEOUT_S = 10.0


class StoredToken(Protocol):
    """A token and its end, in seconds since 1970 (None: never)."""

    @property
    def token(self) -> str:
        """The token itself."""
        ...

    @property
    def expires_at_s(self) -> int | None:
        """When it dies."""
        ...


class TokenStore(Protocol):
    """Where the tokens live."""

    def meta(self, tenant: str) -> StoredToken | None:
        """The tenant's token."""
        ...

    def put_meta(self, tenant: str, *, token: str, expires_at_s: int | None) -> None:
        """Write a new version of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Exchanges each tenant's token for one that lives longer. `app_id` and `app_secret` are our Meta app's."""

    store: TokenStore
    graph_url: str
    version: str
    app_id: str
    app_secret: str = field(repr=False)
    now_s: Callable[[], float]

    def renew_all(self, connection: Connection) -> int:
        """Renew what is due; how many were. One tenant's failure does not keep the others from it."""
        tenants = [row[0] for row in connection.execute("SELECT id FROM tenants ORDER BY id").fetchall()]
        return sum(self._renew(tenant) for tenant in tenants)

    def _renew(self, tenant: str) -> bool:
        stored = self.store.meta(tenant)
        if stored is None or stored.expires_at_s is None:
            return False
        left_s = stored.expires_at_s - self.now_s()
        if left_s >= _FRESH_S:
            return False
        found = self._exchange(stored.token) if left_s > 0 else None
        if found is None:
            level = logging.ERROR if left_s < _ALARM_S else logging.WARNING
            log.log(level, "the Meta token of tenant %s was not renewed; it has %.1f h left", tenant, left_s / 3600)
            return False
        token, lives_s = found
        self.store.put_meta(tenant, token=token, expires_at_s=None if lives_s is None else int(self.now_s() + lives_s))
        log.info("the Meta token of tenant %s was renewed", tenant)
        return True

    def _exchange(self, token: str) -> tuple[str, int | None] | None:
        """The new token and how many seconds it lives (None: for ever); None where Meta would not."""
        try:
            # Meta documents this call as a GET: the only one of ours with a secret in its query. We log no URL.
            answer = requests.get(
                f"{self.graph_url.rstrip('/')}/{self.version}/oauth/access_token",
                params={
                    "grant_type": "fb_exchange_token",
                    "client_id": self.app_id,
                    "client_secret": self.app_secret,
                    "fb_exchange_token": token,
                },
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            document = answer.json()
        except (requests.RequestException, ValueError):
            return None
        if answer.status_code != 200 or not isinstance(document, dict):
            return None
        new, lives_s = document.get("access_token"), document.get("expires_in")
        if not isinstance(new, str) or not new:
            return None
        return new, lives_s if isinstance(lives_s, int) and lives_s > 0 else None
