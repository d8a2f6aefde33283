"""PostgreSQL and the AWS endpoint in containers of any image, by testcontainers.

Each container has a child of golive that keeps it (`container_keeper`); so a container that dies is noticed, a Ctrl-C
removes it, and when golive is killed the guardian asks the keepers to remove theirs. What is left even so (the machine
lost power, everything was killed at once) is known by its labels and removed when the next run starts.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import psycopg
import requests
from psycopg.sql import SQL, Identifier

from harness.errors import HarnessError, UsageError
from harness.stack.container_keeper import NO_REAPER, VARIABLE
from harness.stack.network import Links
from harness.stack.ports import free_port
from harness.stack.processes import Child, Nursery, wait_ready
from harness.target import Target
from simulators.loopback import is_loopback

if TYPE_CHECKING:
    import docker

POSTGRES_IMAGE = ("GOLIVE_POSTGRES_IMAGE", "postgres:17")
AWS_IMAGE = ("GOLIVE_AWS_IMAGE", "ministackorg/ministack:1.5.33")

_POSTGRES_PORT = 5432
_AWS_PORT = 4566
_ENGINE_S = 10
_PULL_S = 600

_LABEL = "golive.run"
"""Whose container it is: the machine, process and start of the golive that started it, as `_me` writes it."""


class _Contained:
    """What both parts share: a container that lives as long as its keeper."""

    def __init__(self, part: str, image: str, *, port: int) -> None:
        self._part = part
        self._image = image
        self._port = port
        # Its own choice and not the engine's, which would take another one at each start.
        self._host_port = free_port()
        self._name = f"golive-{part}-{os.getpid()}-{secrets.token_hex(4)}"
        self._started = False

    def _keep(
        self,
        nursery: Nursery,
        *,
        env: Mapping[str, str],
        log: Path,
        container_env: Mapping[str, str],
        command: list[str],
    ) -> Child:
        wish = {
            "name": self._name,
            "image": self._image,
            "port": self._port,
            "host_port": self._host_port,
            "env": dict(container_env),
            "command": command,
            "labels": {_LABEL: _me()},
        }
        self._started = True
        return nursery.start(
            self._part,
            [sys.executable, "-m", "harness.stack.container_keeper"],
            owner="harness",
            env={**env, **NO_REAPER, VARIABLE: json.dumps(wish)},
            log=log,
            tidies=True,
        )

    def _must_have_ended(self) -> None:
        with _client() as client:
            if client.containers.get(self._name).status == "running":
                raise HarnessError(f"the container {self._name} did not end")

    def discard(self) -> None:
        """Remove the container, if its keeper has not."""
        if self._started:
            with suppress(Exception), _client() as client:  # the next start looks again
                _remove(client, self._name)


class ContainedPostgres(_Contained):
    """One server with one database, reached over TCP with a password that nobody else knows."""

    def __init__(self, image: str) -> None:
        super().__init__("postgres", image, port=_POSTGRES_PORT)
        self._password = secrets.token_urlsafe(18)
        self.url = self._url("postgres")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._host_port}/{database}"

    @property
    def tools(self) -> Path | None:
        """Its psql is inside: on call needs the machine's own."""
        return None

    def prepare(self) -> None:
        """Nothing: the image writes its data folder when it is first started."""

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start it as the embedded one is set."""
        command = ["-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "log_min_messages=warning"]
        return self._keep(
            nursery, env=env, log=log, container_env={"POSTGRES_PASSWORD": self._password}, command=command
        )

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once it answers a connection."""

        def complaint() -> str | None:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                return f"it refuses connections ({str(error).strip().splitlines()[-1]})"
            return None

        wait_ready(child, complaint, within_s=within_s)

    def copy(self, name: str) -> str:
        """A new database with all that the first one holds, while nobody is connected to that; its URL."""
        with psycopg.connect(self._url("template1"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE postgres").format(Identifier(name)))
        return self._url(name)

    def stop(self, child: Child) -> None:
        """PostgreSQL's fast shutdown; the container stays, with its data.

        Raises:
            HarnessError: it is still there.
        """
        child.kill(signal.SIGINT)
        self._must_have_ended()

    def crash(self, child: Child, *, within_s: float) -> None:
        """Kill the first process of the container: the kernel kills all others with it.

        Raises:
            HarnessError: it is still there.
        """
        child.expected = True
        child.send(signal.SIGQUIT)
        child.ensure_stopped(within_s=within_s)
        self._must_have_ended()

    def link(self, links: Links, url: str, *, through: Path) -> None:  # noqa: ARG002 -- for sockets, of which it has none
        """Stand in the way to its port."""
        links.to_server("database", url)


class ContainedAws(_Contained):
    """An AWS endpoint: ministack, or whatever else listens on 4566."""

    def __init__(self, image: str) -> None:
        super().__init__("aws", image, port=_AWS_PORT)
        self.url = f"http://127.0.0.1:{self._host_port}"

    def start(self, nursery: Nursery, *, env: Mapping[str, str], log: Path) -> Child:
        """Start it."""
        return self._keep(nursery, env=env, log=log, container_env={}, command=[])

    def wait_ready(self, child: Child, *, within_s: float) -> None:
        """Return once something answers there: the engine takes connections before the container does."""

        def complaint() -> str | None:
            try:
                requests.get(self.url, timeout=2)
            except requests.RequestException:
                return "nothing answers"
            return None

        wait_ready(child, complaint, within_s=within_s)


class ContainersEngine:
    """Containers of images that the user chooses."""

    name = "containers"
    in_sight = False
    stays: str | None = "the parts in containers keep the machine's time; `--engine local` has parts that travel"
    ready_s = 120.0  # an engine that has just unpacked an image on a busy disk: seen, 23 s

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._postgres_image = environment.get(POSTGRES_IMAGE[0]) or POSTGRES_IMAGE[1]
        self._aws_image = environment.get(AWS_IMAGE[0]) or AWS_IMAGE[1]
        self.note = f"in containers: {self._postgres_image}, {self._aws_image}"

    def ready(self, target: Target, tell: Callable[[str], None]) -> None:
        """Return if an engine answers and has the images; what an earlier run has left is removed.

        Raises:
            UsageError: none answers, or an image is not to be had; with the next step.
        """
        if find_spec("testcontainers") is None:
            raise UsageError("--engine containers needs testcontainers: install golive[containers].")
        with _client() as client:
            for name in remove_leftovers(client):
                tell(f"removed {name}, which a run that was killed had left")
            wanted = {"database_url": (POSTGRES_IMAGE, self._postgres_image), "aws_url": (AWS_IMAGE, self._aws_image)}
            for placeholder, ((variable, _), image) in wanted.items():
                if target.needs(placeholder):
                    _have(client, image, variable, tell)

    def database(self, folder: Path) -> ContainedPostgres:  # noqa: ARG002 -- its data is in the container
        """A PostgreSQL that is not started yet."""
        return ContainedPostgres(self._postgres_image)

    def aws(self) -> ContainedAws:
        """An AWS endpoint that is not started yet."""
        return ContainedAws(self._aws_image)


def remove_leftovers(client: docker.DockerClient) -> list[str]:
    """Remove the containers of golives that ran on this machine and are dead; their names."""
    found = []
    for one in client.containers.list(all=True, filters={"label": _LABEL}, ignore_removed=True):
        if _orphan(str(one.labels[_LABEL])):
            _remove(client, one.id)
            found.append(str(one.name))
    return found


def _me() -> str:
    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time():.2f}"


def _orphan(label: str) -> bool:
    """Whether the golive that it names ran here and is dead; of another machine's nobody here can know."""
    host, _, process = label.partition(" ")
    pid, _, started_s = process.partition(" ")
    if host != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started_s)) >= 1
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, ValueError):
        return False


