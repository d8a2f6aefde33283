"""Secrets live in AWS Secrets Manager: one secret for a tenant's gateways, one for its Meta token.

golive/{tenant}/gateways   {"hotmart": ["current", "previous while it rotates"], …,
                            "previous_until_s": {"hotmart": 1790000000}}
golive/{tenant}/meta       {"token": "EAA…", "expires_at_s": 1790000000 | null}
golive/data-keys           {"keys": ["newest", "older, opens only"], "made_at_s": [1790000000, …]}: see sealing.py
"""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

log = logging.getLogger(__name__)

_DATA_KEYS = "golive/data-keys"
_ENDS = "previous_until_s"
"""Beside the gateways' names; a version that does not know it takes it for a gateway that nobody uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySecret:
    """What proves a gateway to a tenant: the current value, and while it rotates the one before."""

    values: Sequence[str] = field(repr=False)
    """The current one first."""
    previous_until_s: float | None = None
    """When all but the first end, in seconds since 1970; None: they do not end by time."""

    def valid(self, now_s: float) -> Sequence[str]:
        """The values that prove anything at that time."""
        over = self.previous_until_s is not None and now_s >= self.previous_until_s
        return tuple(self.values[:1] if over else self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaSecret:
    """A Meta token, as the store holds it."""

    token: str = field(repr=False)
    expires_at_s: int | None
    """Seconds since 1970; None: it never expires by time (Meta writes 0)."""
    version: str
    """Changes whenever the secret is written."""


class SecretStore:
    """Reads and writes; whatever botocore raises when the service is away, it raises too."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._client = client

    def gateway_secrets(self, tenant: str) -> Mapping[str, GatewaySecret]:
        """A tenant's secrets by gateway; empty where it has none."""
        found = self._get(f"golive/{tenant}/gateways")
        if found is None:
            return {}
        ends = found[0].get(_ENDS, {})
        return {
            name: GatewaySecret(values=tuple(values), previous_until_s=ends.get(name))
            for name, values in found[0].items()
            if name != _ENDS
        }

    def put_gateway_secrets(self, tenant: str, secrets: Mapping[str, GatewaySecret]) -> None:
        """Replace all of a tenant's gateway secrets."""
        content: dict[str, Any] = {name: list(one.values) for name, one in secrets.items()}
        ends = {name: one.previous_until_s for name, one in secrets.items() if one.previous_until_s is not None}
        self._put(f"golive/{tenant}/gateways", content | ({_ENDS: ends} if ends else {}))

    def meta(self, tenant: str) -> MetaSecret | None:
        """The tenant's Meta token; None where there is none."""
        found = self._get(f"golive/{tenant}/meta")
        if found is None:
            return None
        content, version = found
        return MetaSecret(token=content["token"], expires_at_s=content.get("expires_at_s"), version=version)

    def put_meta(self, tenant: str, *, token: str, expires_at_s: int | None) -> None:
        """Write a new version of the tenant's Meta token."""
        self._put(f"golive/{tenant}/meta", {"token": token, "expires_at_s": expires_at_s or None})

    def data_keys(self) -> Sequence[str]:
        """The keys that seal what cannot be hashed, newest first; empty before `aws create`."""
        found = self._get(_DATA_KEYS)
        return () if found is None else tuple(found[0]["keys"])

    def add_data_key(self, key: str, *, now_s: float, keep_s: float) -> int:
        """Put a key before the others; how many there are now.

        A key stays as long as what it has sealed may be needed: `keep_s` seconds after the next one was made.
        """
        found = self._get(_DATA_KEYS)
        keys: list[str] = found[0]["keys"] if found else []
        made_at_s: list[float] = (found[0].get("made_at_s") if found else None) or [now_s] * len(keys)
        # What sealed under keys[n] was sealed before keys[n - 1] was made, and the first under this new one.
        replaced_at_s = [now_s, *made_at_s]
        kept = [n for n in range(len(keys)) if replaced_at_s[n] > now_s - keep_s]
        keys = [key, *(keys[n] for n in kept)]
        self._put(_DATA_KEYS, {"keys": keys, "made_at_s": [now_s, *(made_at_s[n] for n in kept)]})
        return len(keys)

    def _get(self, name: str) -> tuple[dict[str, Any], str] | None:
        try:
            answer = self._client.get_secret_value(SecretId=name)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return json.loads(answer["SecretString"]), answer["VersionId"]

    def _put(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content)
        try:
            self._client.create_secret(Name=name, SecretString=text)
        except self._client.exceptions.ResourceExistsException:
            self._client.put_secret_value(SecretId=name, SecretString=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What was read of one tenant."""

    secrets: Mapping[str, GatewaySecret]
    version: int
    read_at_s: float


@dataclass(slots=True)
class _Shelf:
    """One tenant's place; whoever holds the lock reads, and nobody else does."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    known: _Known | None = None
    tried_at_s: float = float("-inf")
    """When what was old was last looked for."""
    missed_at_s: float = float("-inf")
    """When what fitted nothing was last looked for."""


class GatewaySecrets:
    """A process's cache of gateway secrets.

    Read anew when they are old, when the tenant's version says that they were changed, and, at most once in `reread_s`
    for each tenant, when a webhook's proof fits none of them: it may have been made with a secret that somebody has
    just written past us. Strangers' forgeries cost no more than that.

    Units:
        `ttl_s`: how long they are used. `patience_s`: how long a request waits for another one's read.
    """

    def __init__(
        self,
        store: SecretStore,
        *,
        ttl_s: float,
        monotonic_s: Callable[[], float],
        now_s: Callable[[], float],
        reread_s: float = 1.0,
        patience_s: float = 2.0,
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._monotonic_s = monotonic_s
        self._now_s = now_s
        self._reread_s = reread_s
        self._patience_s = patience_s
        self._guard = threading.Lock()
        self._shelves: defaultdict[str, _Shelf] = defaultdict(_Shelf)

    def of(self, tenant: str, gateway: str, *, version: int) -> Sequence[str]:
        """The values that prove this gateway to this tenant, as of that version of the tenant's secrets.

        Raises whatever the store raises, where there is nothing of that version to go on with: a revoked secret is not
        believed because its end cannot be read.
        """
        shelf = self._shelf(tenant)
        known = shelf.known
        if known is None or known.version < version:
            with shelf.lock:
                known = shelf.known
                if known is None or known.version < version:
                    known = self._read(shelf, tenant, version)
        elif self._monotonic_s() - known.read_at_s >= self._ttl_s and shelf.lock.acquire(blocking=False):
            # One request looks; the others go on with what is known.
            try:
                if self._monotonic_s() - shelf.tried_at_s >= self._reread_s:
                    shelf.tried_at_s = self._monotonic_s()
                    known = self._reread(shelf, tenant, known)
            finally:
                shelf.lock.release()
        return self._valid(known, gateway)

    def newer(self, tenant: str, gateway: str, than: Sequence[str]) -> Sequence[str]:
        """Values that are not the given ones (`of` gave them), if the store has such; else none. Raises nothing."""
        shelf = self._shelf(tenant)
        if not shelf.lock.acquire(timeout=self._patience_s):
            return ()
        try:
            known = shelf.known
            assert known is not None
            fresh = self._monotonic_s() - shelf.missed_at_s < self._reread_s
            if not fresh and self._valid(known, gateway) == than:  # else another thread has read it while we waited
                shelf.missed_at_s = self._monotonic_s()
                known = self._reread(shelf, tenant, known)
            found = self._valid(known, gateway)
        finally:
            shelf.lock.release()
        return () if found == than else found

    def _reread(self, shelf: _Shelf, tenant: str, known: _Known) -> _Known:
        """What is in the store now, or what is known where that cannot be had. Holds the lock."""
        try:
            return self._read(shelf, tenant, known.version)
        except (BotoCoreError, ClientError) as error:
            log.warning("the secrets of %s cannot be read again: %s", tenant, type(error).__name__)
            return known

    def _read(self, shelf: _Shelf, tenant: str, version: int) -> _Known:
        begun_s = self._monotonic_s()
        known = _Known(secrets=self._store.gateway_secrets(tenant), version=version, read_at_s=begun_s)
        shelf.known = known
        return known

    def _valid(self, known: _Known, gateway: str) -> Sequence[str]:
        secret = known.secrets.get(gateway)
        return () if secret is None else secret.valid(self._now_s())

    def _shelf(self, tenant: str) -> _Shelf:
        with self._guard:
            return self._shelves[tenant]
