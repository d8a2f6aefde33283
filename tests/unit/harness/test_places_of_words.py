"""In which of the target's tables a word stands, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.probes.database import DatabaseProbe

TABLES = """
CREATE TABLE sales (id int, told jsonb);
CREATE TABLE "Odd name" (note text, kept bytea);
CREATE SCHEMA other;
CREATE MATERIALIZED VIEW other.seen AS SELECT 'maria'::text AS name;
INSERT INTO sales SELECT n, jsonb_build_object('email', 'x' || n || '@example.com') FROM generate_series(1, 500) AS n;
INSERT INTO "Odd name" VALUES ('100% of it''s a "sale"', 'joana'::bytea);
"""


@pytest.fixture
def probe(postgres: Any) -> Iterator[DatabaseProbe]:
    """Looks into a database of three tables."""
    url = postgres.new(empty=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    probe = DatabaseProbe(url)
    yield probe
    probe.close()


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (["x500@example.com"], ["public.sales"]),
        (["x501@example.com", "maria"], ["other.seen"]),
        (["joana", "maria", "x1@"], ["other.seen", "public.Odd name", "public.sales"]),
        (["100% of it's a"], ["public.Odd name"]),
        (["nobody", "%s", "{}"], []),
        ([], []),
    ],
)
def test_every_table_is_looked_into_for_every_word(probe: DatabaseProbe, words: list[str], places: list[str]) -> None:
    """Bytes and documents too; and a word is a word, whatever is in it."""
    assert sorted(probe.places_of(*words)) == places


def test_where_nothing_is_nothing_is_found(postgres: Any) -> None:
    """A database without tables."""
    probe = DatabaseProbe(postgres.new(empty=True))
    assert probe.places_of("maria") == []
    probe.close()
