"""A small deployment of the reference: any version, any number of replicas, over parts that stand for the cloud's."""

from __future__ import annotations

import hashlib
import hmac
import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from harness.probes.meta import MetaProbe
from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.ports import free_port
from harness.stack.postgres import LocalPostgres
from harness.stack.processes import Child, Nursery, wait_ready
from harness.stack.simulators import LocalSimulator
from harness.testing.answers import Answer
from harness.waiting import wait_until
from tests import command_line

ROOT = Path(__file__).parents[2]
PINNED = Path(__file__).with_name("previous_revision.txt")


class NoSuchRelease(Exception):
    """The revision is not in this clone; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of the reference, in a folder of its own."""

    name: str
    folder: Path

    def argv(self, *words: str) -> list[str]:
        """A command of this version's; -P, or Python would look into the working folder first."""
        return [sys.executable, "-P", "-m", "reference_impl", *words]

    def env(self) -> dict[str, str]:
        """What makes a child import this version and no other."""
        return {"PYTHONPATH": str(self.folder)}


THIS = Release("N", ROOT)


def git(*words: str) -> bytes:
    """What git says. Raises CalledProcessError."""
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def last_tag() -> str | None:
    """The newest tag before what is checked out; None while there is none."""
    try:
        return git("describe", "--tags", "--abbrev=0", "HEAD^").decode().strip()
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None


def previous_revision() -> str:
    """The newest tag, else the pinned commit."""
    if (tag := last_tag()) is not None:
        return tag
    lines = PINNED.read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def unpack(revision: str, folder: Path) -> Release:
    """That revision's `reference_impl`, under `folder`.

    Raises:
        NoSuchRelease: this clone does not hold it.
    """
    try:
        archive = git("archive", "--format=tar", revision, "reference_impl")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        said = getattr(error, "stderr", b"").decode().strip()
        raise NoSuchRelease(
            f"version N-1 is revision {revision}, which this clone does not hold ({said or error}). A shallow clone: "
            f"`git fetch --unshallow --tags`. Otherwise write the deployed commit into {PINNED.relative_to(ROOT)}."
        ) from None
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return Release(f"N-1 ({revision})", folder)


SECRET = "a-secret-that-nobody-says"
READY_S = 30
NUMBERS = itertools.count(1)


@dataclass
class Parts:
    """What every test of this folder shares."""

    nursery: Nursery
    folder: Path
    database_url: str
    aws_url: str
    meta_url: str

    def new_database(self) -> str:
        """An empty database of the test's own."""
        name = f"change_{uuid.uuid4().hex[:10]}"
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.database_url.replace("/postgres?", f"/{name}?")

    def site(self, logs: Path, **settings: str) -> Site:
        """A deployment over these parts; its logs go there."""
        return Site(self, logs, settings)


def base_env() -> dict[str, str]:
    """The environment of every child."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GOLIVE_", "AWS_"))}
    return {**env, **CREDENTIALS, "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="session")
def parts() -> Iterator[Parts]:
    """PostgreSQL, SQS with Secrets Manager, and a fake Meta."""
    with tempfile.TemporaryDirectory(prefix="golive-chg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may be another OS user's
        nursery = Nursery(lambda death: None)
        try:
            postgres, aws, meta = LocalPostgres(folder / "pg"), LocalAws(), LocalSimulator("meta")
            aws_child = aws.start(nursery, env=base_env(), log=folder / "aws.log")
            meta_child = meta.start(nursery, env=base_env(), log=folder / "meta.log")
            postgres.prepare()
            postgres_child = postgres.start(nursery, env=base_env(), log=folder / "postgres.log")
            postgres.wait_ready(postgres_child, within_s=READY_S)
            with psycopg.connect(postgres.url, autocommit=True) as connection:
                # Nothing here outlives a crash, and a dozen databases are long in reaching the disk.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            aws.wait_ready(aws_child, within_s=READY_S)
            meta.wait_ready(meta_child, within_s=READY_S)
            yield Parts(nursery, folder, postgres.url, aws.url, meta.url)
        finally:
            nursery.stop_all()


@dataclass
class Sale:
    """One sale in Hotmart's plan dialect; what `harness.testing.Traffic` needs of an order."""

    site: Site
    sale_id: str
    click_id: str | None = None

    def deliver(self, via: str | None = None) -> Answer:
        """Post it, rightly signed."""
        body = json.dumps(
            {
                "order_id": self.sale_id,
                "customer": {"email": f"{self.sale_id}@canary.example", "phone": "+5511987654321"},
                "amount": 99.90,
                "currency": "BRL",
                "status": "approved",
                "product_id": "p-1",
                **({"tracking": {"click_id": self.click_id}} if self.click_id else {}),
            }
        ).encode()
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        try:
            answer = self.site.http.post(
                f"{via}/api/v1/webhooks/hotmart/{self.site.tenant}",
                data=body,
                headers={"X-Signature": signature, "Content-Type": "application/json"},
                timeout=10,
            )
        except requests.RequestException as error:
            return Answer(status=None, text=type(error).__name__)
        return Answer(status=answer.status_code, text=answer.text, headers=answer.headers)


