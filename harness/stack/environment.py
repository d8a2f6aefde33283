"""A local environment to develop against: fakes on stable ports, until somebody ends it.

What runs is written to a private file, so that `golive status` and `golive down` in another terminal know of it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from harness.errors import HarnessError, UsageError
from harness.stack.processes import Child, Death, Nursery, wait_ready
from harness.stack.simulators import LocalSimulator
from simulators import serving

LOOPBACK = "127.0.0.1"
CONSOLE = "console"
#: Started when nothing else is asked for.
USUAL = ("meta", "gateways", CONSOLE)
#: The first ports are theirs for ever, so that a port means the same thing tomorrow; others follow by name.
_PLACES = (*USUAL, "pagerduty")
_VARIABLES = {"meta": "META_GRAPH_URL"}
_READY_S = 20
_STOP_S = 15
_CONSOLE_KEY = "GOLIVE_CONSOLE_KEY"
#: The first line of a file that we may overwrite.
ENV_FILE_MARK = "# Written by `golive up`; it is overwritten each time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One fake that runs."""

    name: str
    url: str
    pid: int
    log: str

    @property
    def variable(self) -> str:
        """The environment variable that tells where it is."""
        return _VARIABLES.get(self.name, f"{self.name.upper()}_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of one environment; the file holds a key, so it is for its owner's eyes only."""

    pid: int
    started_s: float
    port_base: int
    listen: str
    env_file: str | None
    key: str
    services: tuple[Service, ...]

    def running(self) -> bool:
        """Whether the process that owns it is alive, and is the one that wrote this."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started_s) < 1
        except psutil.Error:
            return False

    def to_json(self) -> dict[str, Any]:
        """For a program to read; without the key."""
        told = asdict(self)
        del told["key"]
        return told

    def find(self, name: str) -> Service | None:
        """The service of that name."""
        return next((one for one in self.services if one.name == name), None)

    def console_link(self) -> str | None:
        """Where a browser may look: with a new one-time token if the console can be reached by others."""
        console = self.find(CONSOLE)
        if console is None or not self.key:
            return console.url if console else None
        try:
            answer = _post(f"{console.url}/api/invite", headers={"Authorization": f"Bearer {self.key}"})
            path = str(answer.json()["path"])
        except (requests.RequestException, ValueError, KeyError):
            return None
        port = console.url.rpartition(":")[2]
        return f"http://{_name_for_others(self.listen)}:{port}{path}"


# -- where it is written -------------------------------------------------------------------------------------


def state_folder() -> Path:
    """The private folder of all environments of this user, made."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = home / "golive"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def state_path(port_base: int) -> Path:
    """Where the environment on these ports is written down."""
    return state_folder() / f"up-{port_base}.json"


def read_states() -> list[State]:
    """All environments that run; what is left of those that died is removed."""
    found = []
    for path in sorted(state_folder().glob("up-*.json")):
        state = _read(path)
        if state is not None and state.running():
            found.append(state)
        else:
            path.unlink(missing_ok=True)
            path.with_suffix(".log").unlink(missing_ok=True)
    return found


def read_state(port_base: int) -> State | None:
    """The environment on these ports, if it runs."""
    return next((one for one in read_states() if one.port_base == port_base), None)


def _read(path: Path) -> State | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        told["services"] = tuple(Service(**one) for one in told["services"])
        return State(**told)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write_private(path: Path, text: str) -> None:
    """At once or not at all, for the owner alone."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


# -- ports ---------------------------------------------------------------------------------------------------


def ports(port_base: int) -> Mapping[str, int]:
    """The port of every fake that there is.

    Raises:
        UsageError: there are no such ports.
    """
    others = sorted(set(serving.discover()) - set(_PLACES))
    places = {name: port_base + number for number, name in enumerate((*_PLACES, *others))}
    if not 1024 <= port_base <= 65535 - len(places):
        raise UsageError(f"--port-base is from 1024 to {65535 - len(places)}, not {port_base}.")
    return places


def startable() -> tuple[str, ...]:
    """The fakes that can be asked for."""
    return tuple(sorted(serving.discover()))


def check_free(wanted: Mapping[str, int], hosts: Mapping[str, str]) -> None:
    """Return if all of these ports can be had.

    Raises:
        UsageError: one is taken; says for which fake, by whom, and what to do.
    """
    for name, port in wanted.items():
        try:
            serving.bind(hosts.get(name, LOOPBACK), port).close()
        except OSError as error:
            host = hosts.get(name, LOOPBACK)
            raise UsageError(
                f"The fake {name} cannot listen on {host}:{port}: {error.strerror}.{_holder(port)} "
                "Or choose other ports with --port-base N."
            ) from None


def _holder(port: int) -> str:
    for state in read_states():
        if any(one.url.endswith(f":{port}") for one in state.services):
            return f" A golive up holds it (pid {state.pid}): `golive down --port-base {state.port_base}` ends it."
    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
                return f" It is held by {psutil.Process(one.pid).name()}, pid {one.pid}: end that one."
    return " Somebody else listens there, who cannot be seen from here."


# -- running -------------------------------------------------------------------------------------------------


class Environment:
    """The fakes while they run; leaves nothing behind but the `--env-file` that was asked for."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        port_base: int,
        listen: str,
        env_file: Path | None,
        on_death: Callable[[Death], None],
        published: bool = False,
    ) -> None:
        self._published = published
        self._names = [name for name in names if name != CONSOLE] + [name for name in names if name == CONSOLE]
        self._port_base = port_base
        self._listen = listen
        self._env_file = env_file
        self._key = "" if ipaddress.ip_address(listen).is_loopback else secrets.token_urlsafe(32)
        self._lock = threading.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="golive-up-"))
        self._nursery = Nursery(on_death)
        self._nursery.sweep_later(self.folder)
        self._services: dict[str, Service] = {}

    def start(self) -> State:
        """Bring everything up and write it down.

        Raises:
            UsageError: a port is taken, or the env file is somebody else's. HarnessError: a fake does not start.
        """
        check_env_file(self._env_file)
        chosen = {name: port for name, port in ports(self._port_base).items() if name in self._names}
        check_free(chosen, {CONSOLE: self._listen})
        fakes = [name for name in self._names if name != CONSOLE]
        if fakes:
            with ThreadPoolExecutor(len(fakes)) as pool:
                waits = [pool.submit(self._ready, *self._launch(name, chosen[name])) for name in fakes]
                for wait in waits:
                    wait.result()
        if CONSOLE in self._names:
            self._ready(*self._launch(CONSOLE, chosen[CONSOLE]))
        if self._published:
            self._forward([chosen[name] for name in self._names])
        state = State(
            pid=os.getpid(),
            started_s=psutil.Process().create_time(),
            port_base=self._port_base,
            listen=self._listen,
            env_file=str(self._env_file.resolve()) if self._env_file else None,
            key=self._key,
            services=tuple(self._services[name] for name in self._names),
        )
        if self._env_file:
            write_env_file(self._env_file, state.services)
        _write_private(state_path(self._port_base), json.dumps(asdict(state)))
        return state

    def _forward(self, ports: Sequence[int]) -> None:
        argv = [sys.executable, "-m", "harness.stack.forward", own_address(), *map(str, ports)]
        child = self._nursery.start(
            "published ports", argv, owner="harness", env=_env(), log=self.folder / "forward.log"
        )
        said = child.log
        wait_ready(
            child,
            lambda: None if "ready" in said.read_text(encoding="utf-8") else "it does not listen yet",
            within_s=_READY_S,
        )

    def _launch(self, name: str, port: int) -> tuple[LocalSimulator, Child]:
        simulator = LocalSimulator(name)
        options: tuple[str, ...] = ("--port", str(port))
        env = _env()
        if name == "meta":
            options += ("--open",)
        elif name == CONSOLE:
            options += ("--host", self._listen)
            for fake in ("gateways", "meta"):
                if fake in self._services:
                    options += (f"--{fake}-url", self._services[fake].url)
            if self._key:
                env[_CONSOLE_KEY] = self._key
        return simulator, simulator.start(self._nursery, env=env, log=self.folder / f"{name}.log", options=options)

    def _ready(self, simulator: LocalSimulator, child: Child) -> None:
        simulator.wait_ready(child, within_s=_READY_S)
        service = Service(name=simulator.name, url=simulator.url, pid=child.pid, log=str(child.log))
        with self._lock:
            self._services[simulator.name] = service

    def stop(self) -> None:
        """End everything; safe to call twice."""
        mine = _read(path := state_path(self._port_base))
        if mine is not None and mine.pid == os.getpid():
            path.unlink(missing_ok=True)
        self._nursery.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)


