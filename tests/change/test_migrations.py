"""Every migration, whoever writes it: up, down, up again, with data in every table, while version N-1 works.

Nothing here knows a migration by name. What it complains of says what to do; where a complaint is known and agreed to,
the migration itself says so: `AGREED = {"conversions_received": "no customer yet: the table is empty"}`.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.waiting import wait_until
from reference_impl.db.migrate import _config, migrate

Connection = psycopg.Connection[tuple[Any, ...]]
SCRIPTS = list(reversed(list(ScriptDirectory.from_config(_config()).walk_revisions())))
REVISIONS = [script.revision for script in SCRIPTS]
BEFORE = dict(zip(REVISIONS, ["base", *REVISIONS], strict=False))
AGREED: Mapping[str, Mapping[str, str]] = {one.revision: getattr(one.module, "AGREED", {}) for one in SCRIPTS}
#: So few rows, one for each customer or gateway, that a lock on them is over at once.
SMALL = {"tenants", "tenant_gateways", "gateways", "breakers"}
ROWS = 4

#: Values of columns that cannot be guessed from their type: (table, column) -> one for each row.
HINTS: Mapping[tuple[str, str], Sequence[Any]] = {
    ("tenants", "timezone"): ["America/Sao_Paulo", "UTC", "Asia/Tokyo", "America/Manaus"],
    ("conversions", "user_data"): [
        {"em": ["0a"]},
        {"ph": ["0b"]},
        {},
        {"em": ["0c"], "client_ip_address": "203.0.113.9"},
    ],
}


# -- the schema, as the server itself describes it ------------------------------------------------------------

SCHEMA = """
WITH ours AS (
    SELECT c.oid, c.relname, c.relkind FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
      AND c.relname <> 'alembic_version_pkc'
)
SELECT 'relation ' || relname, relkind::text FROM ours
UNION ALL
SELECT 'column ' || o.relname || '.' || a.attname,
       concat_ws('; ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                 'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),
                 'generated ' || nullif(a.attgenerated::text, ''),
                 'collation ' || (SELECT collname FROM pg_collation WHERE oid = a.attcollation))
FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE o.relkind IN ('r', 'p', 'm', 'v')
UNION ALL
SELECT 'constraint ' || o.relname || '.' || c.conname,
       concat(pg_get_constraintdef(c.oid), CASE WHEN NOT c.convalidated THEN ' (not valid)' END)
FROM ours o JOIN pg_constraint c ON c.conrelid = o.oid
UNION ALL
SELECT 'index ' || o.relname, pg_get_indexdef(o.oid) || CASE WHEN i.indisvalid THEN '' ELSE ' (INVALID)' END
FROM ours o JOIN pg_index i ON i.indexrelid = o.oid
UNION ALL
SELECT 'view ' || relname, pg_get_viewdef(oid) FROM ours WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'options ' || o.relname, array_to_string(c.reloptions, ', ')
FROM ours o JOIN pg_class c USING (oid) WHERE c.reloptions IS NOT NULL
UNION ALL
SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid) FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'trigger ' || o.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
FROM ours o JOIN pg_trigger t ON t.tgrelid = o.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'type ' || t.typname, concat(t.typtype, (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder)
                                               FROM pg_enum WHERE enumtypid = t.oid))
FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
UNION ALL
SELECT 'policy ' || o.relname || '.' || p.polname, coalesce(pg_get_expr(p.polqual, p.polrelid), '')
FROM ours o JOIN pg_policy p ON p.polrelid = o.oid
UNION ALL
SELECT 'extension ' || extname, extversion FROM pg_extension
"""
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND NOT relispartition AND relname <> 'alembic_version' ORDER BY oid
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attidentity = '' AND a.attgenerated = '' ORDER BY a.attnum
"""
CONSTRAINTS = """
SELECT c.contype::text, pg_get_constraintdef(c.oid), c.confrelid::regclass::text,
       ARRAY(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY k (n, i)
             JOIN pg_attribute ON attrelid = c.conrelid AND attnum = k.n ORDER BY i),
       ARRAY(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY k (n, i)
             JOIN pg_attribute ON attrelid = c.confrelid AND attnum = k.n ORDER BY i)
FROM pg_constraint c WHERE c.conrelid = to_regclass(%s)
"""
FILES = "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace"


