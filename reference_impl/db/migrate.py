"""The schema, moved up or down by Alembic, while the pipeline works. Each migration is one transaction.

A migration that must wait for a lock keeps everybody waiting who comes after it, so it waits for a moment only, gives
its place up, and tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from reference_impl.db.online import LOCK_TIMEOUT

log = logging.getLogger(__name__)

_PATIENCE_S = 120.0
"""How long it is tried again, while others never let go of a table."""
_PAUSE_S = 1.0
_OTHERS_FIRST = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_LOCK = 4_906_012
"""Any number, the same in every process: two migrations at once would trip over each other."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database_url: str, revision: str = "head") -> None:
    """Move the schema to a revision: `head`, `base`, an id, or `-1`. Needs a session of its own: no transaction pooler.

    Raises:
        psycopg.OperationalError: the database is away, or a lock was not to be had.
    """
    config = _config()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool)
    deadline_s = time.monotonic() + _PATIENCE_S
    with psycopg.connect(database_url, autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        for one in _steps(revision):
            _try_again(partial(_move, config, engine, one), deadline_s)


def _steps(revision: str) -> list[str]:
    """`-2` is two steps, because a step that has been made must not be made again when the next one is tried again."""
    return ["-1"] * int(revision[1:]) if revision.startswith("-") else [revision]


def _try_again(work: Callable[[], None], deadline_s: float) -> None:
    while True:
        try:
            return work()
        except OperationalError as error:
            if not isinstance(error.orig, _OTHERS_FIRST) or time.monotonic() > deadline_s:
                raise
            log.warning("migrate: a table is in use; again in %g s", _PAUSE_S)
            threading.Event().wait(_PAUSE_S)


def _move(config: Config, engine: Engine, revision: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.commit()  # else Alembic would take this for a transaction that somebody else ends
        config.attributes["connection"] = connection
        if revision == "base" or revision.startswith("-"):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def head() -> str:
    """The newest revision that this code knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found
