"""The floor: a webhook endpoint that does the least that one can do, on the server that the reference runs on.

Reads the raw body, computes one HMAC-SHA256 and commits one row. Flask on granian, psycopg's pool, the same number of
threads: what the reference costs beyond it is what it does beyond it.

`python floor.py PORT DATABASE_URL THREADS WORKERS`; started by `benchmarks/webhooks.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sys

from flask import Flask, request
from flask.typing import ResponseReturnValue

_URL, _THREADS = "FLOOR_DATABASE_URL", "FLOOR_THREADS"


def create_app() -> Flask:
    """The application; granian calls this in its worker."""
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 -- in the worker only

    app = Flask(__name__)
    pool = ConnectionPool(os.environ[_URL], max_size=int(os.environ[_THREADS]), kwargs={"autocommit": True}, open=True)
    with pool.connection() as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # the workers start at one moment
        connection.execute("CREATE TABLE IF NOT EXISTS floor (digest text NOT NULL, size integer NOT NULL)")
        connection.execute("SELECT pg_advisory_unlock(1)")

    @app.post("/<path:_>")
    def receive(_: str) -> ResponseReturnValue:
        body = request.get_data()
        digest = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
        with pool.connection() as connection:
            connection.execute("INSERT INTO floor (digest, size) VALUES (%s, %s)", [digest, len(body)])
        return {"status": "accepted"}, 202

    return app


def main() -> None:
    """Serve until told to end."""
    from granian.constants import Interfaces  # noqa: PLC0415 -- the parent only
    from granian.server import Server  # noqa: PLC0415 -- likewise

    port, os.environ[_URL], os.environ[_THREADS], workers = sys.argv[1:]
    Server(
        "floor:create_app",
        factory=True,
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=int(workers),
        blocking_threads=int(os.environ[_THREADS]),
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
