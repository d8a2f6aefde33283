"""`--engine containers` on a real container engine, with images that `tests/containers/make_images.sh` makes here.

Where no engine runs, these say so; in CI `.ci/nightly` has started one, and a skip is a failure. What is said without
an engine or an image needs none: test_containers_lacking.py.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import requests
import yaml

from harness.stack.containers import ContainedPostgres, ContainersEngine, remove_leftovers
from harness.stack.ports import free_port
from harness.stack.processes import Death, Nursery
from harness.waiting import wait_until

pytestmark = pytest.mark.nightly

docker = pytest.importorskip("docker")

GOLIVE = str(Path(sys.executable).parent / "golive")
MAKE_IMAGES = Path(__file__).parents[1] / "containers" / "make_images.sh"
IMAGES = {"GOLIVE_POSTGRES_IMAGE": "golive-test/postgres", "GOLIVE_AWS_IMAGE": "golive-test/aws"}
LIMIT_S = 300


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    """A client of the engine that runs here, with our images in it."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except docker.errors.DockerException:
        pytest.skip("no container engine answers")
    here = {tag.partition(":")[0] for image in client.images.list() for tag in image.tags}
    missing = [name.rpartition("/")[2] for name in IMAGES.values() if name not in here]
    if missing:
        subprocess.run([MAKE_IMAGES, *missing], check=True, timeout=LIMIT_S)
    yield client
    client.close()


def ours(client: Any, owner: int) -> list[Any]:
    """The containers of the golive with that process id, in whatever state."""
    found = client.containers.list(all=True, filters={"label": "golive.run"}, ignore_removed=True)
    return [one for one in found if one.labels["golive.run"].split()[1] == str(owner)]


def wait_gone(client: Any, owner: int) -> None:
    """Return once none is left."""
    wait_until(
        lambda: [one.name for one in ours(client, owner)], lambda left: not left, goal="no container", within_s=60
    )


