"""The schema, moved up or down by Alembic. Each migration is one transaction."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

_LOCK = 4_906_012
"""Any number, the same in every process: two migrations at once would trip over each other."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database_url: str, revision: str = "head") -> None:
    """Move the schema to a revision: `head`, `base`, an id, or `-1`.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    config = _config()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool)
    with psycopg.connect(database_url, autocommit=True) as guard, engine.connect() as connection:
        guard.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        config.attributes["connection"] = connection
        if revision in ("base",) or revision.startswith("-"):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
        connection.commit()


def head() -> str:
    """The newest revision that this code knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found
