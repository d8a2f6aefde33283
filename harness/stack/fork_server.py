"""Processes forked from a warm one: everything is imported once, and each start takes milliseconds.

The warm process is a program of somebody else's, which listens at a Unix socket. A request is one connection: the file
descriptors for standard input, output and error, and one line of JSON with `argv` and `env`. It answers with
`{"pid": …}`, and when that process has ended with `{"exit_code": …}`. Each process is the leader of a session of its
own, as `start_new_session` makes it, so signals reach it as they reach every other child.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

from harness.errors import HarnessError


class Process(Protocol):
    """What a child needs of `subprocess.Popen`, and of what stands in its place."""

    pid: int
    returncode: int | Any
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code. Raises subprocess.TimeoutExpired."""


class ForkedProcess:
    """A process that the warm one has forked; its parent says when it has ended."""

    def __init__(self, argv: Sequence[str], connection: socket.socket) -> None:
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self._argv = list(argv)
        self._connection = connection
        self._answers = connection.makefile("r", encoding="utf-8")
        answer = self._read()
        if "pid" not in answer:
            self._close()
            raise HarnessError(
                f"the warm process did not start {' '.join(argv)!r}: {answer.get('error', 'it is gone')}"
            )
        self.pid = int(answer["pid"])
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name=f"forked {self.pid}").start()

    def _read(self) -> dict[str, Any]:
        try:
            line = self._answers.readline()
        except OSError:
            line = ""
        found: dict[str, Any] = json.loads(line) if line else {}
        return found

    def _watch(self) -> None:
        # Where the warm process is gone, nothing is known: as if it was killed, which it is with its group.
        self.returncode = int(self._read().get("exit_code", -9))
        self._close()
        self._ended.set()

    def _close(self) -> None:
        self._answers.close()
        self._connection.close()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(self._argv, timeout or 0)
        return self.returncode


def popen_from(
    path: Path,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int,
    stdout: int | IO[bytes],
    stderr: IO[bytes],
) -> ForkedProcess:
    """Have the warm process at that socket fork a process.

    Args:
        path: The socket.
        argv: Understood by the warm process.
        env: The whole environment of the new process.
        stdin: `subprocess.DEVNULL` or `subprocess.PIPE`.
        stdout: A file, or `subprocess.PIPE`.
        stderr: A file.

    Raises:
        HarnessError: it cannot be reached, or does not start it.
    """
    with ExitStack() as opened:
        theirs_in, our_in = _reading(stdin, opened)
        theirs_out, our_out = _writing(stdout, opened)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            socket.send_fds(connection, [b"\n"], [theirs_in, theirs_out, stderr.fileno()])
            connection.sendall(json.dumps({"argv": list(argv), "env": dict(env)}).encode() + b"\n")
        except OSError as error:
            connection.close()
            raise HarnessError(f"the warm process at {path} cannot be reached: {error}") from error
        process = ForkedProcess(argv, connection)
    process.stdin, process.stdout = our_in, our_out
    return process


def _reading(stdin: int, opened: ExitStack) -> tuple[int, IO[bytes] | None]:
    """What the process reads from, closed here at the end of `opened`, and what we write to."""
    if stdin != subprocess.PIPE:
        null = os.open(os.devnull, os.O_RDONLY)
        opened.callback(os.close, null)
        return null, None
    theirs, ours = os.pipe()
    opened.callback(os.close, theirs)
    return theirs, os.fdopen(ours, "wb")


def _writing(stdout: int | IO[bytes], opened: ExitStack) -> tuple[int, IO[bytes] | None]:
    """What the process writes to, closed here at the end of `opened` if it is a pipe, and what we read from."""
    if not isinstance(stdout, int):
        return stdout.fileno(), None
    ours, theirs = os.pipe()
    opened.callback(os.close, theirs)
    return theirs, os.fdopen(ours, "rb")
