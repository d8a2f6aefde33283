"""What only the owner of the stack may break: its children, its database, its AWS endpoint.

Each operation answers None where there is nothing of ours to break, which a scenario reports as not observed.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from harness.errors import HarnessError, PromiseBroken
from harness.stack.aws_faults import AwsFaults
from harness.stack.control import Handler
from harness.stack.engine import Database
from harness.stack.processes import Nursery, how_it_ended, tail


class Breaking:
    """The operations of one stack.

    `database` and `aws` are asked for at each use: what is not started yet, or is somebody else's, is None.
    """

    def __init__(
        self,
        nursery: Nursery,
        *,
        database: Callable[[], Database | None],
        start_database: Callable[[], None],
        start_role: Callable[[str], object],
        aws: Callable[[], AwsFaults | None],
    ) -> None:
        self._nursery = nursery
        self._database = database
        self._start_database = start_database
        self._start_role = start_role
        self._aws = aws

    def operations(self) -> Mapping[str, Handler]:
        """By the names under which scenarios ask for them."""
        return {
            "pause": lambda request: self._nursery.get(request["role"]).send(signal.SIGSTOP),
            "resume": lambda request: self._nursery.get(request["role"]).send(signal.SIGCONT),
            "terminate": lambda request: self._nursery.get(request["role"]).ask_to_stop(),
            "launch": lambda request: self._launch(request["role"]),
            "ended": lambda request: self._ended(request["role"], within_s=request["within_s"]),
            "stop_database": lambda _: self._stop_database(),
            "start_database": lambda _: self._start_database(),
            "database_read_only": lambda request: self._read_only(on=bool(request["on"])),
            "aws_faults": lambda request: self._ask_aws(request["method"], request["path"], request.get("body")),
        }

    def _launch(self, role: str) -> None:
        """Start a process and do not wait until it is ready: another fault may keep it from that."""
        self._start_role(role)

    def _ended(self, role: str, *, within_s: float) -> None:
        """Wait for the end of a process that was asked to end; not asked again, which would kill it in its last words.

        Raises:
            PromiseBroken: it had to be killed, or ended with a complaint.
        """
        child = self._nursery.get(role)
        child.ensure_stopped(within_s=within_s)
        if child.process.returncode:
            raise PromiseBroken(
                f"asked to end with SIGTERM, {role} {how_it_ended(child.process.returncode)} (it had {within_s:g} s); "
                f"the end of {child.log}:\n{tail(child.log)}"
            )

    def _stop_database(self) -> bool | None:
        """As an operator's restart begins: clients are cut, what is committed is on disk, nobody answers."""
        database = self._database()
        if database is None:
            return None
        database.stop(self._nursery.get("postgres"))
        return True

    def _read_only(self, *, on: bool) -> bool | None:
        """Every transaction that begins from now on may only read, as after a failover or on a full disk; or not."""
        database = self._database()
        if database is None:
            return None
        setting = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        try:
            with psycopg.connect(database.url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(f"ALTER SYSTEM {setting}")
                connection.execute("SELECT pg_reload_conf()")
        except psycopg.Error as error:
            raise HarnessError(f"PostgreSQL would not change to read-only or back: {type(error).__name__}") from error
        return True

    def _ask_aws(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        aws = self._aws()
        return None if aws is None else aws.call(method, path, body)
