"""What the facts leave open, as switches with a default. Each is an option of `python -m simulators meta`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How this Meta behaves where the real one's behaviour is uncertain, or depends on the account."""

    open: bool = False
    """Developer mode: any pixel, any token that begins with EAA. Off: what is not registered is refused."""
    version_mode: Literal["upgrade", "strict"] = "upgrade"
    """A version below v21: served as v21 with a warning header, or 400/2635."""
    auth_status: Literal[400, 401] = 401
    """HTTP status of 190 with a subcode; both are on record."""
    future_tolerance_s: int = 60
    """How far ahead of Meta's clock an event may be before it is 2804004."""
    batch_limit: int = 1000
    """Events in one request (documented)."""
    max_body_bytes: int = 10 * 1024 * 1024
    """Larger bodies are refused; Meta's own limit is not documented."""
    app_secret: str = ""
    """Of the app that the tokens belong to; with it an `appsecret_proof` is checked."""
    require_proof: bool = False
    """The app demands `appsecret_proof` of every server call."""
