"""What a target's own PostgreSQL says. Read only: the harness never writes into a target's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, get_args

import psycopg
from psycopg import sql

from harness.errors import HarnessError, UsageError
from harness.records import Conversion, ConversionState

#: What the target file's query has to say of each conversion.
_CONVERSION = frozenset(one.name for one in fields(Conversion))


class NoSuchTable(HarnessError):
    """A query of ours names a table or column that this target does not have."""


class DatabaseProbe:
    """Looks into every table, without knowing what they are called."""

    def __init__(self, url: str, *, conversions: str | None = None) -> None:
        self._url = url
        self._conversions = conversions
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                self._connection.execute("SET default_transaction_read_only = on")
                # Bytes as the text that they are, where they are text: what is hunted must not hide in a bytea.
                self._connection.execute("SET bytea_output = 'escape'")
            with self._connection.cursor() as cursor:
                yield cursor
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            self.close()
            raise NoSuchTable(f"the target's database has no such thing: {str(error).splitlines()[0]}") from error
        except psycopg.Error as error:
            self.close()
            raise HarnessError(f"the target's database cannot be read: {str(error).strip().splitlines()[0]}") from error

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def conversions(self, tenant: str) -> list[Conversion] | None:
        """All conversions of a tenant; None where the target file gives no query for them."""
        if self._conversions is None:
            return None
        with self._cursor() as cursor:
            cursor.execute(self._conversions.encode(), {"tenant": tenant})
            names = [column.name for column in cursor.description or ()]
            if set(names) != _CONVERSION:
                raise UsageError(
                    f"probes.conversions must give the columns {', '.join(sorted(_CONVERSION))}; "
                    f"it gives {', '.join(names) or 'none'}. Name yours with AS (docs/bring-your-own.md)."
                )
            found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if strange := sorted({str(one["state"]) for one in found} - set(get_args(ConversionState))):
            raise UsageError(
                f"probes.conversions calls a state {strange[0]!r}. golive's own words are "
                f"{', '.join(get_args(ConversionState))}: translate yours with CASE (docs/bring-your-own.md)."
            )
        return [Conversion(**one) for one in found]

    def tables(self) -> list[tuple[str, str]]:
        """Every table and materialised view that is not PostgreSQL's own: (schema, name)."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') "
                "AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2"
            )
            return [(str(schema), str(name)) for schema, name in cursor.fetchall()]

    def moment(self) -> str:
        """A point in the life of this database, for `rows`: the oldest transaction that is not over."""
        return str(self.value("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text"))

    def rows(self, schema: str, table: str, *, since: str | None = None) -> Iterator[str]:
        """The rows of a table as text, in any column; with `since`, those written after that `moment`."""
        query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
        if since is not None:
            query += sql.SQL(" WHERE age(t.xmin) <= age({}::xid)").format(sql.Literal(since))
        with self._cursor() as cursor:
            for row in cursor.execute(query):
                yield str(row[0])

    def places_of(self, *words: str) -> list[str]:
        """The tables of which a row mentions one of these words, in any column."""
        tables = self.tables()
        if not words or not tables:
            return []
        mentions = sql.SQL(" OR ").join(sql.SQL("position({} IN whole) > 0").format(sql.Literal(one)) for one in words)
        # OFFSET 0: a row is made text once, and not once for each word.
        looks = [
            sql.SQL(
                "SELECT {} WHERE EXISTS (SELECT FROM (SELECT t::text AS whole FROM {} AS t OFFSET 0) r WHERE {})"
            ).format(sql.Literal(f"{schema}.{table}"), sql.Identifier(schema, table), mentions)
            for schema, table in tables
        ]
        with self._cursor() as cursor:
            return [str(place) for (place,) in cursor.execute(sql.SQL(" UNION ALL ").join(looks)).fetchall()]

    def value(self, query: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The one value of a query of our own."""
        with self._cursor() as cursor:
            cursor.execute(query.encode(), parameters or {})
            row: Sequence[Any] | None = cursor.fetchone()
            return row[0] if row else None