def schema_of(db: Connection) -> dict[str, str]:
    """Everything that a migration can change, by name."""
    return dict(db.execute(SCHEMA).fetchall())


def tables_of(db: Connection) -> list[str]:
    return [name for (name,) in db.execute(TABLES).fetchall()]


def rows_of(db: Connection, columns: Mapping[str, Sequence[str]]) -> dict[str, Counter[tuple[str, ...]]]:
    """All rows of these columns, as text."""
    found = {}
    for table, names in columns.items():
        wanted = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        rows = db.execute(sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier(table))).fetchall()
        found[table] = Counter(rows)
    return found


def columns_of(schema: Mapping[str, str]) -> dict[str, list[str]]:
    """The columns of each table."""
    tables = {name.removeprefix("relation ") for name, kind in schema.items() if kind in ("r", "p")}
    found: dict[str, list[str]] = {table: [] for table in sorted(tables)}
    for name in sorted(schema):
        table, _, column = name.removeprefix("column ").partition(".")
        if name.startswith("column ") and table in found:
            found[table].append(column)
    return found


# -- data, without knowing what for ---------------------------------------------------------------------------


def fill(db: Connection) -> None:
    """Rows into every table, parents first; what stands there stays."""
    for table in _parents_first(db):
        for number in range(ROWS):
            _insert(db, table, number)


def _parents_first(db: Connection) -> Iterator[str]:
    left = {table: _parents(db, table) - {table} for table in tables_of(db)}
    while left:
        ready = [table for table, parents in left.items() if not parents & left.keys()]
        assert ready, f"these tables point at each other in a circle, and HINTS cannot help: {sorted(left)}"
        yield from ready
        for table in ready:
            del left[table]


def _parents(db: Connection, table: str) -> set[str]:
    return {row[2] for row in db.execute(CONSTRAINTS, [table]).fetchall() if row[0] == "f"}


def _insert(db: Connection, table: str, number: int) -> None:
    values: dict[str, Any] = {}
    said: dict[str, list[str]] = {}
    constraints = db.execute(CONSTRAINTS, [table]).fetchall()
    for kind, definition, _, names, _ in constraints:
        if kind == "c" and len(names) == 1:
            said[names[0]] = re.findall(r"'((?:[^']|'')*)'::text", definition)
    for name, kind in db.execute(COLUMNS, [table]).fetchall():
        hint = HINTS.get((table, name))
        values[name] = hint[number % len(hint)] if hint else _value(table, name, kind, said.get(name), number)
    for kind, _, parent, names, theirs in constraints:
        if kind == "f":
            values |= dict(zip(names, _parent_row(db, parent, theirs, number), strict=True))
    if not values:
        return
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    try:
        db.execute(
            statement, [psycopg.types.json.Jsonb(one) if isinstance(one, dict) else one for one in values.values()]
        )
    except psycopg.Error as error:
        pytest.fail(
            f"No row could be made up for {table}: {error}. Give HINTS in tests/change/test_migrations.py values for "
            f'the column that it speaks of, like ("{table}", "…"): [{ROWS} values].'
        )


def _parent_row(db: Connection, parent: str, names: Sequence[str], number: int) -> tuple[Any, ...]:
    wanted = sql.SQL(", ").join(map(sql.Identifier, names))
    rows = db.execute(sql.SQL("SELECT {} FROM {} ORDER BY {}").format(wanted, sql.SQL(parent), wanted)).fetchall()
    assert rows, f"{parent} is empty, and a row of another table needs one"
    return tuple(rows[number % len(rows)])


