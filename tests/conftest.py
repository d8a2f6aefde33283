"""For all tests: in CI a test that is skipped has not passed; and the embedded PostgreSQL, once for each process."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import psycopg.sql
import pytest

from harness.waiting import wait_until

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: most tests wait for processes that they have started."""
    return 2 * (os.cpu_count() or 1)


OTHERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class EmbeddedPostgres:
    """The PostgreSQL of this process's tests. Each test has a database of its own in it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._admin = psycopg.connect(url, autocommit=True)
        self._emptied: list[str] = []
        """Databases that are as new: the next tests have them. To copy one takes ten times as long as to empty it."""

    def execute(self, statement: str) -> None:
        """Run one statement outside the databases of tests."""
        self._admin.execute(statement.encode())

    def new(self, *, empty: bool = False) -> str:
        """A database with the reference's schema in it, or with nothing; its address."""
        if self._emptied and not empty:
            return self._emptied.pop()
        name = f"t_{uuid.uuid4().hex[:12]}"
        # Copying files takes half the processor time of writing every block to the log, which is the default.
        template = "" if empty else f" TEMPLATE {self._golden} STRATEGY FILE_COPY"
        self.execute(f"CREATE DATABASE {name}{template}")
        return self._address(name)

    def drop(self, url: str) -> None:
        """Empty a database with the reference's schema for the next test, or remove it where its schema was changed.

        Raises:
            NotSeenInTime: A test has left a connection open.
        """
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(url, autocommit=True) as connection:
            wait_until(
                lambda: connection.execute(OTHERS).fetchall(),
                lambda others: not others,
                goal=f"nobody connected to {name} any more: a test has to close what it opens",
                within_s=5,
            )
            is_as_made = _schema_of(connection) == self._golden_schema
            if is_as_made:
                connection.execute(self._emptying.encode())
        if is_as_made:
            self._emptied.append(url)
        else:
            self.execute(f"DROP DATABASE {name}")

    def close(self) -> None:
        """End the connection that databases are made with."""
        self._admin.close()

    @cached_property
    def _golden(self) -> str:
        # Imported late: most tests of the fakes and the harness need neither the reference nor a database.
        from reference_impl.db.migrate import migrate

        self.execute("CREATE DATABASE golden")
        migrate(self._address("golden"))
        return "golden"

    @cached_property
    def _golden_schema(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._address(self._golden), autocommit=True) as connection:
            return _schema_of(connection)

    @cached_property
    def _emptying(self) -> str:
        """Statements after which a database holds what the golden one holds."""
        format_sql = psycopg.sql.SQL
        said: list[psycopg.sql.Composable] = [format_sql("SET session_replication_role = replica")]
        with psycopg.connect(self._address(self._golden), autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            tables = [psycopg.sql.Identifier(name) for (name,) in found]
            said += [format_sql("DELETE FROM {}").format(table) for table in tables]
            for table in tables:  # rows that the migrations have written
                rows = connection.execute(format_sql("SELECT t::text FROM {} t").format(table)).fetchall()
                said += [
                    format_sql("INSERT INTO {0} SELECT ({1}::{0}).*").format(table, psycopg.sql.Literal(row))
                    for (row,) in rows
                ]
            found = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall()
            said += [format_sql("ALTER SEQUENCE {} RESTART").format(psycopg.sql.Identifier(name)) for (name,) in found]
            return format_sql(";\n").join(said).as_string(connection)

    def _address(self, name: str) -> str:
        return self._url.replace("/postgres?", f"/{name}?")


def _schema_of(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """What a test may have changed of a database besides its rows."""
    return connection.execute(
        """
        SELECT 'column', attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod), attnotnull::text
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0
        UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, tgenabled::text, '' FROM pg_trigger
        UNION ALL SELECT 'function', proname::text, md5(prosrc), '', '' FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'setting', array_to_string(setconfig, ','), '', '', '' FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY 1, 2, 3, 4
        """
    ).fetchall()


def _fast_folder() -> str:
    """Memory where there is enough of it: the tests' databases are some gigabytes of small files that nobody keeps."""
    memory = Path("/dev/shm")  # noqa: S108 -- only a folder of our own in it
    enough = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 6_000_000_000
    return str(memory) if enough else "/tmp"  # noqa: S108 -- likewise


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """An embedded PostgreSQL without fsync, started for the first test that asks for it."""
    from harness.stack.postgres import LocalPostgres
    from harness.stack.processes import Nursery

    with tempfile.TemporaryDirectory(prefix="golive-pg-", dir=_fast_folder(), ignore_cleanup_errors=True) as name:
        folder, nursery = Path(name), Nursery(lambda death: None)
        folder.chmod(0o755)  # as root the server runs as another user, who must get in
        server = LocalPostgres(folder / "data")
        server.prepare()
        child = server.start(nursery, env=dict(os.environ), log=folder / "log")
        try:
            server.wait_ready(child, within_s=30)
            databases = EmbeddedPostgres(server.url)
            databases.execute("ALTER SYSTEM SET autovacuum = off")  # it would visit every test's database
            databases.execute("SELECT pg_reload_conf()")
            yield databases
            databases.close()
        finally:
            child.kill(signal.SIGQUIT)  # an immediate shutdown: nothing is written that is about to be removed
            nursery.stop_all()


# -- a PostgreSQL as a provider gives it ---------------------------------------------------------------------------


class TlsPostgres:
    """TCP, TLS, a user with a password. Debian's: the embedded one has no TLS."""

    PASSWORD = "p@ss/w:rd?%#&-" + uuid.uuid4().hex[:8]

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def admin(self, database: str = "postgres") -> str:
        """Past TLS and passwords, for what a test has to prepare."""
        return f"postgresql://postgres@/{database}?host={self.folder}&port={self.port}"

    def url(self, database: str, **options: str) -> str:
        """As a provider's console shows it; by default with everything verified."""
        told = options or {"sslmode": "verify-full", "sslrootcert": str(self.folder / "server.pem")}
        query = "&".join(f"{name}={quote(value)}" for name, value in told.items())
        return f"postgresql://golive:{quote(self.PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}?{query}"

    def new(self) -> str:
        """The name of a new, empty database."""
        name = f"t_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.admin(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER golive".encode())
        return name


@pytest.fixture(scope="session")
def tls_postgres() -> Iterator[TlsPostgres]:
    """Lets nobody in over TCP without TLS and a password. Skipped where Debian's PostgreSQL is not installed."""
    from harness.stack.ports import free_port
    from harness.stack.processes import Nursery, wait_ready

    found = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)
    if found is None:
        pytest.skip("Debian's postgres is not installed: apt-get install postgresql pgbouncer")
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="golive-tls-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)  # as root the server runs as another user, who must get in
        _self_signed(folder)
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user, user)
        data = folder / "data"
        argv = [str(found / "initdb"), "-D", str(data), "-U", "postgres", "-A", "peer", "--no-sync"]
        subprocess.run(argv, user=user, capture_output=True, check=True)
        (data / "pg_hba.conf").write_text("local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        argv = [str(found / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
        for setting in (
            "ssl=on",
            f"ssl_cert_file={folder}/server.pem",
            f"ssl_key_file={folder}/server.key",
            "fsync=off",
        ):
            argv += ["-c", setting]
        nursery = Nursery(lambda death: None)
        options = {"env": dict(os.environ), "log": folder / "log", "user": user, "stop_signal": signal.SIGINT}
        child = nursery.start("postgres over TLS", argv, owner="harness", **options)
        server = TlsPostgres(folder, port)
        try:
            wait_ready(child, lambda: _refused(server.admin()), within_s=30)
            with psycopg.connect(server.admin(), autocommit=True) as connection:
                made = psycopg.sql.SQL("CREATE ROLE golive LOGIN PASSWORD {}")
                connection.execute(made.format(TlsPostgres.PASSWORD))
            yield server
        finally:
            nursery.stop_all()


def _refused(url: str) -> str | None:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def _self_signed(folder: Path) -> None:
    """For the address and not for any name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "golive test")])
    begins = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), begins, begins.replace(year=2050)
        )
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)
    (folder / "server.key").chmod(0o600)
