"""A load balancer in front of a target's replicas: asks each whether it is ready, shares requests out by weight, and
never tries a request twice, so that whatever a replica fails is seen.

Does not imitate: TLS, stickiness, slow start, retries, deregistration delays of any vendor's.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from harness.errors import NotSeenInTime

_LOOPBACK = "127.0.0.1"
_ANSWER_S = 10.0
#: Of one connection only: not to be handed on (RFC 9110, 7.6.1).
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "content-length"}


class Balancer:
    """Listens on a free port of loopback while it is open; everything is told to it from any thread.

    Units:
        `check_every_s`: how often a replica is asked; so long a dying one is still sent requests.
    """

    def __init__(self, weights: Mapping[str, float], *, ready_path: str, check_every_s: float = 0.1) -> None:
        self._weights = dict(weights)
        self._ready_path = ready_path
        self._check_every_s = check_every_s
        self._ready: dict[str, bool] = {}
        self._current: dict[str, float] = {}
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self.url = ""
        self.answers: Counter[tuple[str, int]] = Counter()
        """How often which replica gave which status."""
        self.failures: list[str] = []
        """Requests that a replica did not answer, in words; the sender was told 502 or 503."""

    # -- from the caller's thread ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open()).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close()).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def weigh(self, weights: Mapping[str, float]) -> None:
        """From now on share requests out so; a replica that is not named gets none."""
        with self._changed:
            self._weights = dict(weights)
            self._current.clear()

    def wait_until_ready(self, replica: str, *, ready: bool = True, within_s: float) -> None:
        """Return once that replica has been seen ready, or not ready any more."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready.get(replica) is ready, timeout=within_s):
                word = "ready" if ready else "not ready"
                raise NotSeenInTime(f"{replica} {word}", within_s, [f"ready: {self._ready.get(replica)}"])

    def answered_by(self, replica: str) -> int:
        """How many requests that replica has answered."""
        return sum(count for (name, _), count in self.answers.items() if name == replica)

    def _run(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    # -- in the loop -----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
            auto_decompress=False,
            trust_env=False,
        )
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, _LOOPBACK, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{_LOOPBACK}:{port}"
        self._checks = asyncio.create_task(self._check_for_ever())

    async def _close(self) -> None:
        self._checks.cancel()
        with suppress(asyncio.CancelledError):
            await self._checks
        await self._runner.cleanup()
        await self._session.close()

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.gather(*(self._check(replica) for replica in list(self._weights)))
            await asyncio.sleep(self._check_every_s)

    async def _check(self, replica: str) -> None:
        try:
            # A connection of its own: a check must learn whether new ones are taken.
            headers = {"Connection": "close"}
            async with self._session.get(replica + self._ready_path, headers=headers) as answer:
                ready = answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            ready = False
        with self._changed:
            self._ready[replica] = ready
            self._changed.notify_all()

    def _choose(self) -> str | None:
        """Smooth weighted round robin among those that are ready: exact shares, no randomness."""
        with self._changed:
            able = {one: weight for one, weight in self._weights.items() if weight > 0 and self._ready.get(one)}
            if not able:
                return None
            for one, weight in able.items():
                self._current[one] = self._current.get(one, 0.0) + weight
            chosen = max(able, key=lambda one: self._current[one])
            self._current[chosen] -= sum(able.values())
            return chosen

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.content.read()
        replica = self._choose()
        if replica is None:
            self.failures.append(f"{request.method} {request.path}: no replica is ready")
            return web.Response(status=503)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        try:
            async with self._session.request(
                request.method, replica + request.raw_path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                said = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(f"{request.method} {request.path}: {replica} failed it ({type(error).__name__})")
            return web.Response(status=502)
        self.answers[replica, answer.status] += 1
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        return web.Response(status=answer.status, body=said, headers=kept)
