"""`/_golive/proxies…`: how a harness adds proxies and toxics, and reads what has passed; see `docs/network.md`."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.control import handlers, refusal
from simulators.network.addresses import Address, BadAddress
from simulators.network.proxy import NameTaken, Proxy, Unknown, Wish
from simulators.network.toxics import TOXICS, BadToxic


class ProxyWish(BaseModel):
    """A proxy as it is asked for."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.-]+$")]
    upstream: str
    listen: str = "tcp:127.0.0.1:0"


class Switchboard:
    """All proxies of one process, and the routes to them."""

    def __init__(self) -> None:
        self.proxies: dict[str, Proxy] = {}

    async def add(self, wish: ProxyWish) -> Proxy:
        """Open a proxy.

        Raises:
            BadAddress, NameTaken, OSError: it cannot be opened.
        """
        if wish.name in self.proxies:
            raise NameTaken(f"There is a proxy {wish.name!r} already.")
        proxy = Proxy(wish.name, listen=Address.parse(wish.listen), upstream=Address.parse(wish.upstream))
        await proxy.start()
        self.proxies[wish.name] = proxy
        return proxy

    def leave(self) -> None:
        """Remove the Unix sockets; for the end of the process, which no loop outlives."""
        for proxy in self.proxies.values():
            proxy.remove_path()

    async def stop(self) -> None:
        """Close them all."""
        for proxy in self.proxies.values():
            await proxy.stop()
        self.proxies.clear()

    def routes(self) -> list[Route]:
        """The control routes."""
        one = "/_golive/proxies/{proxy}"
        return [
            Route("/_golive/health", self._health),
            Route("/_golive/metrics", self._metrics),
            Route("/_golive/reset", self._reset, methods=["POST"]),
            Route("/_golive/proxies", self._all, methods=["GET", "POST"]),
            Route(one, self._one, methods=["GET", "DELETE"]),
            Route(f"{one}/toxics", self._toxics, methods=["GET", "POST", "DELETE"]),
            Route(f"{one}/toxics/{{toxic}}", self._toxic, methods=["DELETE"]),
        ]

    def _find(self, request: Request) -> Proxy:
        name = request.path_params["proxy"]
        if name not in self.proxies:
            raise Unknown(name)
        return self.proxies[name]

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"name": "network", "toxics": list(TOXICS)})

    async def _metrics(self, _request: Request) -> Response:
        lines = []
        for told in (proxy.told() for proxy in self.proxies.values()):
            label = f'proxy="{told["name"]}"'
            lines += [f'golive_proxy_connections{{{label},state="{k}"}} {n}' for k, n in told["connections"].items()]
            lines += [f'golive_proxy_bytes_total{{{label},direction="{k}"}} {n}' for k, n in told["bytes"].items()]
            lines.append(f"golive_proxy_toxics{{{label}}} {len(told['toxics'])}")
        return PlainTextResponse("".join(line + "\n" for line in lines))

    async def _reset(self, _request: Request) -> Response:
        for proxy in self.proxies.values():
            await proxy.reset()
        return JSONResponse({"toxics": 0})

    async def _all(self, request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"proxies": [proxy.told() for proxy in self.proxies.values()]})
        wish = ProxyWish.model_validate_json(await request.body())
        try:
            proxy = await self.add(wish)
        except OSError as error:
            return refusal(400, "cannot_listen", f"It cannot listen there: {error.strerror}.")
        return JSONResponse(proxy.told(), status_code=201)

    async def _one(self, request: Request) -> Response:
        proxy = self._find(request)
        if request.method == "DELETE":
            await self.proxies.pop(proxy.name).stop()
            return JSONResponse({"name": proxy.name})
        return JSONResponse(proxy.told())

    async def _toxics(self, request: Request) -> Response:
        proxy = self._find(request)
        if request.method == "DELETE":
            await proxy.reset()
        elif request.method == "POST":
            armed = await proxy.add(Wish.model_validate_json(await request.body()))
            return JSONResponse(armed.told(), status_code=201)
        return JSONResponse({"toxics": proxy.toxics()})

    async def _toxic(self, request: Request) -> Response:
        await self._find(request).remove(request.path_params["toxic"])
        return JSONResponse({"name": request.path_params["toxic"]})


async def _unknown(_request: Request, _error: Exception) -> Response:
    return refusal(404, "unknown_name", "No such proxy or toxic; GET /_golive/proxies lists them.")


def create_app(first: Sequence[ProxyWish] = (), *, say: Callable[[Proxy], None] = lambda _: None) -> Starlette:
    """The control routes as an application; `first` are opened when it starts, and told by `say`."""
    board = Switchboard()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        atexit.register(board.leave)  # a fake that is told to end ends at once, and not by this way
        for wish in first:
            say(await board.add(wish))
        yield
        await board.stop()

    known = handlers("docs/network.md", BadAddress, BadToxic, NameTaken)
    return Starlette(routes=board.routes(), exception_handlers={**known, Unknown: _unknown}, lifespan=lifespan)
