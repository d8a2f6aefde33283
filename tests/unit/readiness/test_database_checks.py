"""Each check of the database passes where all is well, and fails when its one thing is wrong."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.errors import UsageError
from harness.readiness import database_checks as checks
from harness.readiness import evidence, plan
from harness.readiness.database_checks import Schema
from harness.readiness.evidence import Found
from harness.readiness.rows import Observation
from harness.records import RowState
from harness.target import Target

HEAD = Schema(head="0004")


def looked(url: str, schema: Schema = HEAD) -> dict[str, Found]:
    """By row; of those of one row the worst."""
    found = sorted(checks.look(url, schema), key=lambda one: one.state is RowState.NOT_MET)
    return {one.row: one for one in found}


def health(url: str) -> list[str]:
    return [one.evidence for one in checks.look(url, HEAD) if one.row == checks.HEALTHY]


@pytest.fixture
def url(postgres: Any) -> str:
    """A database with the reference's schema in it."""
    made: str = postgres.new()
    return made


def at_head() -> Schema:
    from reference_impl.db.migrate import head

    return Schema(head=head())


def test_the_references_target_file_says_the_shipped_head() -> None:
    assert Target.load(Path("reference_impl/target.toml")).migrations.head == at_head().head


def test_every_row_is_one_of_the_plan_and_asks_for_this_option() -> None:
    rows = plan.load().rows
    assert set(checks.ROWS) <= set(rows)
    assert {one.id for one in rows.values() if "--database-url" in one.who} == {*checks.ROWS} - {checks.HEALTHY}


