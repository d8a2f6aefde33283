"""Locust's side of `golive load`: one user that sends each webhook at the moment it is due.

Locust's own users wait for an answer before they ask again, so a stall of the target hides the requests that would
have come (coordinated omission). Here the schedule is fixed, every request has a greenlet of its own, and the samples
tell when it was due, when it was sent and when it was answered.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Group
from locust import task
from locust.contrib.fasthttp import FastHttpUser

from load.plan import LoadPlan
from load.samples import Samples
from load.schedule import slots
from load.webhooks import READER, Due, prepare

#: Requests that may be open at once; a target that stalls longer than that is late anyway.
OPEN_AT_ONCE = 2_000
#: How often the generator looks whether it may begin.
GATE_S = 0.01
GATE_LIMIT_S = 60.0
OK, NOT_LOGGED_IN = 200, 401
ASKS_FOR_PASSWORD = b'type="password"'

PLAN, NUMBER = LoadPlan.read()


class Vendors(FastHttpUser):
    """All gateways of all customers, as the plan has them."""

    host = PLAN.base_url
    fixed_count = 1
    concurrency = OPEN_AT_ONCE
    max_retries = 0
    network_timeout = PLAN.timeout_s
    connection_timeout = PLAN.timeout_s

    def on_start(self) -> None:
        """Render this process's share, say so, and wait for the common start."""
        # A vendor follows no redirect; the class says ClassVar, but Locust itself sets it on instances.
        self.client.client.redirect_response_codes = frozenset()  # type: ignore[misc]
        self.requests = [prepare(PLAN, one) for one in slots(PLAN)[NUMBER :: PLAN.processes]]
        folder = Path(PLAN.folder)
        (folder / f"ready-{NUMBER}").touch()
        self.began = _wait_for_start(folder / "start")

    def _now_s(self) -> float:
        """Seconds since the common start."""
        return time.perf_counter() - self.began

    @task
    def whole_schedule(self) -> None:
        """Send everything when it is due, then end this process."""
        sending = Group()
        with Samples(Path(PLAN.folder) / f"samples-{NUMBER}.csv") as samples:
            for due in self.requests:
                gevent.sleep(max(0.0, due.due_s - self._now_s()))
                sending.spawn(self._send, due, samples)
            sending.join()
        self.environment.runner.quit()

    def _send(self, due: Due, samples: Samples) -> None:
        sent_s = self._now_s()
        body: Any = due.body  # bytes go through as they are; the stub knows str only
        method = "GET" if body is None else "POST"
        answer = self.client.request(
            method, due.path, data=body, headers=due.headers, name=f"{due.gateway} {due.dialect}"
        )
        status = answer.status_code or None
        if due.gateway == READER and status == OK and ASKS_FOR_PASSWORD in (answer.content or b""):
            status = NOT_LOGGED_IN  # a form that comes quickly is not the page that was asked for
        samples.add(due, sent_s=sent_s, answered_s=self._now_s(), status=status)


def _wait_for_start(gate: Path) -> float:
    """The common start on this process's monotonic clock; the gate file holds it in seconds since 1970."""
    gave_up = time.monotonic() + GATE_LIMIT_S
    while not (gate.exists() and (text := gate.read_text(encoding="utf-8"))):
        if time.monotonic() > gave_up:
            sys.exit(f"nobody gave the start within {GATE_LIMIT_S:.0f} s: {gate} is not there")
        gevent.sleep(GATE_S)
    return time.perf_counter() + float(text) - time.time()
