"""The target itself: its front door and its processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import requests

from harness.testing.answers import Answer, not_observable

if TYPE_CHECKING:
    from harness.testing.gateway import PlacedOrder
    from harness.testing.pipeline import Pipeline

#: A webhook that is not answered by then counts as unanswered. Vendors give up after five to ten seconds.
ANSWER_LIMIT_S = 10


class TargetView:
    """The target itself: its front door and its processes."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._replicas: set[str] = set()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
    ) -> Answer:
        """Any request, exactly as given (pieces go out chunked); no answer within ten seconds is an answer of None."""
        began = time.monotonic()
        try:
            answer = self._pipeline.http.request(
                method,
                (base_url or self._pipeline.info.target.base_url) + path,
                data=body,
                headers=dict(headers or {}),
                timeout=ANSWER_LIMIT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            why = f"(no answer: {type(error).__name__}; the connection was cut, or {ANSWER_LIMIT_S} s were over)"
            return Answer(status=None, text=why, took_ms=(time.monotonic() - began) * 1000)
        return Answer(
            status=answer.status_code,
            text=answer.text,
            content_type=answer.headers.get("Content-Type", ""),
            took_ms=(time.monotonic() - began) * 1000,
            headers=answer.headers,
        )

    def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None, base_url: str | None = None
    ) -> Answer:
        """One POST with exactly these bytes; JSON unless the headers say otherwise."""
        names = {name.lower() for name in headers or {}}
        given = dict(headers or {})
        if "content-type" not in names:
            given["Content-Type"] = "application/json"
        return self.request("POST", path, body=body, headers=given, base_url=base_url)

    def event_id_of(self, order: PlacedOrder) -> str:
        """What a new process of the target computes as the event id of an order's purchase."""
        if "event_id" not in self._pipeline.info.target.actions:
            not_observable("the target file declares no action event_id")
        sale = {
            "tenant": order.gateway.tenant.tenant,
            "gateway": order.gateway.name,
            "sale_id": order.sale_id,
            "kind": "purchase",
        }
        said = self._pipeline.info.control.call("action", name="event_id", input=sale)
        return str(json.loads(said)["event_id"])

    def redrive(self) -> None:
        """The operator's command: out of the dead letters, back into the pipeline."""
        if "redrive" not in self._pipeline.info.target.actions:
            not_observable("the target file declares no action redrive")
        self._pipeline.info.control.call("action", name="redrive", input={})

    def kill(self, role: str) -> None:
        """`kill -9` one of its processes, and wait until it is gone."""
        self._roles(role)
        self._pipeline.info.control.call("kill", role=role)

    def start(self, role: str) -> None:
        """Start it again, and wait until the target is ready."""
        self._pipeline.info.control.call("start", role=role)

    def restart(self, role: str) -> None:
        """Kill and start."""
        self.kill(role)
        self.start(role)

    def stop(self, role: str) -> None:
        """Ask it to end as a deployment does, with SIGTERM, and wait; a broken promise if it must be killed."""
        if role not in self._replicas:
            self._roles(role)
        self._pipeline.info.control.call("stop", role=role, within_s=self._pipeline.timings.stop_s)

    def restart_gracefully(self, role: str) -> None:
        """Stop and start, as a deployment does."""
        self.stop(role)
        self.start(role)

    def replica(self, role: str, name: str) -> str:
        """One more of a role's processes, under that name (for `stop`) and on a port of its own; its base URL."""
        self._roles(role)
        url = self._pipeline.info.control.call("replica", role=role, name=name)
        if url is None:
            not_observable(f"the target's {role} says no ${{port}}, so there cannot be two of it on one machine")
        self._replicas.add(name)
        return str(url)

    def restore(self) -> None:
        """As it was when the scenario began: no replicas, and every process of the target file up."""
        self._replicas.clear()
        self._pipeline.info.control.call("restore")

    def _roles(self, role: str) -> None:
        if role not in self._pipeline.info.target.start:
            not_observable(f"the harness does not start the target's {role}, so it cannot kill it")
