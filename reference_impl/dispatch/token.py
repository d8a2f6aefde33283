"""The tenants' Meta tokens in this process: read once, re-read when Meta refuses one.

A dead token concerns all threads at once. So one thread reads the secret while the others wait for what it
finds, and what it finds is judged by the secret's version: a newer one than the refused is used, the same
one is not asked with again for a while.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaToken:
    """A token and the version of the secret that it was read from."""

    value: str = field(repr=False)
    version: str


ReadToken = Callable[[str], MetaToken | None]
"""Reads a tenant's token from the secret store, past any cache; None where there is no such secret."""


@dataclass(slots=True)
class _Shelf:
    """What is known of one tenant's token."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: MetaToken | None = None
    read_at_s: float | None = None
    refused_version: str | None = None
    refused_at_s: float = 0.0


class TokenBook:
    """Every tenant's token, for all threads of one process.

    Units:
        `ttl_s`: how long a good token is used before the secret is looked at again. `recheck_s`: the shortest
        time between two looks at the secret of a token that is known to be dead. `forgive_s`: after so long a
        refused version is tried once more, because some refusals (a checkpoint, a lost right) heal by themselves.
    """

    def __init__(
        self,
        read: ReadToken,
        *,
        monotonic_s: Callable[[], float],
        ttl_s: float = 300.0,
        recheck_s: float,
        forgive_s: float = 900.0,
    ) -> None:
        self._read = read
        self._monotonic_s = monotonic_s
        self._ttl_s = ttl_s
        self._recheck_s = recheck_s
        self._forgive_s = forgive_s
        self._guard = threading.Lock()
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)

    def current(self, tenant: str) -> MetaToken | None:
        """The token to send with; None while the only one there is has been refused, or there is none.

        Raises whatever the secret store raises when it cannot be reached.
        """
        shelf = self._shelf(tenant)
        with shelf.lock:
            age_s = self._age_s(shelf)
            usable = self._usable(shelf)
            limit_s = self._ttl_s if usable else self._recheck_s
            if age_s is None or age_s >= limit_s:
                self._look(shelf, tenant)
                usable = self._usable(shelf)
            return usable

    def refused(self, tenant: str, token: MetaToken) -> MetaToken | None:
        """Meta has refused that token: the newer one, if there is one by now; else None, and it is not used again.

        Raises whatever the secret store raises when it cannot be reached.
        """
        shelf = self._shelf(tenant)
        with shelf.lock:
            if shelf.token is None or shelf.token.version == token.version:
                shelf.refused_version, shelf.refused_at_s = token.version, self._monotonic_s()
                self._look(shelf, tenant)
            # Else another thread has re-read it while we were waiting for Meta.
            return self._usable(shelf)

    def _shelf(self, tenant: str) -> _Shelf:
        with self._guard:
            return self._shelves[tenant]

    def _age_s(self, shelf: _Shelf) -> float | None:
        return None if shelf.read_at_s is None else self._monotonic_s() - shelf.read_at_s

    def _look(self, shelf: _Shelf, tenant: str) -> None:
        shelf.token = self._read(tenant)
        shelf.read_at_s = self._monotonic_s()

    def _usable(self, shelf: _Shelf) -> MetaToken | None:
        if shelf.token is None or shelf.token.version != shelf.refused_version:
            return shelf.token
        if self._monotonic_s() - shelf.refused_at_s < self._forgive_s:
            return None
        shelf.refused_version = None
        return shelf.token
