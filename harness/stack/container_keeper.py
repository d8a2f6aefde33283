"""Keeps one container: the child that stands for it, so that the nursery can watch it as it watches every other.

`python -m harness.stack.container_keeper` reads what to start from GOLIVE_CONTAINER (JSON, see `Wish`), starts it with
testcontainers, or starts the container of that name again if there is one, writes the container's log to its own, and
ends when the container ends, with its exit code. Three signals end it on purpose:

    SIGTERM  the container is removed, with its data
    SIGINT   its main process gets SIGINT (PostgreSQL's fast shutdown); the container stays, to be started again
    SIGQUIT  its main process is killed, and all others with it, as `kill -9` does; the container stays
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker.models.containers import Container

VARIABLE = "GOLIVE_CONTAINER"

#: What testcontainers' own reaper does is done by labels here (`containers.remove_leftovers`): its image would have to
#: be pulled, and it would want the engine's socket inside a container.
NO_REAPER = {"TESTCONTAINERS_RYUK_DISABLED": "true"}

#: As `docker` has it; PostgreSQL's parallel workers want more than the default 64 MB.
_SHARED_MEMORY = "256m"

#: So long may the end of a dead container's log take to be written down.
_LAST_WORDS_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One container: what runs in it, and the one port of it that is published, on 127.0.0.1 only."""

    name: str
    image: str
    port: int
    """Inside."""
    host_port: int
    env: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    """Appended to the image's entry point; empty: the image's own command."""
    labels: dict[str, str] = field(default_factory=dict)


def run(wish: Wish) -> Container:
    """Start it anew, or again."""
    import docker.errors  # noqa: PLC0415 -- an extra, and slow to import
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 -- an extra, and slow to import

    made = DockerContainer(wish.image, name=wish.name, labels=wish.labels, shm_size=_SHARED_MEMORY)
    client = made.get_docker_client().client
    try:
        found = client.containers.get(wish.name)
    except docker.errors.NotFound:
        made.with_envs(**wish.env)
        if wish.command:
            made.with_command(wish.command)
        # `with_bind_ports` knows no address, and would publish on every interface.
        made.ports[f"{wish.port}/tcp"] = ("127.0.0.1", wish.host_port)  # type: ignore[assignment]
        return made.start().get_wrapped_container()
    found.start()
    return found


def keep(container: Container, happened: SimpleQueue[int]) -> int:
    """Wait until it ends, or until a signal (its number, negative) asks us to end it; the exit code."""
    log = threading.Thread(target=_copy_log, args=(container,), daemon=True)
    log.start()
    threading.Thread(target=lambda: happened.put(int(container.wait()["StatusCode"])), daemon=True).start()
    what = happened.get()
    if what >= 0:
        log.join(_LAST_WORDS_S)
        print(f"the container {container.name} ended with exit code {what}", flush=True)  # noqa: T201 -- our log
        return what or 1  # nobody had asked for it
    _DO[signal.Signals(-what)](container)
    if -what != signal.SIGTERM:
        happened.get()  # the container's own end
        log.join(_LAST_WORDS_S)
    return 0


def _copy_log(container: Container) -> None:
    for piece in container.logs(stream=True, follow=True, since=_started_s(container)):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _started_s(container: Container) -> float:
    """When it was started last, so that a log is not written twice."""
    container.reload()
    return datetime.fromisoformat(str(container.attrs["State"]["StartedAt"])[:19] + "+00:00").timestamp()


def _remove(container: Container) -> None:
    container.remove(force=True, v=True)


_DO: dict[signal.Signals, Any] = {
    signal.SIGTERM: _remove,
    signal.SIGINT: lambda container: container.kill(signal.SIGINT),
    signal.SIGQUIT: lambda container: container.kill(signal.SIGKILL),
}


def main() -> int:
    """Start, keep, end."""
    happened: SimpleQueue[int] = SimpleQueue()
    for number in _DO:
        signal.signal(number, lambda got, _: happened.put(-got))
    return keep(run(Wish(**json.loads(os.environ[VARIABLE]))), happened)


if __name__ == "__main__":
    sys.exit(main())