def test_migrations_and_indexes_of_the_reference(url: str) -> None:
    found = looked(url, at_head())
    assert {found[row].state for row in (checks.MIGRATIONS, *checks.INDEXES)} == {RowState.MET}
    assert found[checks.MIGRATIONS].evidence == f"The schema is at {at_head().head}, the newest migration."


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "is at 0001, and the newest migration is 0004"),
        ("DELETE FROM alembic_version", "is at no version at all, and"),
        ("INSERT INTO alembic_version VALUES ('0009')", "and 0009, and the newest"),
        ("DROP TABLE alembic_version", "has no table of migrations"),
    ],
)
def test_migrations_that_are_not_at_head(url: str, statement: str, told: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(statement.encode())
    row = looked(url)[checks.MIGRATIONS]
    assert (row.state, told in row.evidence) == (RowState.NOT_MET, True), row.evidence


def test_nobody_has_said_what_the_head_is(url: str) -> None:
    row = looked(url, Schema(head=""))[checks.MIGRATIONS]
    assert row.state is RowState.NOT_OBSERVED
    assert "--schema-head" in row.evidence


def test_a_foreign_schema_says_its_version_by_its_own_query(postgres: Any) -> None:
    url = postgres.new(empty=True)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE flyway (version text)")
        db.execute("INSERT INTO flyway VALUES ('V7')")
    assert (
        looked(url, Schema(head="V7", version="SELECT max(version) FROM flyway"))[checks.MIGRATIONS].state
        is RowState.MET
    )
    assert looked(url, Schema(head="V7", version="SELECT nonsense("))[checks.MIGRATIONS].state is RowState.NOT_OBSERVED
    assert (
        looked(url, Schema(head="V7", version="SELECT max(version) FROM flyway"))[checks.ROWS[2]].state
        is RowState.NOT_MET
    )


def test_it_writes_nothing_whatever_it_is_told(url: str) -> None:
    """The query comes from a file: one that writes is refused by the server."""
    for wicked in ("DELETE FROM alembic_version RETURNING version_num", "COMMIT; DELETE FROM alembic_version"):
        found = looked(url, Schema(head="0004", version=wicked))
        assert found[checks.MIGRATIONS].state is RowState.NOT_OBSERVED
        assert found["011.5b/index-matches"].state is RowState.MET, "the others can be looked at all the same"
    with psycopg.connect(url) as db:
        assert db.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_it_does_not_wait_for_ever(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "STATEMENT_MS", 50)
    row = looked(url, Schema(head="x", version="SELECT pg_sleep(600)"))[checks.MIGRATIONS]
    assert row.state is RowState.NOT_OBSERVED
    assert "timeout" in row.evidence


@pytest.mark.parametrize(
    ("row", "index"),
    [
        ("011.5b/index-attempts", "dispatch_attempts_tenant_status_created"),
        ("011.5b/index-matches", "matches_tenant_created"),
    ],
)
def test_an_index_that_is_not_there(url: str, row: str, index: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"DROP INDEX {index}".encode())
        assert looked(url)[row].state is RowState.NOT_MET
        table, columns = checks.INDEXES[row]
        db.execute(f"CREATE INDEX ON {table} {columns} WHERE tenant_id = 'a'".encode())
        assert looked(url)[row].state is RowState.NOT_MET, "a partial index serves one tenant"
        db.execute(f"CREATE INDEX ON {table} {columns.replace(' DESC', '')}".encode())
        assert looked(url)[row].state is RowState.NOT_MET, "the order is part of it"


# -- encryption and headroom ---------------------------------------------------------------------------------------


def test_a_connection_without_tls(url: str) -> None:
    row = looked(url)[checks.HEALTHY]
    assert row.state is RowState.NOT_MET
    assert "not encrypted" in row.evidence


@pytest.mark.parametrize(
    ("options", "state", "told"),
    [
        ({}, RowState.MET, "encrypted and the server's name verified"),
        ({"sslmode": "require"}, RowState.NOT_MET, "nobody asks who answers (sslmode=require"),
    ],
)
def test_tls_and_who_answers(tls_postgres: Any, options: dict[str, str], state: RowState, told: str) -> None:
    url = tls_postgres.url(tls_postgres.new(), **options)
    found = [one for one in checks.look(url, HEAD) if "encrypted" in one.evidence]
    assert [one.state for one in found] == [state]
    assert told in found[0].evidence


def test_a_certificate_of_somebody_else(tls_postgres: Any) -> None:
    """Nothing is met where nobody could look; and no password is told."""
    url = tls_postgres.url(tls_postgres.new(), sslmode="verify-full", sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    found = checks.look(url, HEAD)
    assert {one.state for one in found} == {RowState.NOT_OBSERVED}
    assert "certificate verify failed" in found[0].evidence
    assert tls_postgres.PASSWORD not in repr(found)


def test_a_wrong_password_is_not_told(tls_postgres: Any) -> None:
    url = tls_postgres.url(tls_postgres.new()).replace("golive:", "golive:wrong-")
    found = checks.look(url, HEAD)
    assert {one.state for one in found} == {RowState.NOT_OBSERVED}
    assert "password authentication failed" in found[0].evidence
    assert tls_postgres.PASSWORD not in repr(found)


def test_nobody_answers_there() -> None:
    found = checks.look("postgresql://u:secret@127.0.0.1:1/db", HEAD)
    assert {one.row for one in found} == set(checks.ROWS)
    assert {one.state for one in found} == {RowState.NOT_OBSERVED}
    assert "secret" not in repr(found)


def test_what_is_no_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError, match="cannot be read") as refused:
        checks.look("postgresql://u:sec ret@host/db?nonsense=1", HEAD)
    assert "sec ret" not in str(refused.value)


def test_connections_that_run_out(tls_postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many are taken as leave less than what is wanted."""
    name = tls_postgres.new()
    assert any("% are free." in one for one in health(tls_postgres.url(name)))
    monkeypatch.setattr(checks, "HEADROOM_PERCENT", 90.0)
    with ExitStack() as held:
        for _ in range(12):
            held.enter_context(psycopg.connect(tls_postgres.admin(name)))
        told = [one for one in checks.look(tls_postgres.url(name), HEAD) if "connections" in one.evidence]
    assert [one.state for one in told] == [RowState.NOT_MET]
    assert "wanted are 90 %" in told[0].evidence


def test_health_seen_from_inside_does_not_make_backups() -> None:
    """TLS and headroom are a part of the row: right, they leave it undecided; wrong, it is not met."""
    row = plan.load().rows[checks.HEALTHY]
    nothing = Observation(RowState.NOT_OBSERVED)
    right = Found(row=row.id, state=RowState.MET, evidence="encrypted", partial=True)
    wrong = Found(row=row.id, state=RowState.NOT_MET, evidence="not encrypted", partial=True)
    aws = Found(row=row.id, state=RowState.MET, evidence="backups")

    def state(*found: Found) -> RowState:
        return evidence.settle(row, nothing, evidence.by_row(found)).state

    assert state(right) is RowState.UNDECIDED
    assert state(right, aws) is RowState.MET
    assert state(wrong, aws) is RowState.NOT_MET
