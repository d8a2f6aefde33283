"""A proxy: one address that listens, one upstream, and the toxics that act between them.

*How* a connection is broken stands in `toxics.py`; here stands *whether*: in which direction, on which connections
(`toxicity`, drawn per connection from the seed), on how many (`connections`), for how long (`lasts_s`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.network.addresses import Address
from simulators.network.connection import Connection, Direction, ToxicStage
from simulators.network.toxics import Down, Toxic, make

#: How long an upstream may take to accept a connection.
CONNECT_LIMIT_S = 10

#: How many may wait to be accepted.
BACKLOG = 1024


class Wish(BaseModel):
    """A toxic as it is asked for: Toxiproxy's body, and how it reverts by itself."""

    model_config = ConfigDict(extra="forbid")
    type: str
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w.-]+$")] | None = None
    stream: Literal["upstream", "downstream"] = "downstream"
    toxicity: Annotated[float, Field(ge=0, le=1)] = 1.0
    attributes: dict[str, Any] = {}
    connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    lasts_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    seed: int = 0


class NameTaken(ValueError):
    """There is one of that name already."""


class Unknown(KeyError):
    """There is none of that name."""


@dataclass(kw_only=True)
class Armed:
    """A toxic at work on a proxy."""

    name: str
    wish: Wish
    toxic: Toxic
    stages: dict[int, tuple[Direction, ToxicStage]] = field(default_factory=dict)
    """By the number of the connection."""
    claimed: set[int] = field(default_factory=set)
    """The open connections that it acts on, where it acts on so many only."""
    claims: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def closes_the_door(self) -> bool:
        """Whether nobody is let in at all."""
        return isinstance(self.toxic, Down) and self.wish.toxicity == 1 and self.wish.connections is None

    @property
    def spent(self) -> bool:
        """Whether it has acted on as many connections as it was to, and those are closed."""
        return self.wish.connections is not None and self.claims >= self.wish.connections and not self.claimed

    def claim(self, number: int) -> bool:
        """Whether it acts on one connection more."""
        if self.wish.connections is not None and self.claims >= self.wish.connections:
            return False
        self.claims += 1
        self.claimed.add(number)
        return True

    def told(self) -> dict[str, Any]:
        """As Toxiproxy tells of it."""
        wish = self.wish
        attributes = self.toxic.model_dump()
        told = {"name": self.name, "type": wish.type, "stream": wish.stream, "toxicity": wish.toxicity}
        extra = {"connections": wish.connections, "lasts_s": wish.lasts_s, "claims": self.claims}
        return {**told, "attributes": attributes, **extra}


