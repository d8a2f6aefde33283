"""What the database to be launched on says of itself. Reads only, in one short read-only transaction.

The address is the one that the target's own processes will use, so that how it connects is how they will. No password
is ever told: errors name what is wrong without the address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from harness.errors import UsageError
from harness.readiness.evidence import Found
from harness.records import RowState

MIGRATIONS = "checklist/data/migrations"
HEALTHY = "checklist/infrastructure/rds"
INDEXES = {
    "011.5b/index-attempts": ("dispatch_attempts", "(tenant_id, status, created_at DESC)"),
    "011.5b/index-matches": ("matches", "(tenant_id, created_at DESC)"),
}
ROWS = (MIGRATIONS, HEALTHY, *INDEXES)

#: Where the version of an Alembic schema stands; a target file says otherwise in [target.migrations].
ALEMBIC = "SELECT version_num FROM alembic_version"
HEADROOM_PERCENT = 25.0
"""So many of the connections must be free: a roll-out starts the new processes before the old ones end."""

CONNECT_S = 5
STATEMENT_MS = 5_000
_AGAIN = "golive readiness --database-url-env VARIABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What migrated means."""

    head: str
    """The version of the newest migration; empty: nobody has said it."""
    version: str = ALEMBIC
    """SQL with one value: the version that the database is at."""


def look(url: str, schema: Schema) -> list[Found]:
    """Every check. Where the database cannot be asked, all rows are not observed, and say why.

    Raises:
        UsageError: that is no address of a PostgreSQL.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError(
            "The database address cannot be read. It looks like postgresql://user:password@host:5432/name?sslmode="
            "verify-full; what is special in a password is percent-encoded."
        ) from None
    try:
        # A pooler refuses what is set at the start of a connection, so it is set in the transaction.
        with psycopg.connect(url, connect_timeout=CONNECT_S, prepare_threshold=None) as connection:
            connection.read_only = True
            for limit in ("statement_timeout", "lock_timeout"):
                connection.execute("SELECT set_config(%s, %s, true)", (limit, str(STATEMENT_MS)))
            return [
                *_migrations(connection, schema),
                *_encrypted(connection),
                *_headroom(connection),
                *_indexes(connection),
            ]
    except psycopg.Error as error:
        why = f"The database could not be asked: {_said(error, given)}."
        return [Found(row=row, state=RowState.NOT_OBSERVED, evidence=why, reproduce=_AGAIN) for row in ROWS]


def _said(error: psycopg.Error, given: dict[str, Any]) -> str:
    """The server's own words, without what stands in the address."""
    line = next((one.strip() for one in str(error).splitlines() if one.strip()), type(error).__name__)
    for name in ("password", "passfile", "sslpassword"):
        secret = str(given.get(name) or "")
        if secret:
            line = line.replace(secret, "***")
    return line.removesuffix(".")[:300]


def _found(row: str, right: bool, said: str, *, partial: bool = False) -> Found:
    state = RowState.MET if right else RowState.NOT_MET
    return Found(row=row, state=state, evidence=f"{said}.", reproduce=_AGAIN, partial=partial)


def _migrations(connection: psycopg.Connection[Any], schema: Schema) -> Iterator[Found]:
    if not schema.head:
        why = "Nobody has said which migration is the newest: --schema-head, or head in [target.migrations]."
        yield Found(row=MIGRATIONS, state=RowState.NOT_OBSERVED, evidence=why, reproduce=_AGAIN)
        return
    try:
        with connection.transaction():
            # Binary, because then the server takes one statement only: COMMIT; DELETE … is refused.
            versions = [str(row[0]) for row in connection.execute(schema.version.encode(), binary=True).fetchmany(20)]
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        yield _found(MIGRATIONS, False, "The database has no table of migrations: nothing was applied")
        return
    except psycopg.Error as error:
        if connection.closed:
            raise
        said = next(iter(str(error).splitlines()), "")
        why = f"The query for the schema's version does not work here: {said}."
        yield Found(row=MIGRATIONS, state=RowState.NOT_OBSERVED, evidence=why, reproduce=_AGAIN)
        return
    if versions == [schema.head]:
        yield _found(MIGRATIONS, True, f"The schema is at {schema.head}, the newest migration")
        return
    at = " and ".join(versions) or "no version at all"
    yield _found(MIGRATIONS, False, f"The schema is at {at}, and the newest migration is {schema.head}")


def _encrypted(connection: psycopg.Connection[Any]) -> Iterator[Found]:
    # As libpq understood it: the address, PGSSLMODE and a service file may each have said it.
    mode = next((one.val.decode() for one in connection.pgconn.info if one.keyword == b"sslmode" and one.val), "prefer")
    if not connection.pgconn.ssl_in_use:
        yield _found(HEALTHY, False, f"The connection is not encrypted (sslmode={mode})", partial=True)
    elif mode != "verify-full":
        said = f"The connection is encrypted, but nobody asks who answers (sslmode={mode}, wanted is verify-full)"
        yield _found(HEALTHY, False, said, partial=True)
    else:
        yield _found(HEALTHY, True, "The connection is encrypted and the server's name verified", partial=True)


def _headroom(connection: psycopg.Connection[Any]) -> Iterator[Found]:
    row = connection.execute(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
        " (SELECT coalesce(sum(numbackends), 0) FROM pg_stat_database)::int"
    ).fetchone()
    assert row is not None
    most, used = int(row[0]), int(row[1])
    free = 100 * (most - used) / most if most else 0.0
    # Cut, not rounded: 24.96 % must not be told as 25.0 %.
    said = f"{used} of {most} connections are in use, {int(free * 10) / 10:.1f} % are free"
    right = free >= HEADROOM_PERCENT
    yield _found(HEALTHY, right, said if right else f"{said}, wanted are {HEADROOM_PERCENT:g} %", partial=True)


def _indexes(connection: psycopg.Connection[Any]) -> Iterator[Found]:
    """Valid ones, over exactly these columns in this order; what else an index includes or is called says nothing."""
    for row, (table, columns) in INDEXES.items():
        known = connection.execute(
            "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " WHERE c.relname = %s AND c.relkind IN ('r', 'p') AND i.indisvalid AND i.indpred IS NULL",
            (table,),
        ).fetchall()
        right = any(_columns(str(one[0])) == columns for one in known)
        said = f"{table} has {'a valid' if right else 'no valid'} index {columns}"
        yield _found(row, right, said)


def _columns(definition: str) -> str:
    """`(a, b DESC)` of `CREATE INDEX x ON public.t USING btree (a, b DESC) INCLUDE (c)`."""
    return f"({definition.partition(' (')[2].partition(')')[0]})"
