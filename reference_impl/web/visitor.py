"""Who is looking at the page: address and browser, sealed before they touch anything that lasts.

Meta wants both as they are, so they cannot be hashed. A browser whose address is not known is not kept: alone it lets
nobody be found, and Meta refuses an event that has nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Request

from reference_impl.domain import client
from reference_impl.sealing import Seals
from reference_impl.web.addresses import client_address

_LONGEST_BROWSER = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Sealed, and when the seal ends; both None where the address cannot be known."""

    sealed: str | None = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """Knows the visitor of a request.

    Units:
        `trusted_hops`: proxies of our own in front. `keep_s`: how long a seal is kept at most.
    """

    seals: Seals
    trusted_hops: int
    keep_s: float

    def of(self, request: Request, *, now_s: float) -> Visitor:
        """Whose request it is. Raises what reading the keys raises."""
        address = client_address(
            request.remote_addr, request.headers.getlist("X-Forwarded-For"), trusted_hops=self.trusted_hops
        )
        if address is None:
            return Visitor(None, None)
        text = client.to_text(ip=address, ua=_browser(request.headers.get("User-Agent")))
        assert text is not None
        return Visitor(self.seals.seal(text), datetime.fromtimestamp(now_s + self.keep_s, UTC))


def _browser(text: str | None) -> str | None:
    return (text or "").strip()[:_LONGEST_BROWSER] or None
