"""Who may look: anybody on this machine; from elsewhere only a browser that came with a one-time token."""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from urllib.parse import urlsplit

from simulators.loopback import is_loopback

#: Links that nobody has used yet; a further one forgets the oldest.
INVITATIONS_KEPT = 20
#: Browsers that may look at the same time.
VISITORS_KEPT = 50


class OpenDoor:
    """For a page that listens on loopback: only the name in the address is looked at, against DNS rebinding."""

    invites = False

    def lets_in(self, host: str, _cookie: str | None) -> bool:
        """Whether the `Host` header names this machine."""
        try:
            return is_loopback(urlsplit(f"//{host}").hostname or "")
        except ValueError:
            return False


class LockedDoor:
    """For a page that others can reach. `key` makes links; a link lets one browser in, once."""

    invites = True

    def __init__(self, key: str) -> None:
        self._key = key
        self._invitations: deque[str] = deque(maxlen=INVITATIONS_KEPT)
        self._visitors: deque[str] = deque(maxlen=VISITORS_KEPT)

    def holds_key(self, authorization: str) -> bool:
        """Whether a program shows the key itself."""
        return hmac.compare_digest(authorization.encode(), f"Bearer {self._key}".encode())

    def invite(self) -> str:
        """A token that is good for one browser."""
        token = secrets.token_urlsafe(24)
        self._invitations.append(token)
        return token

    def admit(self, token: str) -> str | None:
        """Spend a token: what the browser has to show from now on, or None."""
        for known in self._invitations:
            if hmac.compare_digest(known.encode(), token.encode()):
                self._invitations.remove(known)
                visitor = secrets.token_urlsafe(24)
                self._visitors.append(visitor)
                return visitor
        return None

    def lets_in(self, _host: str, cookie: str | None) -> bool:
        """Whether the browser was admitted."""
        given = (cookie or "").encode()
        return any(hmac.compare_digest(one.encode(), given) for one in self._visitors)
