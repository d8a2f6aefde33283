"""The circuit breakers in PostgreSQL, so that all replicas share them. A row is locked to change it, never during I/O.

All times are the database's: the rules get ages that the database has measured.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

from reference_impl.dispatch.breaker import (
    Breaker,
    Pass,
    Refusal,
    Rules,
    State,
    after_failure,
    after_life_sign,
    may_send,
)
from reference_impl.dispatch.loops import Connection

log = logging.getLogger(__name__)

_READ = """
SELECT state, failures,
       coalesce(extract(epoch FROM clock_timestamp() - opened_at), 0)::float8,
       coalesce(extract(epoch FROM probe_until - clock_timestamp()), 0)::float8,
       probe_until::text
FROM breakers WHERE pixel_id = %s
"""
_START_PROBE = """
UPDATE breakers SET state = 'half_open', probe_until = clock_timestamp() + make_interval(secs => %s)
WHERE pixel_id = %s RETURNING probe_until::text
"""
_COUNT = "UPDATE breakers SET failures = %s WHERE pixel_id = %s"
# `last_closed_at` is the last moment at which it was closed: it stays while the breaker goes from open to
# half-open and back, or "open for more than 3 minutes" would never be seen.
_OPEN = """
UPDATE breakers SET state = 'open', failures = %s, opened_at = clock_timestamp(), probe_until = NULL,
       last_closed_at = CASE WHEN state = 'closed' THEN clock_timestamp() ELSE last_closed_at END
WHERE pixel_id = %s
"""
_CLOSE = """
UPDATE breakers SET state = 'closed', failures = 0, opened_at = NULL, probe_until = NULL,
       last_closed_at = clock_timestamp()
WHERE pixel_id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStore:
    """The breakers of all pixels. `probe_lease_s` must exceed the longest that one call to Meta can take."""

    rules: Rules
    probe_lease_s: float

    def admit(self, connection: Connection, pixel_id: str) -> Pass | Refusal:
        """Whether a batch for that pixel may go now. A Pass with a probe is for one event, and must be reported."""
        breaker, _ = self._read(connection, pixel_id, lock=False)
        verdict = may_send(breaker, self.rules)
        return self._try_probe(connection, pixel_id) if verdict == "probe" else verdict

    def report(self, connection: Connection, pixel_id: str, admitted: Pass, *, alive: bool) -> State:
        """Tell how an admitted batch went; the state after it. With a healthy breaker nothing is written."""
        if alive and admitted.probe is None:
            before, _ = self._read(connection, pixel_id, lock=False)
            if before.failures == 0:
                return before.state
        with connection.transaction():
            connection.execute("INSERT INTO breakers (pixel_id) VALUES (%s) ON CONFLICT DO NOTHING", [pixel_id])
            before, running = self._read(connection, pixel_id, lock=True)
            is_probe = admitted.probe is not None and admitted.probe == running and before.state == "half_open"
            after = (
                after_life_sign(before, is_probe=is_probe)
                if alive
                else after_failure(before, self.rules, is_probe=is_probe)
            )
            self._write(connection, pixel_id, before, after)
        if before.state != after.state:
            log.warning("breaker of pixel %s: %s -> %s", pixel_id, before.state, after.state)
        return after.state

    def _try_probe(self, connection: Connection, pixel_id: str) -> Pass | Refusal:
        """Enter the probe, unless another replica was faster."""
        with connection.transaction():
            breaker, _ = self._read(connection, pixel_id, lock=True)
            verdict = may_send(breaker, self.rules)
            if verdict != "probe":
                return verdict
            row = connection.execute(_START_PROBE, [self.probe_lease_s, pixel_id]).fetchone()
        log.info("breaker of pixel %s: half-open, one probe goes", pixel_id)
        return Pass(probe=str(row[0])) if row else Pass()

    def _read(self, connection: Connection, pixel_id: str, *, lock: bool) -> tuple[Breaker, str | None]:
        """The breaker, and the name of the probe under way. A pixel without a row has never failed."""
        row = connection.execute(f"{_READ} FOR UPDATE" if lock else _READ, [pixel_id]).fetchone()
        if row is None:
            return Breaker(), None
        state, failures, open_for_s, lease_s, probe = cast("tuple[State, int, float, float, Any]", row)
        return Breaker(state=state, failures=failures, open_for_s=open_for_s, probe_lease_s=lease_s), probe

    def _write(self, connection: Connection, pixel_id: str, before: Breaker, after: Breaker) -> None:
        """Write what has changed."""
        if after == before:
            return
        if after.state == "open":
            connection.execute(_OPEN, [after.failures, pixel_id])
        elif before.state != "closed":
            connection.execute(_CLOSE, [pixel_id])
        else:
            connection.execute(_COUNT, [after.failures, pixel_id])
