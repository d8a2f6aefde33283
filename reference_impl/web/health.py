"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import psycopg_pool
from flask import Blueprint
from flask.typing import ResponseReturnValue

from reference_impl.db import newest_revision
from reference_impl.web.answers import Live, NotReady, Ready
from reference_impl.web.database import Database
from reference_impl.web.openapi import documented


def blueprint(
    *, database: Database, queue_complaint: Callable[[], str | None], draining: Callable[[], bool]
) -> Blueprint:
    """The two health routes; `queue_complaint` says what is wrong with the queue, or None."""
    routes = Blueprint("health", __name__, url_prefix="/health")
    wanted = newest_revision()

    @routes.get("/live")
    @documented("Whether the process lives", answers={200: Live})
    def live() -> ResponseReturnValue:
        return {"status": "live"}

    @routes.get("/ready")
    @documented("Whether it can do its work", answers={200: Ready, 503: NotReady})
    def ready() -> ResponseReturnValue:
        if draining():  # before anything that takes time: the balancer has only the drain's seconds to learn of it
            return {"status": "not ready", "reason": "this process is about to end"}, 503
        complaint = _schema_complaint(database, wanted) or queue_complaint()
        if complaint:
            return {"status": "not ready", "reason": complaint}, 503
        return {"status": "ready"}

    return routes


def _schema_complaint(database: Database, wanted: str) -> str | None:
    try:
        with database.connection() as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return "the database has no schema yet: run `python -m reference_impl migrate`"
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
        return "the database is away"
    # A newer schema is fine: migrations only add while two versions run side by side.
    if row is None or str(row[0]) < wanted:
        return f"the schema is at {row[0] if row else 'nothing'}, this code wants {wanted}"
    return None
