"""`python -m reference_impl operate`: one process carries out an operator's actions, and sees what is there now."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from reference_impl import operations
from reference_impl.domain.hashing import sha256
from reference_impl.sealing import Sealer, new_key
from reference_impl.settings import Settings

if TYPE_CHECKING:
    from conftest import OperatorProgram, World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

    from reference_impl.secrets import SecretStore
    from tests.conftest import EmbeddedPostgres

EMAIL = "ana@canary.example"


def test_an_action_after_a_lost_connection_finds_the_database_again(
    world: World, program: OperatorProgram, postgres: EmbeddedPostgres
) -> None:
    """While the database refuses, an action fails with a sentence; once it does not, the next one works."""
    assert program.ask("set_flag", tenant="t1", flag="maybe").startswith("flag: ")
    assert "t1 is no tenant, or does not use" in program.ask("set_flag", tenant="t1", flag="on")
    cut_connections(world)
    assert "t1 is no tenant, or does not use" in program.ask("set_flag", tenant="t1", flag="on")
    allow_connections(world, postgres, allowed=False)
    cut_connections(world)
    failed = "set_flag failed: the database cannot be reached (OperationalError)"
    assert program.ask("set_flag", tenant="t1", flag="on") == failed
    allow_connections(world, postgres, allowed=True)
    assert program.ask("set_flag", gateway="stripe", flag="on") == {"flag": "on", "released": 0}


def cut_connections(world: World) -> None:
    """End every connection to the test's database but the test's own."""
    cut = world.value(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert cut, "the program had no connection that could be lost"


def allow_connections(world: World, postgres: EmbeddedPostgres, *, allowed: bool) -> None:
    """Let the database accept new connections or refuse them, as one that restarts does."""
    name = psycopg.conninfo.conninfo_to_dict(world.database_url)["dbname"]
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")


def test_an_action_sees_what_others_have_changed(world: World, program: OperatorProgram, secrets: SecretStore) -> None:
    """A tenant, a hash and a data key that were not there when the program looked last."""
    tenant = f"t-{os.getpid()}-{time.monotonic_ns()}"
    assert program.ask("export_person", tenant=tenant, email=EMAIL) == f"There is no tenant {tenant!r}."
    world.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES (%s, 'UTC', '333')", [tenant])
    assert program.ask("export_person", tenant=tenant, email=EMAIL)["conversions"] == []
    secrets.add_data_key(new_key(), now_s=time.time(), keep_s=3600)
    sealed = Sealer(secrets.data_keys()[:1]).seal('{"ip": "203.0.113.9"}')
    world.given(tenant=tenant, client_sealed=sealed)
    world.db.execute(
        "UPDATE conversions SET user_data = jsonb_build_object('em', jsonb_build_array(%s::text))", [sha256(EMAIL)]
    )
    (shown,) = program.ask("export_person", tenant=tenant, email=EMAIL)["conversions"]
    assert shown["client"] == {"client_ip_address": "203.0.113.9"}


def test_a_connection_outlives_a_migration(world: World) -> None:
    """A statement that was used often is not remembered with the columns that it had then."""
    with closing(operations.Resources(Settings(database_url=world.database_url))) as resources:
        for _ in range(10):
            resources.connection().execute("SELECT * FROM gateways").fetchall()
        world.db.execute("ALTER TABLE gateways ADD COLUMN note text")
        resources.connection().execute("SELECT * FROM gateways").fetchall()


@pytest.mark.parametrize("how", ["SIGTERM", "the end of its input"])
def test_it_ends_when_asked_to(program: OperatorProgram, how: str) -> None:
    """Exit code 0: that is how it is stopped."""
    assert program.ask("event_id", tenant="t1", gateway="stripe", sale_id="1")["event_id"]
    assert program.process.stdin is not None
    if how == "SIGTERM":
        program.process.send_signal(signal.SIGTERM)
    else:
        program.process.stdin.close()
    assert program.process.wait(program.LIMIT_S) == 0