def _value(table: str, name: str, kind: str, words: Sequence[str] | None, number: int) -> Any:
    if words:
        return words[number % len(words)]
    base = kind.partition("(")[0]
    makers: Mapping[str, Any] = {
        "text": f"{name}-{number}",
        "character varying": f"{name}-{number}",
        "uuid": uuid.uuid5(uuid.NAMESPACE_OID, f"{table}.{name}.{number}"),
        "jsonb": {"number": number},
        "json": {"number": number},
        "bytea": f"{name}-{number}".encode(),
        "boolean": True,
        "date": f"2026-02-2{number}",
        "inet": f"203.0.113.{number}",
        "cidr": f"203.0.113.{number}/32",
        "interval": f"{number} minutes",
        "text[]": [f"{name}-{number}"],
    }
    if base.startswith("timestamp"):
        return f"2026-02-24T10:0{number}:00Z"
    if base in ("integer", "bigint", "smallint", "numeric", "double precision", "real"):
        return number + 1
    if base in makers:
        return makers[base]
    pytest.fail(f"{table}.{name} is a {kind}: add a line for it to HINTS in tests/change/test_migrations.py")


# -- one database, at the revision before the one that is looked at -------------------------------------------


@dataclass
class Standing:
    """A database that is in use at the revision before."""

    url: str
    db: Connection
    revision: str

    def up(self) -> list[str]:
        """Make the migration; its statements."""
        with _statements() as said:
            migrate(self.url, self.revision)
        return said

    def complain(self, complaints: Sequence[tuple[str, str]]) -> None:
        """Fail with all that the migration has not agreed to, each said by (name, sentence)."""
        left = [sentence for name, sentence in complaints if name not in AGREED[self.revision]]
        assert not left, f"migration {self.revision}:\n" + "\n".join(f"  - {sentence}" for sentence in left)


@contextmanager
def _statements() -> Iterator[list[str]]:
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(params=REVISIONS)
def standing(request: pytest.FixtureRequest, parts: Any) -> Iterator[Standing]:
    """One for each migration that there is."""
    revision = request.param
    url = parts.new_database()
    if BEFORE[revision] != "base":
        migrate(url, BEFORE[revision])
    with psycopg.connect(url, autocommit=True) as db:
        fill(db)
        yield Standing(url, db, revision)


# -- promises -------------------------------------------------------------------------------------------------


def test_down_is_the_exact_inverse_of_up_and_data_survives_both(standing: Standing) -> None:
    """The server describes the same schema afterwards; every row is still there, in each column that both know."""
    db = standing.db
    old_schema = schema_of(db)
    old_columns = columns_of(old_schema)
    before = rows_of(db, old_columns)
    standing.up()
    new_schema = schema_of(db)
    new_columns = columns_of(new_schema)
    both = {
        table: [
            name for name in names if name in new_columns[table] and f"{table}.{name}" not in AGREED[standing.revision]
        ]
        for table, names in old_columns.items()
        if table in new_columns
    }
    _same(_only(before, old_columns, both), rows_of(db, both), both, f"upgrade() of {standing.revision}")
    fill(db)
    among_new = rows_of(db, both)
    migrate(standing.url, "-1")
    after = schema_of(db)
    assert after == old_schema, (
        f"downgrade() of {standing.revision} does not undo upgrade(): {_difference(old_schema, after)}"
    )
    _same(among_new, rows_of(db, both), both, f"downgrade() of {standing.revision}")
    migrate(standing.url, standing.revision)
    assert schema_of(db) == new_schema, "the second way up ends elsewhere than the first"


