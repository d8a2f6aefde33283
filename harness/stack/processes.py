"""Children: started with a log, watched, and ended. A dead child ends every wait for it at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError, UsageError
from harness.stack import guardian
from harness.stack.fork_server import Process

Owner = Literal["target", "harness"]

#: How much of a dead child's log an error shows.
LOG_TAIL_CHARS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A child that ended although nobody had asked it to."""

    name: str
    owner: Owner
    exit_code: int
    log: Path

    def sentence(self) -> str:
        """What died, how, and where to read on."""
        return f"{self.name} {how_it_ended(self.exit_code)} although nobody had stopped it. Its log: {self.log}"


class ExitedEarly(HarnessError):
    """A child ended before it was ready."""

    def __init__(self, name: str, exit_code: int, log: Path) -> None:
        super().__init__(f"{name} {how_it_ended(exit_code)} before it was ready. The end of {log}:\n{tail(log)}")


def how_it_ended(exit_code: int) -> str:
    """An exit code in words."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"was killed by signal {-exit_code}"


def tail(log: Path) -> str:
    """The end of a log, or a word that there is none."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARS:].strip() or "(empty)"
    except FileNotFoundError:
        return "(no log)"


#: Between two looks whether a child is ready: a look costs milliseconds that the child could use.
_LOOK_EVERY_S = 0.05


class Child:
    """One process that golive started, in a process group of its own."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        owner: Owner,
        env: Mapping[str, str],
        log: Path,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        tidies: bool = False,
        piped: bool = False,
        popen: Callable[..., Process] = subprocess.Popen,
    ) -> None:
        self.name = name
        self.owner = owner
        self.log = log
        self.stop_signal = stop_signal
        self.tidies = tidies
        """Whether it has something to remove that is not its own process: even the guardian asks before it kills."""
        self.expected = piped
        """Whether its end is wanted, or noticed by whoever reads its output; then the watcher stays silent."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            try:
                self.process = popen(
                    list(argv),
                    stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if piped else out,
                    stderr=out,
                    env=dict(env),
                    start_new_session=True,
                    user=user,
                )
            except FileNotFoundError:
                raise UsageError(f"{name} cannot be started: there is no command {argv[0]!r}.") from None

    @property
    def pid(self) -> int:
        """Its process id, which is its group's as well."""
        return self.process.pid

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ask_to_stop(self) -> None:
        """Ask politely, without waiting."""
        self.expected = True
        if self.running():
            self.send(self.stop_signal)

    def ensure_stopped(self, *, within_s: float = 8) -> None:
        """Wait for a polite end, then insist."""
        self.expected = True
        try:
            self.process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.process.wait()
        self.send(signal.SIGKILL)  # whatever of its own children outlived it

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it as a fault would, on purpose, and wait until it is gone."""
        self.expected = True
        self.send(number)
        self.ensure_stopped()


def wait_ready(child: Child, complaint: Callable[[], str | None], *, within_s: float) -> None:
    """Return once there is no complaint left; a dead child ends the wait at once.

    Raises:
        ExitedEarly: it died. HarnessError: it is still not ready.
    """
    deadline = time.monotonic() + within_s
    while text := complaint():
        if time.monotonic() > deadline:
            raise HarnessError(
                f"{child.name} was not ready within {within_s:g} s: {text}. The end of {child.log}:\n{tail(child.log)}"
            )
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = child.process.wait(timeout=_LOOK_EVERY_S)
            raise ExitedEarly(child.name, exit_code, child.log)


class Nursery:
    """All children of a run, with a guardian that outlives us and watchers that report a death."""

    def __init__(self, on_death: Callable[[Death], None]) -> None:
        self._on_death = on_death
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def _tell_guardian(self, line: str) -> None:
        if self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._guardian.stdin.write(line + "\n")
                self._guardian.stdin.flush()

    def sweep_later(self, path: Path) -> None:
        """Have the folder or file removed even if golive is killed."""
        self._tell_guardian(f"path {path}")

    def start(self, name: str, argv: Sequence[str], **options: object) -> Child:
        """Start and watch a child; `options` are those of Child.

        Raises:
            HarnessError: a child of that name is still running, and would be forgotten.
        """
        with self._lock:
            if name in self._children and self._children[name].running():
                raise HarnessError(f"{name} is running already")
        child = Child(name, argv, **options)  # type: ignore[arg-type]  # passed through, checked by Child
        with self._lock:
            self._children[name] = child
            self._tell_guardian(f"{'tidy' if child.tidies else 'pid'} {child.pid}")
        threading.Thread(target=self._watch, args=(child,), daemon=True, name=f"watch {name}").start()
        return child

    def _watch(self, child: Child) -> None:
        exit_code = child.process.wait()
        with self._lock:
            self._tell_guardian(f"gone {child.pid}")
        if not child.expected:
            self._on_death(Death(name=child.name, owner=child.owner, exit_code=exit_code, log=child.log))

    def get(self, name: str) -> Child:
        """The child of that name that was started last."""
        return self._children[name]

    def names(self, owner: Owner) -> tuple[str, ...]:
        """The names of all children of that owner, in the order of their start."""
        return tuple(name for name, child in self._children.items() if child.owner == owner)

    def stop_all(self) -> None:
        """End everything, the target's processes first; safe to call twice."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            child.expected = True
        for owner in ("target", "harness"):
            ours = [child for child in children if child.owner == owner]
            for child in ours:
                child.ask_to_stop()
            for child in ours:
                child.ensure_stopped()
        self._tell_guardian("bye")
        if self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.close()
        self._guardian.wait(timeout=5)
