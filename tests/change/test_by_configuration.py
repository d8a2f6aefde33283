"""Another AWS, another PostgreSQL, a pooler between: told by environment variables alone, one click reaches Meta.

The second PostgreSQL and PgBouncer are Debian's (`apt-get install postgresql pgbouncer`): the embedded one has no TLS.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.stack.ports import free_port
from harness.stack.processes import Child, Nursery, wait_ready
from harness.waiting import wait_until

if TYPE_CHECKING:
    from conftest import Site  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

# Each starts a whole deployment beside another server: 28 CPU-s for what changes with packages, hardly with commits.
pytestmark = pytest.mark.nightly
_RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
#: What a vault might draw: all that must be escaped in a URL.
PASSWORD = "p@ss/w:rd?%#&" + secrets.token_hex(4)
READY_S = 30


def one_click_reaches_meta(site: Site, url: str) -> None:
    """The click is stored, the sale matched to it by its id, and Meta counts it once."""
    http = site.http
    told = http.post(f"{url}/api/v1/tracking/{site.tenant}/click", json={"fbclid": "IwAR" + "x" * 40}, timeout=10)
    assert told.status_code == 202, told.text
    sale = site.order(click_id=told.json()["click_id"])
    answer = sale.deliver(via=url)
    assert (answer.status, answer.json()) == (202, {"status": "accepted"})
    site.every_sale_is_counted_once([sale])
    with site.connect() as connection:
        assert connection.execute("SELECT method FROM matches").fetchall() == [("click_id",)]


# -- another AWS ----------------------------------------------------------------------------------------------


@pytest.fixture
def moto_url(parts: Any, tmp_path: Path) -> Iterator[str]:
    """Moto's server: SQS and Secrets Manager by other people than ministack's."""
    log = tmp_path / "moto.log"
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    child = parts.nursery.start("moto", argv, owner="harness", env=dict(os.environ), log=log)
    wait_ready(child, lambda: None if _RUNNING.search(log.read_text()) else "no word of where", within_s=READY_S)
    found = _RUNNING.search(log.read_text())
    assert found
    yield found[1]
    child.kill()


def test_another_aws(new_site: Callable[..., Site], moto_url: str) -> None:
    """`AWS_ENDPOINT_URL` alone; the queues, the data key and the tenant's secrets are made there, and used there."""
    site = new_site(AWS_ENDPOINT_URL=moto_url)
    site.prepare()
    url, _ = site.start_web()
    site.start_behind()
    one_click_reaches_meta(site, url)


# -- another PostgreSQL, over TLS -----------------------------------------------------------------------------


@dataclass
class Server:
    """A PostgreSQL as a provider gives it: TCP, TLS, a user with a password."""

    nursery: Nursery
    folder: Path
    port: int
    user: str

    def url(self, *, port: int | None = None, **options: str) -> str:
        """As a provider's console shows it."""
        query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        return f"postgresql://golive:{quote(PASSWORD, safe='')}@127.0.0.1:{port or self.port}/golive?{query}"

    @property
    def root(self) -> str:
        """The certificate that signed the server's."""
        return str(self.folder / "ca.pem")


def _debian(name: str) -> Path:
    """A program of Debian's; the test is skipped where it is not installed, which CI calls a failure."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"Debian's {name} is not installed: apt-get install postgresql pgbouncer")
    return Path(found)


@pytest.fixture
def server(parts: Any) -> Iterator[Server]:
    """PostgreSQL that lets nobody in without TLS and a password (SCRAM)."""
    postgres, initdb = _debian("postgres"), _debian("initdb")
    folder = parts.folder / f"pg-{secrets.token_hex(3)}"
    folder.mkdir(mode=0o755)
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    data = folder / "data"
    argv = [str(initdb), "-D", str(data), "-U", "postgres", "-A", "peer"]
    made = subprocess.run(argv, user=user, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    _certificates(folder, user)
    (data / "pg_hba.conf").write_text("local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
    port = free_port()
    argv = [
        *(str(postgres), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "ssl=on"),
        *("-c", f"ssl_cert_file={folder}/server.pem", "-c", f"ssl_key_file={folder}/server.key", "-c", "fsync=off"),
    ]
    options = {"env": dict(os.environ), "log": folder / "log", "user": user, "stop_signal": signal.SIGINT}
    child = parts.nursery.start(f"postgres {folder.name}", argv, owner="harness", **options)
    admin = f"postgresql://postgres@/postgres?host={folder}&port={port}"
    wait_ready(child, lambda: _refused(admin), within_s=READY_S)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE ROLE golive LOGIN PASSWORD {}").format(PASSWORD))
        connection.execute("CREATE DATABASE golive OWNER golive")
    yield Server(parts.nursery, folder, port, user or "")
    child.ask_to_stop()
    child.ensure_stopped()


def _refused(url: str) -> str | None:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return str(error)
    return None


def _certificates(folder: Path, user: str | None) -> None:
    """One that signs itself, for the address and not for any name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "golive test")])
    begins = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), begins, begins.replace(year=2050)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)
    (folder / "server.key").chmod(0o600)
    if user:
        shutil.chown(folder / "server.key", user, user)