def test_version_n_1_can_work_on_the_new_schema(standing: Standing) -> None:
    """Nothing that N-1 reads is gone, and nothing is wanted that N-1 does not write."""
    old = schema_of(standing.db)
    standing.up()
    new = schema_of(standing.db)
    complaints = []
    for name, was in old.items():
        kind, _, what = name.partition(" ")
        if kind in ("relation", "column", "view", "function") and name not in new and not _is_index(old, name):
            complaints.append(
                (what, f"{name} is gone or renamed, and N-1 still uses it: add now, drop one release later")
            )
        elif kind == "column" and new[name].split("; ")[0] != was.split("; ")[0]:
            complaints.append((what, f"{name} changes its type ({was} → {new[name]}): add a new column instead"))
        elif kind == "column" and "; not null" in new[name] and "; not null" not in was:
            complaints.append(
                (what, f"{name} may not be null any more, and N-1 may still write that: one release later")
            )
    standing_tables = {name.removeprefix("relation ") for name, kind in old.items() if kind in ("r", "p")}
    for name in sorted(new.keys() - old.keys()):
        what = name.removeprefix("column ")
        if name != what and what.partition(".")[0] in standing_tables and _must_be_written(new[name]):
            complaints.append((what, f"{name} is NOT NULL without a default: N-1 cannot insert any more"))
    standing.complain(complaints)


def test_no_long_lock_is_taken(standing: Standing) -> None:
    """No table is rewritten or read from end to end while it is locked."""
    old, files = schema_of(standing.db), dict(standing.db.execute(FILES).fetchall())
    statements = standing.up()
    new, files_now = schema_of(standing.db), dict(standing.db.execute(FILES).fetchall())
    text = "\n".join(statements)
    big = {name.removeprefix("relation ") for name, kind in old.items() if kind in ("r", "p")} - SMALL
    complaints = [
        (table, f"{table} is rewritten under a lock (a new type, or a default that is not constant): add a column that "
                "may be null, then reference_impl.db.online.in_batches")
        for table in big if files_now.get(table, files[table]) != files[table]
    ]  # fmt: skip
    for name in sorted(new.keys() - old.keys()):
        kind, _, what = name.partition(" ")
        if kind == "index":
            complaints += _index_complaint(what, new[name], big, text)
        elif kind == "constraint" and what.partition(".")[0] in big:
            complaints += _constraint_complaint(what, new[name], text)
    for verb, table in re.findall(r"^\s*(UPDATE|DELETE FROM)\s+(?:ONLY\s+)?(\w+)", text, re.MULTILINE):
        if table in big and not re.search(rf"{verb}\s+{table}\b[^;]*\bLIMIT\b", text):
            complaints.append(
                (table, f"{verb} {table} touches every row in one transaction: online.in_batches, with a LIMIT")
            )
    standing.complain(complaints)


def test_nobody_waits_behind_a_migration_that_waits(standing: Standing) -> None:
    """With a report reading and rows locked for as long as it takes, others come through; later it gets its turn."""
    tables = tables_of(standing.db)
    with (
        psycopg.connect(standing.url) as reader,
        psycopg.connect(standing.url) as writer,
        ThreadPoolExecutor(1) as pool,
    ):
        for table in tables:
            reader.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            writer.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1 FOR UPDATE").format(sql.Identifier(table)))
        moving = pool.submit(standing.up)
        wait_until(
            lambda: moving.done() or standing.db.execute(WAITING).fetchall() != [(0,)],
            bool,
            goal="the migration done, or waiting for a lock",
            within_s=30,
        )
        standing.db.execute("SET statement_timeout = '20s'")
        try:
            for table in tables:
                standing.db.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        except psycopg.errors.QueryCanceled:
            reader.rollback(), writer.rollback()
            pytest.fail(
                f"while migration {standing.revision} waited for a lock, a plain SELECT waited behind it for 20 s: "
                "leave lock_timeout as reference_impl/db/migrate.py sets it"
            )
        reader.rollback()
        writer.rollback()
        moving.result(timeout=60)
    assert standing.db.execute("SELECT version_num FROM alembic_version").fetchall() == [(standing.revision,)]


