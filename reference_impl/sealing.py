"""What must be kept for a while and cannot be hashed (the buyer's address and browser) is kept encrypted.

Fernet (AES-128-CBC with HMAC-SHA256) under keys that live in Secrets Manager, newest first: the first one seals, any of
them opens, so that a key can be replaced while what it has sealed is still needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Seals(Protocol):
    """What seals and opens, for those who need not know where the keys come from."""

    def seal(self, text: str) -> str:
        """The text, encrypted."""
        ...

    def open(self, sealed: str) -> str | None:
        """What was sealed; None where no key opens it."""
        ...


class NoDataKey(ValueError):
    """There is no key to seal with."""


class Sealer:
    """Seals and opens short texts under given keys. Safe to share between threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`, newest first. Raises ValueError for none or a bad key."""
        if not keys:
            raise NoDataKey("no key to seal with: run `python -m reference_impl aws create`")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """The text, encrypted; another result every time."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str | None:
        """What was sealed; None where no key opens it any more, or it is damaged."""
        try:
            return self._fernet.decrypt(sealed.encode("ascii", "replace")).decode()
        except InvalidToken:
            return None


class Keyring:
    """A process's sealer: the keys are read at the first use, when they are old, and when something cannot be opened.

    So a process need not be restarted for a new key, neither the one that seals nor the one that opens.

    Units:
        `ttl_s`: for so long a process seals under the keys that it knows. `reread_s`: the shortest time between two
        looks at the keys for something that could not be opened; what is damaged must not cost a call each.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[str]],
        *,
        monotonic_s: Callable[[], float],
        ttl_s: float = 300.0,
        reread_s: float = 1.0,
    ) -> None:
        """`read` fetches the keys, newest first; what it raises, `seal` and `open` raise where they know none."""
        self._read = read
        self._monotonic_s = monotonic_s
        self._ttl_s = ttl_s
        self._reread_s = reread_s
        self._lock = threading.Lock()
        self._sealer: Sealer | None = None
        self._read_at_s = 0.0
        self._missed_at_s = float("-inf")

    def seal(self, text: str) -> str:
        """The text, encrypted under the newest key. Raises NoDataKey, or what `read` raises."""
        sealer = self._sealer
        if sealer is None or self._is_old():
            with self._lock:
                sealer = self._sealer
                if sealer is None or self._is_old():
                    sealer = self._look()
        return sealer.seal(text)

    def open(self, sealed: str) -> str | None:
        """What was sealed, if need be under a key that is newer than those we know; None where none opens it.

        Raises what `read` raises.
        """
        sealer = self._sealer
        opened = sealer.open(sealed) if sealer else None
        if opened is not None:
            return opened
        with self._lock:
            if self._sealer is sealer:  # else another thread has read them while we waited
                if sealer is not None and self._monotonic_s() - self._missed_at_s < self._reread_s:
                    return None
                self._missed_at_s = self._monotonic_s() if sealer else self._missed_at_s
                self._look()
            newer = self._sealer
        return newer.open(sealed) if newer else None

    def _is_old(self) -> bool:
        return self._monotonic_s() - self._read_at_s >= self._ttl_s

    def _look(self) -> Sealer:
        """Read the keys. Holds the lock."""
        self._sealer, self._read_at_s = Sealer(self._read()), self._monotonic_s()
        return self._sealer


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode("ascii")