def in_a_container() -> bool:
    """Whether this is the inside of a container, as Docker and Podman mark it."""
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def own_address() -> str:
    """The address of this container, at which its published ports arrive.

    Raises:
        UsageError: it has none but loopback.
    """
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    except OSError:
        found = set()
    for address in sorted(found):
        if not ipaddress.ip_address(address).is_loopback:
            return address
    raise UsageError("--published: this container has no address of its own; with --network host leave it out.")


def _env() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GOLIVE_"))}
    return {**env, "PYTHONUNBUFFERED": "1"}


def check_env_file(path: Path | None) -> None:
    """Return if we may write there.

    Raises:
        UsageError: it holds something that we have not written.
    """
    if path is None:
        return
    if not path.resolve().parent.is_dir():
        raise UsageError(f"--env-file {path}: there is no folder {path.resolve().parent}.")
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    except OSError as error:
        raise UsageError(f"--env-file {path}: {error.strerror}.") from None
    if text and not text.startswith(ENV_FILE_MARK):
        raise UsageError(f"--env-file {path} was not written by golive up and would be lost. Name another file.")


def write_env_file(path: Path, services: Sequence[Service]) -> None:
    """A line for each fake: `META_GRAPH_URL=…`."""
    lines = [ENV_FILE_MARK, *(f"{one.variable}={one.url}" for one in services)]
    try:
        _write_private(path.resolve(), "\n".join(lines) + "\n")
    except OSError as error:
        raise UsageError(f"--env-file {path}: {error.strerror}.") from None