def test_another_postgres_over_tls(new_site: Callable[..., Site], server: Server) -> None:
    """`DATABASE_URL` as Supabase or RDS gives it: TCP, a password with everything in it, the certificate verified."""
    assert "no encryption" in str(_refused(server.url(sslmode="disable"))), "else this test says nothing of TLS"
    site = new_site(DATABASE_URL=server.url(sslmode="verify-full", sslrootcert=server.root))
    site.prepare()
    url, _ = site.start_web()
    behind = site.start_behind()
    one_click_reaches_meta(site, url)
    logs = "".join(child.log.read_text() for child in behind)
    assert PASSWORD not in logs
    with site.connect() as connection:
        pids = (
            "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'golive'"
        )
        encrypted = connection.execute(pids).fetchone()
    assert encrypted is not None
    assert encrypted[0] is True


def test_a_wrong_certificate_or_password_is_said_without_either(new_site: Callable[..., Site], server: Server) -> None:
    """One sentence, exit code 2, and neither the password nor the host in it."""
    site = new_site(DATABASE_URL=server.url(sslmode="verify-full", sslrootcert="/etc/ssl/certs/ca-certificates.crt"))
    done = subprocess.run(
        [sys.executable, "-m", "reference_impl", "migrate"],
        env=site.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "reference_impl: migrate failed: the database cannot be reached (OperationalError)\n"


# -- a transaction-mode pooler --------------------------------------------------------------------------------


@pytest.fixture
def pooler(server: Server) -> Iterator[int]:
    """PgBouncer with two connections for everybody, another one for each transaction; its port."""
    program = _debian("pgbouncer")
    folder, port = server.folder, free_port()
    (folder / "users.txt").write_text(f'"golive" "{PASSWORD}"\n')
    (folder / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"golive = host=127.0.0.1 port={server.port} dbname=golive\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nserver_tls_sslmode = require\n"
        f"client_tls_sslmode = require\nclient_tls_cert_file = {folder}/server.pem\n"
        f"client_tls_key_file = {folder}/server.key\nserver_round_robin = 1\n{_no_prepared_statements(program)}"
    )
    user = server.user or None
    child: Child = server.nursery.start(
        f"pgbouncer {folder.name}",
        [str(program), str(folder / "pgbouncer.ini")],
        owner="harness",
        env=dict(os.environ),
        log=folder / "pgbouncer.log",
        user=user,
    )
    url = server.url(port=port, sslmode="require")
    wait_ready(child, lambda: _refused(url), within_s=READY_S)
    yield port
    child.kill()


def _no_prepared_statements(pgbouncer: Path) -> str:
    """Since 1.21 it can carry them from connection to connection; older ones, and other poolers, cannot."""
    said = subprocess.run([pgbouncer, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = [int(one) for one in re.findall(r"\d+", said)[:2]]
    return "max_prepared_statements = 0\n" if numbers >= [1, 21] else ""


def _pooled(server: Server, port: int) -> str:
    return server.url(port=port, sslmode="verify-full", sslrootcert=server.root)


def test_through_a_transaction_pooler(new_site: Callable[..., Site], server: Server, pooler: int) -> None:
    """With `DATABASE_DIRECT_URL` beside it: every statement of web and consumer bears another connection each time."""
    direct = server.url(sslmode="verify-full", sslrootcert=server.root)
    site = new_site(DATABASE_URL=_pooled(server, pooler), DATABASE_DIRECT_URL=direct)
    site.prepare()
    url, _ = site.start_web()
    behind = site.start_behind()
    one_click_reaches_meta(site, url)
    sales = [site.order() for _ in range(40)]  # more than psycopg needs to begin preparing
    answers = [sale.deliver(via=url) for sale in sales]
    assert {answer.status for answer in answers} == {202}, next(one.text for one in answers if one.status != 202)
    wanted = len(sales) + 1
    wait_until(lambda: len(site.counted()), lambda seen: seen == wanted, goal="all sales counted", within_s=30)
    assert not [line for child in behind for line in child.log.read_text().splitlines() if " failed: " in line]


def test_what_breaks_behind_a_pooler_without_the_direct_url(
    new_site: Callable[..., Site], server: Server, pooler: int
) -> None:
    """Why there is such a setting: what is prepared, locked or listened to on one connection is not so on the next."""
    site = new_site(DATABASE_URL=server.url(sslmode="require"))
    site.prepare()
    site.env["DATABASE_URL"] = pooled = _pooled(server, pooler)
    url, _ = site.start_web()
    statuses = {site.order().deliver(via=url).status for _ in range(40)}
    assert statuses != {202}, "a pooler that bears prepared statements: say so in docs/deploy.md"
    with ExitStack() as stack:
        schedulers = [stack.enter_context(psycopg.connect(pooled, autocommit=True)) for _ in range(4)]
        leads = [one.execute("SELECT pg_try_advisory_lock(1)").fetchone() for one in schedulers]
        assert leads.count((True,)) > 1, "two schedulers may lead: the lock belongs to a connection that they share"
        relay = schedulers[0]
        relay.execute("LISTEN outbox")
        with psycopg.connect(server.url(sslmode="require"), autocommit=True) as web:
            web.execute("SELECT pg_notify('outbox', '')")
        assert list(relay.notifies(timeout=1, stop_after=1)) == [], "the ring reaches the pooler's connection only"
