"""What must be kept for a while and cannot be hashed (the buyer's address and browser) is kept encrypted.

Fernet (AES-128-CBC with HMAC-SHA256) under keys that live in Secrets Manager, newest first: the first one seals, any of
them opens, so that a key can be replaced while what it has sealed is still needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Sealer:
    """Seals and opens short texts. Safe to share between threads."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`, newest first. Raises ValueError for none or a bad key."""
        if not keys:
            raise ValueError("no key to seal with: run `python -m reference_impl aws create`")
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


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode("ascii")
