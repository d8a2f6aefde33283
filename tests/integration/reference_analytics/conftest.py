"""What the analytics and dashboard tests stand on: a PostgreSQL with the schema, and conversions written as rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

NOON = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
"""Noon in São Paulo."""


@pytest.fixture
def url(postgres: Any) -> Iterator[str]:
    """A fresh database with the schema."""
    fresh: str = postgres.new()
    yield fresh
    postgres.drop(fresh)


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