@dataclass
class Site:
    """One test's deployment: its own database, queues, tenant and pixel."""

    parts: Parts
    logs: Path
    settings: dict[str, str] = field(default_factory=dict)
    tenant: str = ""
    pixel_id: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        number = next(NUMBERS)
        self.tenant = f"t-{os.getpid()}-{number}"
        self.pixel_id = f"{os.getpid()}{number:04d}"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))
        self._children: list[Child] = []
        self.env = {
            **base_env(),
            "DATABASE_URL": "",
            "META_GRAPH_URL": self.parts.meta_url,
            "AWS_ENDPOINT_URL": self.parts.aws_url,
            "QUEUE_NAME": f"{self.tenant}-main",
            "DLQ_NAME": f"{self.tenant}-dlq",
            "VISIBILITY_S": "6",
            "META_TIMEOUT_S": "3",
            "RETRY_BASE_S": "0.1",
            "RETRY_MAX_S": "1",
            "HOLD_RECHECK_S": "0.5",
            "BREAKER_RESET_S": "1",
            "WEB_DRAIN_S": "1",
            **self.settings,
        }
        self.env["DATABASE_URL"] = self.env["DATABASE_URL"] or self.parts.new_database()

    # -- the operator ----------------------------------------------------------------------------------------

    def run(self, *words: str, given: str = "", release: Release = THIS) -> str:
        """One command to its end; its standard output. Only another version needs a process of its own."""
        if release is THIS:
            done = command_line.reference(*words, given=given, env=self.env)
        else:
            done = subprocess.run(
                release.argv(*words),
                input=given,
                capture_output=True,
                text=True,
                env={**self.env, **release.env()},
                timeout=90,
                check=False,
            )
        assert done.returncode == 0, f"{release.name}: {' '.join(words)} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def prepare(self) -> None:
        """Schema, queues and one tenant that uses Hotmart in the plan's dialect."""
        self.run("migrate")
        self.run("aws", "create")
        self.provision(self.tenant, self.pixel_id, hotmart="plan")

    def provision(self, tenant: str, pixel_id: str, **dialects: str) -> None:
        """One tenant that uses these gateways in these dialects, and its pixel at Meta."""
        wish = {
            "tenant": tenant,
            "pixel_id": pixel_id,
            "meta_token": f"EAA{tenant}",
            "gateways": {name: {"dialect": dialect, "secret": SECRET} for name, dialect in dialects.items()},
        }
        self.run("tenant", "create", "--json", "-", given=json.dumps({"tenants": [wish]}))
        tokens = {"tokens": [{"token": wish["meta_token"], "expires_at_s": None, "state": "valid"}]}
        pixel = f"{self.parts.meta_url}/_golive/pixels/{pixel_id}"
        self.http.put(pixel, json=tokens, timeout=5).raise_for_status()

    # -- processes -------------------------------------------------------------------------------------------

    def start(self, role: str, *words: str, release: Release = THIS) -> Child:
        """One process of that version."""
        name = f"{role}-{next(NUMBERS)}"
        env = {**self.env, **release.env()}
        child = self.parts.nursery.start(
            f"{self.tenant} {name}", release.argv(role, *words), owner="target", env=env, log=self.logs / name
        )
        self._children.append(child)
        return child

    def start_web(self, release: Release = THIS) -> tuple[str, Child]:
        """A front door of that version on a free port, once it is ready."""
        url = f"http://127.0.0.1:{(port := free_port())}"
        child = self.start("web", "--port", str(port), release=release)

        def complaint() -> str | None:
            try:
                answer = requests.get(f"{url}/health/ready", timeout=3)
            except requests.RequestException as error:
                return type(error).__name__
            return None if answer.ok else answer.text

        wait_ready(child, complaint, within_s=READY_S)
        return url, child

    def start_behind(self, release: Release = THIS) -> list[Child]:
        """Relay, consumer and scheduler of that version, once each says that it is up: before, SIGTERM just kills."""
        children = {role: self.start(role, release=release) for role in ("relay", "consumer", "scheduler")}
        for role, child in children.items():

            def complaint(role: str = role, child: Child = child) -> str | None:
                return (
                    None if f"{role}: up" in child.log.read_text(encoding="utf-8") else "it has not said that it is up"
                )

            wait_ready(child, complaint, within_s=READY_S)
        return list(children.values())

    @staticmethod
    def stop(*children: Child) -> None:
        """As a deployment does: SIGTERM, and time; all must end by themselves, with 0."""
        for child in children:
            if not child.expected:  # a second signal may meet an interpreter that has put its handlers away already
                child.ask_to_stop()
        for child in children:
            child.ensure_stopped(within_s=20)
            assert child.process.returncode == 0, f"{child.name} ended with {child.process.returncode}"

    def close(self) -> None:
        """Kill what is left."""
        for child in self._children:
            if child.running():
                child.kill()
        self.http.close()

    # -- what happens, and what came of it -------------------------------------------------------------------

    def gateway(self, _: str | None = None) -> Site:
        """For `Traffic`, which asks a pipeline for its gateway."""
        return self

    def order(self, click_id: str | None = None) -> Sale:
        """A new sale, perhaps one that came from a click."""
        return Sale(self, f"HT{next(NUMBERS):06d}", click_id)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A look into the database."""
        return psycopg.connect(self.env["DATABASE_URL"], autocommit=True)

    def counted(self) -> dict[str, list[str]]:
        """For each sale, the event ids under which Meta counted it."""
        found: dict[str, list[str]] = {}
        for one in MetaProbe(self.parts.meta_url, self.pixel_id).arrivals():
            if one.counted:
                found.setdefault(str(one.order_id), []).append(one.event_id)
        return found

    def every_sale_is_counted_once(self, sales: list[Sale], *, within_s: float = 60) -> dict[str, str]:
        """Wait for Meta; each sale's event id."""
        wanted = {sale.sale_id for sale in sales}
        counted = wait_until(
            self.counted, lambda seen: wanted <= set(seen), goal="every sale counted by Meta", within_s=within_s
        )
        doubled = {sale: ids for sale, ids in counted.items() if len(ids) > 1}
        assert not doubled, f"counted more than once: {doubled}"
        assert set(counted) == wanted, f"counted although nobody sold them: {set(counted) - wanted}"
        return {sale: ids[0] for sale, ids in counted.items()}


@pytest.fixture(scope="session")
def released_contract() -> dict[str, Any]:
    """The contract of the newest tag; while there is none, the one that was frozen when there first was one."""
    frozen = Path(__file__).with_name("released_openapi.json").read_bytes()
    try:
        text = git("show", f"{tag}:docs/openapi.json") if (tag := last_tag()) else frozen
    except subprocess.CalledProcessError:
        text = frozen
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def secret() -> str:
    """Every gateway's, of every tenant."""
    return SECRET


@pytest.fixture
def before(tmp_path: Path) -> Release:
    """Version N-1, unpacked from git."""
    return unpack(previous_revision(), tmp_path / "previous")


@pytest.fixture
def new_site(parts: Parts, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes deployments; whatever still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def make(**settings: str) -> Site:
            site = parts.site(tmp_path, **settings)
            stack.callback(site.close)
            return site

        yield make


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """One that is prepared; nothing of it runs yet."""
    site = new_site()
    site.prepare()
    return site
