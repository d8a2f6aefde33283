"""The warm process of `golive prove`: it has imported the reference, and forks a broken one for each request.

`harness/stack/fork_server.py` is the other side, and says what travels over the socket.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

#: Runs `argv` in the new process; its exit code.
Run = Callable[[list[str]], int]

_REQUEST_LIMIT = 1 << 20


def serve(path: Path, run: Run) -> NoReturn:
    """Fork a process for each request, until it is killed; in each of them, call `run` and exit."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen(64)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    open_: dict[int, socket.socket] = {}
    while True:
        readable, _, _ = select.select([listening.fileno(), woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
            _report_ended(open_)
        if listening.fileno() in readable:
            connection, _ = listening.accept()
            request, streams = _read(connection)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for one in (listening, connection, *open_.values()):
                    one.close()
                os.close(woken)
                os.close(wake)
                _become(request, streams)
                sys.exit(run(request["argv"]))
            for stream in streams:
                os.close(stream)
            open_[pid] = connection
            _answer(connection, {"pid": pid})
            _report_ended(open_)  # its end may have been signalled before it was known


def _read(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as lines:
        request: dict[str, Any] = json.loads(lines.readline(_REQUEST_LIMIT))
    return request, streams


def _answer(connection: socket.socket, answer: dict[str, int]) -> None:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        connection.close()


def _report_ended(open_: dict[int, socket.socket]) -> None:
    for pid in list(open_):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            connection = open_.pop(pid)
            _answer(connection, {"exit_code": os.waitstatus_to_exitcode(status)})
            connection.close()


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """What `start_new_session`, `env`, `stdin`, `stdout` and `stderr` of subprocess do."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"])
