"""Access tokens: which pixels they may write to, and what became of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Literal, get_args

from simulators.meta.errors import GraphError
from simulators.meta.switches import Switches

State = Literal["valid", "expired", "password_changed", "logged_out", "app_removed", "app_deleted", "unparsable"]
STATES: tuple[str, ...] = get_args(State)
ERROR_OF_STATE = {
    "expired": "expired_token",
    "password_changed": "password_changed",
    "logged_out": "logged_out",
    "app_removed": "app_removed",
    "app_deleted": "app_deleted",
    "unparsable": "unparsable_token",
}
#: Real tokens start with EAA (facts, section 8); anything else is answered "Cannot parse access token".
_PARSABLE = re.compile(r"EAA[0-9A-Za-z]+")
APP_ID = "2035997890260603"
"""Of Meta's own "Conversions API Application", to which tokens made in the Events Manager belong (facts, section 8)."""
#: Meta prints the time of its head office without regard to the season in the recorded answers.
_PST = timezone(timedelta(hours=-8), "PST")


@dataclass(slots=True, kw_only=True)
class Token:
    """A token as it was registered. `expires_at_s` None: never."""

    token: str = field(repr=False)
    issued_at_s: int
    expires_at_s: float | None = None
    state: str = "valid"
    kind: Literal["SYSTEM_USER", "USER"] = "SYSTEM_USER"
    """SYSTEM_USER: made in the Events Manager; it may send events and may not read the pixel."""
    pixels: set[str] = field(default_factory=set)

    def state_at(self, now_s: float) -> str:
        """Its state at that time: a valid one is expired from `expires_at_s` on."""
        if self.state == "valid" and self.expires_at_s is not None and now_s >= self.expires_at_s:
            return "expired"
        return self.state

    @property
    def user_id(self) -> str:
        """The system user's id: the same for the same token, telling nothing of it."""
        return "1" + str(int.from_bytes(_key(self.token)[:6])).zfill(15)


class Tokens:
    """All tokens. They are found by their digest, so that looking one up takes no longer for a near miss."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._tokens: dict[bytes, Token] = {}
        self._pixels: set[str] = set()

    def knows_pixel(self, pixel: str) -> bool:
        """Whether the pixel is registered, or all are taken as they come."""
        return self._switches.open or pixel in self._pixels

    def register(self, pixel: str, tokens: Iterable[Token]) -> None:
        """From now on exactly these tokens may write to the pixel. One that is known keeps its other pixels."""
        self._pixels.add(pixel)
        for known in self._tokens.values():
            known.pixels.discard(pixel)
        for token in tokens:
            known = self._tokens.setdefault(_key(token.token), token)
            known.state, known.expires_at_s, known.kind = token.state, token.expires_at_s, token.kind
            known.pixels.add(pixel)

    def find(self, token: str) -> Token | None:
        """The token, if it was ever registered."""
        return self._tokens.get(_key(token))

    def of(self, pixel: str) -> list[Token]:
        """Every token that may write to the pixel, dead ones too, in the order in which they were made."""
        return [one for one in self._tokens.values() if pixel in one.pixels]

    def add(self, token: Token) -> None:
        """Take in a token that Meta itself gave out."""
        self._tokens[_key(token.token)] = token

    def check(self, token: str | None, *, now_s: float) -> Token:
        """The token, if it lives; before anything is said about a pixel (facts, section 13).

        Raises:
            GraphError: 104 none given, 190 unparsable, 190/463 unknown or expired, 190/… otherwise dead.
        """
        if not token:
            raise GraphError("no_token")
        found = self._tokens.get(_key(token))
        if found is None:
            if not _PARSABLE.fullmatch(token):
                raise GraphError("unparsable_token")
            if not self._switches.open:
                # What Meta says of a well-formed token that it does not know is not on record; a dead one it is.
                raise self._dead("expired", expires_at_s=None, now_s=now_s)
            return Token(token=token, issued_at_s=int(now_s))
        state = found.state_at(now_s)
        if state != "valid":
            raise self._dead(state, expires_at_s=found.expires_at_s, now_s=now_s)
        return found

    def check_proof(self, token: Token, proof: object) -> None:
        """Return if the call may be believed to come from the app's own server; without an app secret, always.

        The proof is the hex HMAC-SHA256 of the token under the app's secret (facts, section 1).

        Raises:
            GraphError: 100 wrong, or missing where the app demands one.
        """
        if not self._switches.app_secret:
            return
        if proof is None or proof == "":
            if self._switches.require_proof:
                raise GraphError("missing_proof")
            return
        wanted = hmac.new(self._switches.app_secret.encode(), token.token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(str(proof).encode("utf-8", "surrogatepass"), wanted.encode()):
            raise GraphError("wrong_proof")

    def check_access(self, token: Token, pixel: str, *, method: str) -> None:
        """Return if the token may use the pixel.

        Raises:
            GraphError: 100/33, as for a pixel that does not exist: Meta does not say which.
        """
        if pixel in token.pixels or (self._switches.open and (not token.pixels or pixel not in self._pixels)):
            return
        raise GraphError("no_access", method=method, object_id=pixel)

    def expired(self, *, now_s: float, expires_at_s: float | None = None) -> GraphError:
        """190/463, as for a token that ran out at that time."""
        return self._dead("expired", expires_at_s=expires_at_s, now_s=now_s)

    def _dead(self, state: str, *, expires_at_s: float | None, now_s: float) -> GraphError:
        name = ERROR_OF_STATE[state]
        switchable = name not in {"unparsable_token", "app_deleted"}
        ended_s = now_s if expires_at_s is None else min(expires_at_s, now_s)
        return GraphError(
            name,
            status=self._switches.auth_status if switchable else None,
            expired_on=_in_words(ended_s),
            now=_in_words(now_s),
            app_id=APP_ID,
        )


def _in_words(at_s: float) -> str:
    """`Tuesday, 24-Nov-26 02:51:40 PST`, as in the recorded answers."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(_PST).strftime("%A, %d-%b-%y %H:%M:%S PST")


def _key(token: str) -> bytes:
    return _digest(token) if len(token) > _USUAL_CHARS else _known_digest(token)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


_USUAL_CHARS = 1000
#: The same few tokens come with every call of a load run.
_known_digest = lru_cache(maxsize=1024)(_digest)
