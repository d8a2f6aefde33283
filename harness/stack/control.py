"""How scenario processes ask the process that owns the stack: JSON lines over a Unix socket.

Scenarios run in pytest's worker processes; only the `golive` process may start or kill parts of the stack.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, PromiseBroken

#: The longest that one request may take (a provisioning command with hundreds of tenants, say).
CALL_LIMIT_S = 120

Handler = Callable[[dict[str, Any]], Any]


class ControlServer:
    """Answers `{"op": name, …}` with `{"ok": result}`, `{"broken": sentence}` (target) or `{"error": sentence}`."""

    def __init__(self, path: Path, operations: dict[str, Handler]) -> None:
        class _Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(json.dumps(_answer(operations, json.loads(line))).encode() + b"\n")
                    self.wfile.flush()

        class _Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        old_mask = os.umask(0o177)  # the socket speaks for the stack: its owner only
        try:
            self._server = _Server(str(path), _Session)
        finally:
            os.umask(old_mask)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="control").start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()


def _answer(operations: dict[str, Handler], request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": operations[request.pop("op")](request)}
    except PromiseBroken as error:
        return {"broken": str(error)}
    except Exception as error:  # noqa: BLE001 -- the caller is in another process: every failure must travel
        return {"error": f"{error}" if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"}


class Control:
    """The asking side, in any process and thread: one connection for each call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def call(self, operation: str, **arguments: Any) -> Any:
        """Ask, and wait for the answer.

        Raises:
            HarnessError: the owner of the stack refused, failed, or is gone. PromiseBroken: the target failed.
        """
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(CALL_LIMIT_S)
                line.connect(str(self.path))
                line.sendall(json.dumps({"op": operation, **arguments}).encode() + b"\n")
                with line.makefile("rb") as answers:
                    raw = answers.readline()
        except OSError as error:
            raise HarnessError(f"the golive process that owns the stack does not answer: {error}") from error
        answer = json.loads(raw) if raw else {"error": "the golive process that owns the stack is gone"}
        if "broken" in answer:
            raise PromiseBroken(str(answer["broken"]))
        if "error" in answer:
            raise HarnessError(str(answer["error"]))
        return answer["ok"]