def _remove(client: docker.DockerClient, name: str) -> None:
    import docker.errors  # noqa: PLC0415 -- an extra

    with suppress(docker.errors.NotFound):
        client.containers.get(name).remove(force=True, v=True)


def _client() -> Any:
    """testcontainers' own, so that both look at the same engine.

    Raises:
        UsageError: none answers, or it is on another machine.
    """
    import docker.errors  # noqa: PLC0415 -- an extra
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 -- an extra

    try:
        client: docker.DockerClient = DockerClient(timeout=_ENGINE_S).client
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise UsageError(
            f"--engine containers found no container engine that answers ({_first_line(error)}). "
            "Start one (`docker info` says whether it runs; DOCKER_HOST names another socket), or use --engine local."
        ) from None
    host = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if host.scheme in ("tcp", "ssh", "http", "https") and not is_loopback(host.hostname or ""):
        raise UsageError(
            f"The container engine is on {host.hostname!r}. Our containers listen on 127.0.0.1 of the engine's machine "
            "only, and could not be reached: use an engine on this machine, or --engine local."
        )
    return _Closing(client)


class _Closing:
    """A client that is closed at the end of a `with`."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def __enter__(self) -> docker.DockerClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


def _have(client: docker.DockerClient, image: str, variable: str, tell: Callable[[str], None]) -> None:
    import docker.errors  # noqa: PLC0415 -- an extra

    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        tell(f"pulling {image} (only this once)")
        client.api.timeout = _PULL_S
        try:
            client.images.pull(image)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise UsageError(
                f"The image {image} is not on this machine and could not be pulled ({_first_line(error)}). "
                f"Pull it by hand (`docker pull {image}`), or name another one: {variable}=IMAGE."
            ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