def golive(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A `golive` that runs."""
    return subprocess.Popen(
        [GOLIVE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **IMAGES, "COLUMNS": "200", **environment},
    )


def until_says(process: subprocess.Popen[str], words: str) -> None:
    """Read what it says until these words stand in a line."""
    said = []
    for line in process.stdout or ():
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"golive never said {words!r}: {''.join(said)}")


def test_the_smoke_suite_is_go_on_containers(engine: Any, tmp_path: Path) -> None:
    """On two containers that nobody but this machine can reach, and of which nothing is left."""
    run = golive("run", "--engine", "containers", "--suite", "smoke", "--out", str(tmp_path / "run"))
    until_says(run, "target prepared")
    running = ours(engine, run.pid)
    published = [binding["HostIp"] for one in running for port in one.ports.values() for binding in (port or ())]
    said, _ = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 0, said
    assert sorted(one.image.tags[0] for one in running) == ["golive-test/aws:latest", "golive-test/postgres:latest"]
    assert published == ["127.0.0.1", "127.0.0.1"]
    told = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert told["verdict"] == "GO"
    assert {one["outcome"] for one in told["scenarios"]} == {"passed"}
    assert "golive-test/postgres" in told["machine"]
    assert "--engine containers" in told["command"]
    assert ours(engine, run.pid) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_that_is_ended_leaves_no_container(
    engine: Any, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """By Ctrl-C; and by `kill -9`, where the guardian asks the keepers to tidy up."""
    run = golive("run", "--engine", "containers", "--suite", "smoke", "--out", str(tmp_path / "run"))
    until_says(run, "target prepared")
    assert len(ours(engine, run.pid)) == 2
    run.send_signal(number)
    run.communicate(timeout=LIMIT_S)
    assert run.returncode == code
    wait_gone(engine, run.pid)


def test_what_a_dead_golive_has_left_is_removed_at_the_next_start(engine: Any) -> None:
    """And nothing else: not what a living one runs, nor what belongs to another machine that shares the engine."""
    me, host = psutil.Process(), socket.gethostname()
    labels = {
        "dead": f"{host} {2**22 + 1} 1.00",
        "reused": f"{host} {me.pid} {me.create_time() - 5000:.2f}",
        "living": f"{host} {me.pid} {me.create_time():.2f}",
        "elsewhere": f"not-{host} {2**22 + 1} 1.00",
        "odd": "who knows",
    }
    names = {what: f"golive-test-{what}-{uuid.uuid4().hex[:6]}" for what in labels}
    try:
        for what, label in labels.items():
            engine.containers.create("golive-test/aws", name=names[what], labels={"golive.run": label})
        removed = remove_leftovers(engine)
        left = {one.name for one in engine.containers.list(all=True)}
        assert {what for what, name in names.items() if name in removed} == {"dead", "reused"}
        assert {what for what, name in names.items() if name in left} == {"living", "elsewhere", "odd"}
    finally:
        for one in engine.containers.list(all=True):
            if one.name in names.values():
                one.remove(force=True)


def test_postgres_is_stopped_and_crashed_and_keeps_what_it_has_committed(engine: Any, tmp_path: Path) -> None:
    """At the same address, as faults need it; and one that dies by itself is told of."""
    deaths: list[Death] = []
    nursery, database = Nursery(deaths.append), ContainedPostgres("golive-test/postgres")
    within_s = ContainersEngine({}).ready_s

    def start() -> Any:
        child = database.start(nursery, env=os.environ, log=tmp_path / "log")
        database.wait_ready(child, within_s=within_s)
        return child

    try:
        child = start()
        with psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE kept (what text)")
        for end in (database.stop, partial(database.crash, within_s=within_s)):
            with psycopg.connect(database.url) as connection:
                connection.execute("INSERT INTO kept VALUES ('committed')")
            end(child)
            assert not child.running()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(database.url, connect_timeout=5)
            child = start()
        with psycopg.connect(database.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert "received fast shutdown request" in log
        assert "was not properly shut down" in log
        assert deaths == []
        (mine,) = ours(engine, os.getpid())
        mine.kill()
        wait_until(lambda: list(deaths), bool, goal="the death is told", within_s=30)
        assert deaths[0].name == "postgres"
    finally:
        nursery.stop_all()
        database.discard()
    assert ours(engine, os.getpid()) == []


def test_an_image_that_is_not_to_be_had_is_named(engine: Any, tmp_path: Path) -> None:
    """With the variable that names another one."""
    missing = {"GOLIVE_POSTGRES_IMAGE": "golive-test/there-is-none"}
    run = golive("run", "--engine", "containers", "--suite", "smoke", "--out", str(tmp_path / "run"), **missing)
    said, _ = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 2
    assert "docker pull golive-test/there-is-none" in " ".join(said.split())
    assert "GOLIVE_POSTGRES_IMAGE=IMAGE" in " ".join(said.split())
    assert "Traceback" not in said


def test_the_image_answers_as_compose_runs_it(engine: Any) -> None:
    """Built by the project's Dockerfile: not root, without rights, on a read-only disk; its ports on loopback only."""
    built = {tag for image in engine.images.list() for tag in image.tags}
    if "golive-test/golive:latest" not in built:
        subprocess.run([MAKE_IMAGES.with_name("build_image.sh")], check=True, timeout=2 * LIMIT_S)
    asked = yaml.safe_load((MAKE_IMAGES.parents[2] / "compose.yaml").read_text(encoding="utf-8"))["services"]["golive"]
    ports = [free_port() for _ in asked["ports"]]
    running = engine.containers.run(
        "golive-test/golive",
        asked["command"],
        detach=True,
        init=asked["init"],
        read_only=asked["read_only"],
        tmpfs=dict(one.partition(":")[::2] for one in asked["tmpfs"]),
        cap_drop=asked["cap_drop"],
        security_opt=asked["security_opt"],
        ports={
            f"{one.rpartition(':')[2]}/tcp": ("127.0.0.1", port)
            for one, port in zip(asked["ports"], ports, strict=True)
        },
    )
    try:

        def complaint() -> list[str]:
            running.reload()
            assert running.status in ("created", "running"), running.logs().decode()
            return [text for port, path in zip(ports, _PATHS, strict=True) if (text := _answer(port, path)) != "200"]

        wait_until(complaint, lambda found: not found, goal="all three fakes answer", within_s=60)
        assert running.exec_run(["/bin/sh", "-c", "echo $EUID"]).output.decode().strip() == "10001"
        assert running.exec_run(["golive", "status"]).exit_code == 0
        running.stop(timeout=20)
        assert running.wait()["StatusCode"] == 0  # ended by its user; 137 would be killed
        assert "nothing is left running" in running.logs().decode()
    finally:
        running.remove(force=True, v=True)


_PATHS = ("/_golive/health", "/_golive/health", "/")


def _answer(port: int, path: str) -> str:
    try:
        return str(requests.get(f"http://127.0.0.1:{port}{path}", timeout=2).status_code)
    except requests.RequestException as error:
        return type(error).__name__
