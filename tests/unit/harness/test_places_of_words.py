"""In which of the target's tables a word stands, whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness.probes.database import DatabaseProbe
from tests.rows import each_row

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


@each_row(
    ("words", "places"),
    [
        (["x500@example.com"], ["public.sales"]),
        (["x501@example.com", "maria"], ["other.seen"]),
        (["joana", "maria", "x1@"], ["other.seen", "public.Odd name", "public.sales"]),
        (["100% of it's a"], ["public.Odd name"]),
        (["nobody", "%s", "{}"], []),
        ([], []),
    ],
    shared=("probe",),
)
def test_every_table_is_looked_into_for_every_word(probe: DatabaseProbe, words: list[str], places: list[str]) -> None:
    """Bytes and documents too; and a word is a word, whatever is in it."""
    assert sorted(probe.places_of(*words)) == places


def test_where_nothing_is_nothing_is_found(postgres: Any) -> None:
    """A database without tables."""
    probe = DatabaseProbe(postgres.new(empty=True))
    assert probe.places_of("maria") == []
    probe.close()


BEFORE = """
CREATE TABLE kept (id int, word text);
CREATE TABLE split (id int, word text) PARTITION BY LIST (id);
CREATE TABLE split_1 PARTITION OF split DEFAULT;
CREATE MATERIALIZED VIEW seen AS SELECT word FROM kept;
INSERT INTO kept VALUES (1, 'old'), (2, 'changes');
INSERT INTO split VALUES (1, 'old'), (2, 'changes');
"""
CHANGES = """
UPDATE kept SET word = 'changed' WHERE id = 2;
UPDATE split SET word = 'changed' WHERE id = 2;
INSERT INTO kept VALUES (3, 'new');
INSERT INTO split VALUES (3, 'new');
"""


def test_rows_since_a_moment_are_those_written_later(postgres: Any) -> None:
    """Inserted or changed; in a table, a partition and a view that is refreshed."""
    url = postgres.new(empty=True)
    probe = DatabaseProbe(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BEFORE.encode())
        moment = probe.moment()
        connection.execute(CHANGES.encode())
        connection.execute("VACUUM FREEZE kept")
        assert list(probe.rows("public", "seen", since=moment)) == []
        connection.execute("REFRESH MATERIALIZED VIEW seen")
    for table in ("kept", "split"):
        assert sorted(probe.rows("public", table, since=moment)) == ["(2,changed)", "(3,new)"]
        assert sorted(probe.rows("public", table)) == ["(1,old)", "(2,changed)", "(3,new)"]
    assert sorted(probe.rows("public", "seen", since=moment)) == ["(changed)", "(new)", "(old)"]
    probe.close()