class Proxy:
    """Listens at one address and passes on to another."""

    def __init__(self, name: str, *, listen: Address, upstream: Address) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.accepted = 0
        """Connections so far."""
        self.refused = 0
        """Connections that no upstream was there for."""
        self._finished_bytes = {"upstream": 0, "downstream": 0}
        self._open: dict[int, Connection] = {}
        self._toxics: dict[str, Armed] = {}
        self._server: asyncio.AbstractServer | None = None
        self._keeper: socket.socket | None = None
        self._path_is_ours = False
        self._connecting: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()

    # -- the door -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        if not self.listen.path:
            # A second socket that is bound and never listens keeps the port ours while the door is closed.
            family = socket.AF_INET6 if ":" in self.listen.host else socket.AF_INET
            self._keeper = _bound(family, self.listen.host, self.listen.port)
            port = self._keeper.getsockname()[1]
            self.listen = Address(host=self.listen.host, port=port)
        await self._open_door()

    async def _open_door(self) -> None:
        if self._server is not None or any(one.closes_the_door for one in self._toxics.values()):
            return
        if self.listen.path:
            listener = self._bound_path()
            self._server = await self._loop.create_unix_server(self._accept, sock=listener, backlog=BACKLOG)
        else:
            family = socket.AF_INET6 if ":" in self.listen.host else socket.AF_INET
            listener = _bound(family, self.listen.host, self.listen.port)
            self._server = await self._loop.create_server(self._accept, sock=listener, backlog=BACKLOG)

    def _bound_path(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.remove_path()
        old_mask = os.umask(0o177)
        try:
            listener.bind(self.listen.path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(old_mask)
        self._path_is_ours = True
        return listener

    async def _close_door(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            # The loop closes the socket in one of its next turns; until then it would still let somebody in.
            for _ in range(3):
                await asyncio.sleep(0)

    async def stop(self) -> None:
        """Close the door and every connection."""
        for armed in list(self._toxics.values()):
            self._forget(armed)
        self._toxics.clear()
        await self._close_door()
        for connection in list(self._open.values()):
            connection.reset()
        for task in list(self._connecting):
            task.cancel()
        if self._keeper is not None:
            self._keeper.close()
        self.remove_path()

    def remove_path(self) -> None:
        """Remove the Unix socket that it listens at, if it does."""
        if self._path_is_ours:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.listen.path)

    # -- connections --------------------------------------------------------------------------------------------

    def _accept(self) -> asyncio.Protocol:
        self.accepted += 1
        connection = Connection(self.accepted, loop=self._loop, joined=self._joined, left=self._left)
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection.client

    async def _connect(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                if self.upstream.path:
                    await self._loop.create_unix_connection(lambda: connection.server, self.upstream.path)
                else:
                    address = self.upstream
                    await self._loop.create_connection(lambda: connection.server, address.host, address.port)
        except (OSError, TimeoutError):
            self.refused += 1
            connection.reset()

    def _joined(self, connection: Connection) -> None:
        self._open[connection.number] = connection
        for armed in self._toxics.values():
            self._come_upon(armed, connection)

    def _left(self, connection: Connection) -> None:
        self._open.pop(connection.number, None)
        for name, direction in connection.directions.items():
            self._finished_bytes[name] += direction.passed_bytes
        for armed in list(self._toxics.values()):
            armed.stages.pop(connection.number, None)
            armed.claimed.discard(connection.number)
            if armed.spent:
                self._take_away(armed)

    # -- toxics -------------------------------------------------------------------------------------------------

    async def add(self, wish: Wish) -> Armed:
        """A toxic comes upon every open connection, and every one that is made from now on.

        Raises:
            NameTaken: there is one of that name. BadToxic, pydantic.ValidationError: it cannot be made.
        """
        toxic = make(wish.type, wish.attributes)
        name = wish.name or f"{wish.type}_{wish.stream}"
        if name in self._toxics:
            raise NameTaken(
                f"{self.name} has a toxic {name!r} already. Take it away first, or name this one otherwise."
            )
        armed = self._toxics[name] = Armed(name=name, wish=wish, toxic=toxic)
        if armed.closes_the_door:
            await self._close_door()
        for connection in list(self._open.values()):
            self._come_upon(armed, connection)
        if wish.lasts_s is not None:
            armed.timer = self._loop.call_later(wish.lasts_s, self._take_away, armed)
        return armed

    def _come_upon(self, armed: Armed, connection: Connection) -> None:
        rng = random.Random(f"{armed.wish.seed}/{self.name}/{armed.name}/{connection.number}")
        if connection.closing or rng.random() >= armed.wish.toxicity:
            return
        claim: Callable[[], bool] | None = None
        if armed.wish.connections is not None:
            number = connection.number

            def claim() -> bool:
                return armed.claim(number)
        else:
            armed.claims += 1
        direction = connection.directions[armed.wish.stream]
        armed.stages[connection.number] = (direction, direction.add(armed.toxic, rng, claim=claim))

    async def remove(self, name: str) -> None:
        """Take a toxic away; when this returns, the door is open again.

        Raises:
            Unknown: there is none of that name.
        """
        if name not in self._toxics:
            raise Unknown(name)
        self._forget(self._toxics.pop(name))
        await self._open_door()

    def _take_away(self, armed: Armed) -> None:
        """It reverts by itself."""
        if self._toxics.get(armed.name) is armed:
            task = self._loop.create_task(self.remove(armed.name))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    @staticmethod
    def _forget(armed: Armed) -> None:
        if armed.timer is not None:
            armed.timer.cancel()
        for direction, stage in list(armed.stages.values()):
            direction.remove(stage)
        armed.stages.clear()

    def toxics(self) -> list[dict[str, Any]]:
        """What acts now."""
        return [armed.told() for armed in self._toxics.values()]

    async def reset(self) -> None:
        """Take every toxic away."""
        for name in list(self._toxics):
            await self.remove(name)

    def told(self) -> dict[str, Any]:
        """Where it listens, where it leads, what acts, and what has passed."""
        passed = dict(self._finished_bytes)
        for connection in self._open.values():
            for name, direction in connection.directions.items():
                passed[name] += direction.passed_bytes
        return {
            "name": self.name,
            "listen": str(self.listen),
            "upstream": str(self.upstream),
            "enabled": self._server is not None,
            "toxics": self.toxics(),
            "connections": {"open": len(self._open), "accepted": self.accepted, "refused": self.refused},
            "bytes": passed,
        }


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
