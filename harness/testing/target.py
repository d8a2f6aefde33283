"""The target itself: its front door and its processes."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from harness import target_json
from harness.errors import PromiseBroken
from harness.testing.answers import QUOTED, Answer, not_declared, not_observable
from simulators.loopback import is_loopback

if TYPE_CHECKING:
    from harness.testing.gateway import PlacedOrder
    from harness.testing.pipeline import Pipeline

#: A webhook that is not answered by then counts as unanswered. Vendors give up after five to ten seconds.
ANSWER_LIMIT_S = 10


class _FromAddress(requests.adapters.HTTPAdapter):
    """Connections from one of this machine's other addresses."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(self._address, 0))


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
        source: str | None = None,
    ) -> Answer:
        """Any request, exactly as given (pieces go out chunked); no answer within ten seconds is an answer of None.

        `source` is the address that it comes from: one of this machine's.
        """
        began = time.monotonic()
        http = self._from(source) if source else self._pipeline.http
        try:
            answer = http.request(
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
            declared=self._pipeline.info.target.answers,
        )

    def post(
        self,
        path: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
        source: str | None = None,
    ) -> Answer:
        """One POST with exactly these bytes; JSON unless the headers say otherwise."""
        names = {name.lower() for name in headers or {}}
        given = dict(headers or {})
        if "content-type" not in names:
            given["Content-Type"] = "application/json"
        return self.request("POST", path, body=body, headers=given, base_url=base_url, source=source)

    def _from(self, source: str) -> requests.Session:
        host = urlsplit(self._pipeline.info.target.base_url).hostname or ""
        if not is_loopback(host) or sys.platform != "linux":
            not_observable("a visitor's address can be chosen only towards this very machine, and on Linux")
        http = requests.Session()
        http.trust_env = False
        http.mount("http://", _FromAddress(source))
        return http

    def raw(self, request: bytes) -> int | None:
        """Bytes that no HTTP client would send, on a connection of their own; the status answered, None for none."""
        address = urlsplit(self._pipeline.info.target.base_url)
        tls = address.scheme == "https"
        try:
            with closing(self._connect(address.hostname or "", address.port or (443 if tls else 80), tls=tls)) as line:
                line.sendall(request)
                with line.makefile("rb") as answer:
                    words = answer.readline(200).split()
        except OSError:
            return None
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else None

    @staticmethod
    def _connect(host: str, port: int, *, tls: bool) -> socket.socket:
        line = socket.create_connection((host, port), timeout=ANSWER_LIMIT_S)
        return ssl.create_default_context().wrap_socket(line, server_hostname=host) if tls else line

    def act(self, action: str, **given: Any) -> Any:
        """One of the operator's commands, JSON in and JSON out; not observed where the target has no such command."""
        self.must_be_able_to(action)
        return self._carried_out(action, given)

    def _carried_out(self, action: str, given: Mapping[str, Any]) -> Any:
        said = self._pipeline.info.control.call("action", name=action, input=given)
        try:
            return target_json.read(said)
        except ValueError:
            raise PromiseBroken(f"action {action} must write JSON; it wrote {str(said)[:QUOTED]!r}") from None

    def must_be_able_to(self, *actions: str) -> None:
        """End the scenario as not observed unless the target has these commands; before anything is done."""
        for action in actions:
            if action not in self._pipeline.info.target.actions:
                not_declared(f"the target file declares no action {action}")

    def event_id_of(self, order: PlacedOrder) -> str:
        """What another process of the target computes as the event id of an order's purchase."""
        sale = {
            "tenant": order.gateway.tenant.tenant,
            "gateway": order.gateway.name,
            "sale_id": order.sale_id,
            "kind": "purchase",
        }
        return str(self.act("event_id", **sale)["event_id"])

    def redrive(self) -> None:
        """The operator's command: everybody's dead letters back into the pipeline; in exclusive scenarios only."""
        self._pipeline.must_be_alone("redrives everybody's dead letters")
        if "redrive" not in self._pipeline.info.target.actions:
            not_declared("the target file declares no action redrive")
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
            not_declared(f"the target's {role} says no ${{port}}, so there cannot be two of it on one machine")
        self._replicas.add(name)
        return str(url)

    def restore(self) -> None:
        """As it was when the scenario began: no replicas, and every process of the target file up."""
        self._replicas.clear()
        self._pipeline.info.control.call("restore")

    def crash_database(self) -> None:
        """`kill -9` its database, which recovers from its log and is there again; not observed if it is not ours."""
        if not self._pipeline.info.control.call("crash_database"):
            not_declared("the target's database is not one that the harness started, so it cannot crash it")

    def _roles(self, role: str) -> None:
        if role not in self._pipeline.info.target.start:
            not_declared(f"the harness does not start the target's {role}, so it cannot kill it")
