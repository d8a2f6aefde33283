"""The HTTP face of the console.

| request | answer |
|---|---|
| `GET /` | the page; with `?token=…` a browser from elsewhere is let in |
| `GET /api/news?run=R&sent=N&meta=N` | rows newer than that: `{"run", "sent": Feed, "meta": Feed, "on_the_way", "where"}`; of another run: all |
| `POST /api/again` `{"seq": N}` | that webhook once more; wants the header `X-Golive: console` |
| `POST /api/on` `{"id": N}` | a configuration that its vendor has switched off is on again; likewise |
| `POST /api/invite` | `{"path": "/?token=…"}`, for who is in or shows the key |
| `GET /_golive/health` | `{"name": "console", "now_s"}` |
"""  # noqa: E501 -- a table row is one line

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulators.console.collector import Collector, NotThere, Row
from simulators.console.doors import LockedDoor, OpenDoor

_PARTS = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STRANGER = (
    "This page wants a one-time link, and this one is missing or was used before.\n"
    "`golive status`, on the machine where it runs, prints a new one.\n"
)
_NOT_HERE = "This page answers under 127.0.0.1 or localhost only. `golive up --listen ADDR` opens it to others.\n"


class _News(BaseModel):
    model_config = ConfigDict(extra="forbid")
    run: str = ""
    sent: int = 0
    meta: int = 0


class _Again(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    seq: int


class _On(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    id: int


class _Console:
    def __init__(self, collector: Collector, door: OpenDoor | LockedDoor, now_s: float) -> None:
        self._collector = collector
        self._door = door
        self._run = f"{int(now_s)}-{secrets.token_hex(4)}"
        home = files("simulators.console")
        self._page = home.joinpath("index.html").read_bytes()
        self._parts = {name: home.joinpath(name).read_bytes() for name in _PARTS}

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            *[Route(f"/{name}", self.part) for name in _PARTS],
            Route("/api/news", self.news),
            Route("/api/again", self.again, methods=["POST"]),
            Route("/api/on", self.on, methods=["POST"]),
            Route("/api/invite", self.invite, methods=["POST"]),
            Route("/_golive/health", self.health),
        ]

    def _in(self, request: Request) -> bool:
        return self._door.lets_in(request.headers.get("host", ""), request.cookies.get(_cookie(request)))

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"name": "console", "now_s": time.time()})

    async def page(self, request: Request) -> Response:
        token, visitor = request.query_params.get("token"), None
        if not self._in(request):
            visitor = self._door.admit(token) if token and isinstance(self._door, LockedDoor) else None
            if visitor is None:
                return self._refused()
        answer = Response(self._page, media_type="text/html; charset=utf-8", headers=_SAFE)
        if visitor is not None:
            answer.set_cookie(_cookie(request), visitor, httponly=True, samesite="strict")
        return answer

    def _refused(self) -> Response:
        text = _STRANGER if self._door.invites else _NOT_HERE
        return Response(text, 403, headers=_SAFE, media_type="text/plain; charset=utf-8")

    async def part(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(self._parts[name], media_type=_PARTS[name], headers=_SAFE)

    async def news(self, request: Request) -> Response:
        if not self._in(request):
            return self._refused()
        try:
            asked = _News.model_validate(dict(request.query_params))
        except ValidationError:
            return _error(400, "bad_request", "run, sent and meta are what the last answer said.")
        same = asked.run == self._run
        await self._collector.refresh()
        told = {
            "run": self._run,
            "now_s": time.time(),
            "sent": self._collector.sent.since(asked.sent if same else 0),
            "meta": self._collector.meta.since(asked.meta if same else 0),
            "on_the_way": self._collector.on_the_way,
            "switched_off": self._collector.switched_off,
            "where": {"gateways": self._collector.gateways_url, "meta": self._collector.meta_url},
            "invites": self._door.invites,
        }
        return JSONResponse(told, headers=_SAFE)

    async def again(self, request: Request) -> Response:
        return await self._act(request, _Again, "seq", self._collector.again)

    async def on(self, request: Request) -> Response:
        return await self._act(request, _On, "id", self._collector.switch_on)

    async def _act(
        self, request: Request, kind: type[BaseModel], name: str, act: Callable[[int], Awaitable[tuple[int, Row]]]
    ) -> Response:
        """What a button does; `name` is of the number that the page sends."""
        if not self._in(request):
            return self._refused()
        # A page of somebody else's cannot set this header without asking, and is not answered when it asks.
        if request.headers.get("x-golive") != "console":
            return _error(403, "foreign", "Only the console's own page may send.")
        try:
            wish = kind.model_validate_json(await request.body())
        except ValidationError:
            return _error(400, "bad_request", f'{{"{name}": N}} is wanted.')
        try:
            status, told = await act(getattr(wish, name))
        except NotThere as error:
            return _error(502, "not_there", str(error))
        return JSONResponse(told, status, headers=_SAFE)

    async def invite(self, request: Request) -> Response:
        door = self._door
        if not isinstance(door, LockedDoor):
            return _error(404, "open", "On this machine no link is needed.")
        insider = self._in(request) and request.headers.get("x-golive") == "console"
        if not (insider or door.holds_key(request.headers.get("authorization", ""))):
            return self._refused()
        return JSONResponse({"path": f"/?token={door.invite()}"}, headers=_SAFE)


def _cookie(request: Request) -> str:
    return f"golive_{request.url.port or 80}"  # cookies know no ports, and two consoles may run


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers=_SAFE)


def create_app(collector: Collector, door: OpenDoor | LockedDoor, *, now_s: float) -> ASGIApp:
    """The application; `now_s` (Unix seconds) is when it began."""
    return Starlette(routes=_Console(collector, door, now_s).routes())