# -- from another terminal -----------------------------------------------------------------------------------


def answers(service: Service) -> bool:
    """Whether it says that it is well."""
    with requests.Session() as session, suppress(requests.RequestException):
        session.trust_env = False
        return session.get(f"{service.url}/_golive/health", timeout=2).ok
    return False


def end(state: State) -> None:
    """Ask the owner to end it all, and wait until everything is gone.

    Raises:
        HarnessError: something is still there.
    """
    with suppress(psutil.NoSuchProcess):
        owner = psutil.Process(state.pid)
        family = [owner, *owner.children(recursive=True)]
        owner.terminate()
        _, alive = psutil.wait_procs(family, timeout=_STOP_S)
        for one in alive:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        _, alive = psutil.wait_procs(alive, timeout=5)
        if alive:
            raise HarnessError(f"these processes do not end: {', '.join(str(one.pid) for one in alive)}")
    path = state_path(state.port_base)
    path.unlink(missing_ok=True)
    path.with_suffix(".log").unlink(missing_ok=True)


def spawn(arguments: Sequence[str], *, port_base: int) -> State:
    """Start `golive up` in the background; return when everything is up.

    Raises:
        HarnessError: it ended, or was not ready in time.
    """
    log = state_path(port_base).with_suffix(".log")
    log.unlink(missing_ok=True)
    log.touch(mode=0o600)
    argv = [sys.executable, "-c", "from harness.cli.main import main; main()", "up", *arguments]
    child = Child("golive up", argv, owner="harness", env=dict(os.environ), log=log)
    found: list[State] = []

    def complaint() -> str | None:
        state = _read(state_path(port_base))
        if state is None or state.pid != child.pid:
            return "it has not written down where everything is"
        found[:] = [state]
        return None

    wait_ready(child, complaint, within_s=2 * _READY_S)
    return found[0]


def _post(url: str, *, headers: Mapping[str, str]) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, headers=dict(headers), timeout=5)
        answer.raise_for_status()
        return answer


def _name_for_others(listen: str) -> str:
    """An address of this machine that others can type; for 0.0.0.0 the one that faces the network."""
    address = ipaddress.ip_address(listen)
    if not address.is_unspecified:
        return f"[{listen}]" if address.version == 6 else listen
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # a datagram socket: nothing is sent
        return str(probe.getsockname()[0])
    return socket.gethostname()
