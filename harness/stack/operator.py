"""The target's operator program: it stays, and carries out actions, a JSON request a line.

    {"id": 7, "action": "set_flag", "input": {"tenant": "t-9f2c", "flag": "hold"}}     golive writes
    {"id": 7, "output": {}}    or    {"id": 7, "error": "There is no tenant t-9f2c."}   the program answers

docs/target.md is what the authors of such programs read. A program that breaks these rules is killed: its next answer
could belong to anything. The requests that wait fail with the reason, and the next one starts it anew.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import IO, Any

from harness.errors import HarnessError, PromiseBroken
from harness.stack.processes import Child, how_it_ended, tail

#: Of a request and of an answer; a hundred tenants are some 50 KB.
LINE_LIMIT_BYTES = 16 * 1024 * 1024

_SHOWN_CHARS = 200
_END_LIMIT_S = 2
"""For so long a program that has closed its output may take to end."""


class Operator:
    """Has the target's operator program carry out actions. Safe to share between threads.

    The program is started for the first action, and again for the one after its end was reported. An end that golive
    did not ask for is reported by every request that waits then, else by the next one.
    """

    def __init__(self, start: Callable[[], Child], *, limit_s: float, line_limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        """`start` starts the program with pipes. `limit_s` is what an answer may take, in seconds."""
        self._start = start
        self._limit_s = limit_s
        self._line_limit_bytes = line_limit_bytes
        self._lock = threading.Lock()
        self._program: _Program | None = None

    def ask(self, action: str, given: object) -> Any:
        """Return the action's output.

        Raises:
            PromiseBroken: the program answered an error, broke the rules, took too long, or has ended.
            HarnessError: the request is longer than a line may be.
        """
        with self._lock:
            if self._program is None or self._program.end_was_reported:
                self._program = _Program(self._start(), self._line_limit_bytes)
            program = self._program
        return program.ask(action, given, limit_s=self._limit_s)

    def close(self) -> None:
        """End the program. The next request starts another; safe to call twice."""
        with self._lock:
            program, self._program = self._program, None
        if program is not None:
            program.end("was ended by golive")


class _Program:
    """The program from its start to its end."""

    def __init__(self, child: Child, line_limit_bytes: int) -> None:
        self.end_was_reported = False
        self._child = child
        self._line_limit_bytes = line_limit_bytes
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._end = ""
        """How it ended; empty while it runs."""
        # A program that does not read blocks this thread only; when the time is over, the program is killed.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="requests to the operator program")
        threading.Thread(target=self._read, daemon=True, name="answers of the operator program").start()

    def ask(self, action: str, given: object, *, limit_s: float) -> Any:
        """Return the action's output; raises as `Operator.ask` does."""
        response: Future[dict[str, Any]] = Future()
        with self._lock:
            if self._end:
                self.end_was_reported = True
                raise PromiseBroken(self._end)
            number = next(self._numbers)
            line = json.dumps({"id": number, "action": action, "input": given}).encode() + b"\n"
            if len(line) > self._line_limit_bytes:
                raise HarnessError(
                    f"a request for {action} has {len(line)} bytes; {self._line_limit_bytes} are the limit"
                )
            self._waiting[number] = response
            self._writer.submit(self._write, line)
        try:
            answer = response.result(timeout=limit_s)
        except TimeoutError:
            self.end(f"did not answer {action} within {limit_s:g} s")
            answer = response.result()
        if "error" in answer:
            raise PromiseBroken(f"the target's {action} failed: {answer['error']}")
        return answer["output"]

    def end(self, reason: str) -> None:
        """Kill it, unless it has ended, and have every request that waits fail with the reason."""
        with self._lock:
            if self._end:
                return
            self._end = f"the target's operator program {reason}"
            self._child.kill()
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self.end_was_reported = bool(waiting)  # from now on the next may be started
            self._writer.submit(self._pipe(self._child.process.stdin).close)
            self._writer.shutdown(wait=False)
        for response in waiting:
            response.set_exception(PromiseBroken(self._end))

    def _write(self, line: bytes) -> None:
        requests = self._pipe(self._child.process.stdin)
        requests.write(line)
        requests.flush()

    def _read(self) -> None:
        with self._pipe(self._child.process.stdout) as answers:
            while (line := answers.readline(self._line_limit_bytes + 1)).endswith(b"\n"):
                if complaint := self._complaint(line):
                    self.end(complaint)
            if len(line) > self._line_limit_bytes:
                self.end(f"wrote a line of more than {self._line_limit_bytes} bytes: {_beginning(line)}")
            else:
                self.end(self._how_it_ended())

    def _complaint(self, line: bytes) -> str | None:
        """Hand an answer to the request that waits for it, or return what is wrong with the answer."""
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            return f"wrote a line that is not JSON: {_beginning(line)}"
        if not isinstance(answer, dict) or len(answer.keys() & {"output", "error"}) != 1:
            return f'wrote a line that is no answer, {{"id", "output"}} or {{"id", "error"}}: {_beginning(line)}'
        number = answer.get("id")
        with self._lock:
            response = self._waiting.pop(number, None) if type(number) is int else None
        if response is None:
            return f"answered with an id that no request waits for: {_beginning(line)}"
        response.set_result(answer)
        return None

    def _how_it_ended(self) -> str:
        try:
            exit_code = self._child.process.wait(timeout=_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return "closed its standard output, which must stay open"
        log = self._child.log
        return f"{how_it_ended(exit_code)} although it must stay; the end of {log}:\n{tail(log)}"

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None, "the operator program is started with pipes"
        return pipe


def _beginning(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:_SHOWN_CHARS]
