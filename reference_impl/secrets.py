"""Secrets live in AWS Secrets Manager: one secret for a tenant's gateways, one for its Meta token.

golive/{tenant}/gateways   {"hotmart": ["current", "previous while it rotates"], …}
golive/{tenant}/meta       {"token": "EAA…", "expires_at_s": 1790000000 | null}
golive/data-keys           {"keys": ["newest", "older, opens only"]}: see sealing.py
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_DATA_KEYS = "golive/data-keys"


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

    def gateway_secrets(self, tenant: str) -> Mapping[str, Sequence[str]]:
        """All valid values by gateway; empty where the tenant has none."""
        found = self._get(f"golive/{tenant}/gateways")
        return {} if found is None else {name: tuple(values) for name, values in found[0].items()}

    def put_gateway_secrets(self, tenant: str, secrets: Mapping[str, Sequence[str]]) -> None:
        """Replace all of a tenant's gateway secrets."""
        self._put(f"golive/{tenant}/gateways", {name: list(values) for name, values in secrets.items()})

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

    def add_data_key(self, key: str, *, keep: int = 2) -> None:
        """Put a key before the others; the newest `keep` of them stay."""
        self._put(_DATA_KEYS, {"keys": [key, *self.data_keys()][:keep]})

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


class GatewaySecrets:
    """A process's cache of gateway secrets: one read for each tenant and `ttl_s`."""

    def __init__(self, store: SecretStore, *, ttl_s: float, monotonic_s: Callable[[], float]) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Mapping[str, Sequence[str]]]] = {}

    def of(self, tenant: str, gateway: str) -> Sequence[str]:
        """The values that prove this gateway to this tenant."""
        with self._lock:
            known = self._known.get(tenant)
        if known is None or self._monotonic_s() - known[0] >= self._ttl_s:
            known = (self._monotonic_s(), self._store.gateway_secrets(tenant))
            with self._lock:
                self._known[tenant] = known
        return known[1].get(gateway, ())