def test_all_the_way_up_and_all_the_way_down(parts: Any) -> None:
    """One at a time, with data at every step; at the end nothing is left but Alembic's own table."""
    url = parts.new_database()
    with psycopg.connect(url, autocommit=True) as db:
        schemas = [schema_of(db)]
        for revision in REVISIONS:
            migrate(url, revision)
            fill(db)
            schemas.append(schema_of(db))
        for wanted in reversed(schemas[:-1]):
            migrate(url, "-1")
            assert schema_of(db) == wanted, _difference(wanted, schema_of(db))
            fill(db)
        assert tables_of(db) == []


def test_the_revisions_are_one_line(parts: Any) -> None:
    """Two migrations that follow the same one cannot both be applied; and health compares by their numbers."""
    heads = ScriptDirectory.from_config(_config()).get_heads()
    assert len(heads) == 1, f"{heads} follow the same revision: set the down_revision of the later one to the earlier"
    assert sorted(REVISIONS) == REVISIONS, "a migration's number is smaller than that of the one before it"


WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


def _must_be_written(column: str) -> bool:
    return "; not null" in column and not re.search(r"; (default|identity|generated) ", column)


def _is_index(schema: Mapping[str, str], name: str) -> bool:
    return schema[name] in ("i", "S", "I", "t")


def _same(
    wanted: Mapping[str, Counter[tuple[str, ...]]],
    found: Mapping[str, Counter[tuple[str, ...]]],
    columns: Mapping[str, Sequence[str]],
    what: str,
) -> None:
    """Fail with each column whose values are not those that were there."""
    changed = [
        f"{table}.{name}"
        for table, names in columns.items()
        for place, name in enumerate(names)
        if Counter(row[place] for row in wanted[table].elements())
        != Counter(row[place] for row in found[table].elements())
    ]
    assert not changed, (
        f"{what} changes or loses what stands in {', '.join(changed)}, which both versions know. Write what is new"
        " into a new column; or, where the loss is wanted, say so beside it: "
        f'AGREED = {{"{changed[0]}": "why nobody misses it"}}'
    )
    assert wanted == found, f"{what} mixes rows up"


def _only(
    rows: Mapping[str, Counter[tuple[str, ...]]],
    columns: Mapping[str, Sequence[str]],
    kept: Mapping[str, Sequence[str]],
) -> dict[str, Counter[tuple[str, ...]]]:
    """The same rows, of fewer columns."""
    found = {}
    for table, names in kept.items():
        places = [columns[table].index(name) for name in names]
        found[table] = Counter(
            {tuple(row[place] for place in places): count for row, count in rows[table].items()}
            if len(names) == len(columns[table])
            else Counter(tuple(row[place] for place in places) for row in rows[table].elements())
        )
    return found


def _difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    left = sorted(found.keys() - wanted.keys())
    gone = sorted(wanted.keys() - found.keys())
    other = sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name])
    told = [f"left behind: {', '.join(left)}" if left else "", f"gone: {', '.join(gone)}" if gone else ""]
    told += [f"{name} was {wanted[name]!r}, is {found[name]!r}" for name in other]
    return "; ".join(one for one in told if one)


def _index_complaint(name: str, definition: str, big: set[str], text: str) -> list[tuple[str, str]]:
    table = re.search(r" ON (?:ONLY )?public\.(\w+)", definition)
    online = re.search(rf"INDEX\s+CONCURRENTLY\s+(?:IF NOT EXISTS\s+)?{name}\b", text)
    if table is None or table[1] not in big or online:
        return []
    return [(name, f"building index {name} stops every write to {table[1]}: reference_impl.db.online.create_index, in "
                   "a migration of its own")]  # fmt: skip


def _constraint_complaint(name: str, definition: str, text: str) -> list[tuple[str, str]]:
    short = name.partition(".")[2]
    if not definition.startswith(("CHECK", "FOREIGN KEY")) or re.search(rf"{short}[^;]*NOT VALID", text):
        return []
    return [(short, f"constraint {name} is checked against every row under a lock: ADD CONSTRAINT … NOT VALID, and "
                    "VALIDATE CONSTRAINT in the next migration")]  # fmt: skip
