"""One connection through the proxy: two directions, each straight through or, while a toxic acts, through its stages.

    client ──▶ End ──▶ Direction "upstream" ──▶ End ──▶ server
           ◀── End ◀── Direction "downstream" ◀── End ◀──

Without toxics a chunk goes from the one transport's `data_received` to the other's `write` in the same call. A sender
is not read from while its receiver is full, or while more than `HELD_LIMIT_BYTES` wait in a direction's stages.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

from simulators.network.toxics import Toxic

#: What one direction of one connection holds at most before its sender has to wait (and one read more).
HELD_LIMIT_BYTES = 1_000_000

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ToxicStage:
    """One toxic at work on one direction of one connection; see `toxics.Stage`."""

    def __init__(
        self, toxic: Toxic, direction: Direction, rng: random.Random, claim: Callable[[], bool] | None
    ) -> None:
        self.toxic = toxic
        self._claim = claim
        self._acts = claim is None
        self.rng = rng
        self.passed = 0
        self.free_at_s = 0.0
        self._direction = direction
        self._answer_to_come = claim is not None and direction.answers_something()
        self._said_before = direction.opposite.passed_bytes
        self._removed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """It has come upon the connection; one that has to be claimed begins when it is."""
        if self._acts:
            self.toxic.begins(self)

    def acts(self, *, at_end: bool = False) -> bool:
        """Whether it acts on this connection; asked when there is something to act on.

        An idle connection that is let go is no connection that is used: its end claims only what acts on ends alone.
        Neither is the answer to what was said before the toxic came: that belongs to whoever used the connection last.
        """
        if at_end and type(self.toxic).data is not Toxic.data:
            return self._acts
        if not at_end and self._answer_to_come and self._direction.opposite.passed_bytes == self._said_before:
            return self._acts
        claim, self._claim = self._claim, None
        if claim is not None and not self._removed.is_set() and claim():
            self._acts = True
            self.toxic.begins(self)
        return self._acts

    def now_s(self) -> float:
        """The loop's clock."""
        return self._direction.loop.time()

    async def wait_until(self, when_s: float) -> bool:
        """Wait; True at that time, False at once when the toxic has been taken away."""
        if self._removed.is_set():
            return False
        if when_s <= self.now_s():
            await asyncio.sleep(0)  # a turn of the loop: what is written in one turn may leave in one packet
            return not self._removed.is_set()
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(max(0.0, when_s - self.now_s())):
                await self._removed.wait()
        return not self._removed.is_set()

    async def wait_for_removal(self) -> None:
        """Wait until the toxic has been taken away."""
        await self._removed.wait()

    def finish(self) -> None:
        """Close the connection after what has been written."""
        self._direction.connection.finish()

    def reset(self) -> None:
        """Break the connection."""
        self._direction.connection.reset()

    def finish_at(self, when_s: float) -> None:
        """Close the connection then, unless the toxic has been taken away before."""
        self._timer = self._direction.loop.call_at(when_s, self.finish)

    def remove(self) -> None:
        """End every wait."""
        self._removed.set()
        self.forget()
        if self._acts:
            self.toxic.ends(self)

    def forget(self) -> None:
        """Let the timer go."""
        if self._timer is not None:
            self._timer.cancel()


class End(asyncio.Protocol):
    """One end of a connection: what it says goes into `out`; `filled_by` writes to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.out: Direction | Waiting = Waiting(self)
        self.filled_by: Direction = cast("Direction", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self.transport = cast(asyncio.Transport, transport)
        self.connection.made(self)

    def data_received(self, data: bytes) -> None:
        """Straight on, or into the stages."""
        out = self.out
        if out.slow:
            out.hold(data)
        else:
            out.passed_bytes += len(data)
            out.write(data)  # type: ignore[union-attr]  # who waits is slow; asking here would cost every chunk

    def eof_received(self) -> bool:
        """It has said everything, and may still be listening: a half-closed connection stays open."""
        self.out.sender_ended()
        return True

    def pause_writing(self) -> None:
        """It is full: its sender is not read from."""
        self.filled_by.receiver_full(full=True)

    def resume_writing(self) -> None:
        """It has room again."""
        self.filled_by.receiver_full(full=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; so is the connection."""
        self.connection.lost(self, exc)

    def reset(self) -> None:
        """Close so that the other side sees a reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX and not self.transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()


class Waiting:
    """Where a client's first words stay until its server is there: one read of them, for it is paused with the first.

    (To pause it before its first word is no help: uvloop begins to read after `connection_made` whatever that said.)
    """

    slow = True
    passed_bytes = 0

    def __init__(self, source: End) -> None:
        self.held: list[bytes] = []
        self.ended = False
        self._source = source

    def hold(self, data: bytes) -> None:
        """Keep, and read no more."""
        self.held.append(data)
        self._source.transport.pause_reading()

    def sender_ended(self) -> None:
        """It has said everything already."""
        self.ended = True


class Direction:
    """What one end says to the other."""

    def __init__(self, connection: Connection, name: str, source: End, sink: End) -> None:
        self.connection = connection
        self.name = name
        self.loop = connection.loop
        self.slow = False
        self.passed_bytes = 0
        self.ended = False
        """Whether the receiver has been told that nothing more comes."""
        self.write: Callable[[bytes], None] = sink.transport.write
        self.stages: list[ToxicStage] = []
        self._source = source
        self._sink = sink
        self._held: deque[tuple[bytes | None, float]] = deque()
        self._held_bytes = 0
        self._full = False
        self._paused = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._pump: asyncio.Task[None] | None = None

    # -- reading and writing ----------------------------------------------------------------------------------

    def receiver_full(self, *, full: bool) -> None:
        """The receiver's buffer is full, or has room again."""
        self._full = full
        (self._room.clear if full else self._room.set)()
        self._read_or_not()

    def resume(self) -> None:
        """Its sender was paused before there was a direction."""
        self._paused = True
        self._read_or_not()

    def _read_or_not(self) -> None:
        pause = self._full or self._held_bytes > HELD_LIMIT_BYTES
        transport = self._source.transport
        if pause != self._paused and not transport.is_closing():
            self._paused = pause
            (transport.pause_reading if pause else transport.resume_reading)()

    def hold(self, data: bytes | None) -> None:
        """Into the stages; None is the end."""
        self._held.append((data, self.loop.time()))
        self._held_bytes += len(data or b"")
        self._wake.set()
        self._read_or_not()

    def sender_ended(self) -> None:
        """The sender has closed its side."""
        if self.slow:
            self.hold(None)
        else:
            self._tell_end()

    def _tell_end(self) -> None:
        self.ended = True
        if not self._sink.transport.is_closing():
            self._sink.transport.write_eof()
        self.connection.perhaps_over()

    # -- toxics -----------------------------------------------------------------------------------------------

    def add(self, toxic: Toxic, rng: random.Random, *, claim: Callable[[], bool] | None = None) -> ToxicStage:
        """A toxic comes upon this direction; the next bytes feel it.

        With a `claim` it acts only if that says so, once, when there is something to act on.
        """
        stage = ToxicStage(toxic, self, rng, claim)
        # A delay comes first wherever it was added: behind one that waits for each piece it would add up.
        self.stages.insert(0 if toxic.name == "latency" else len(self.stages), stage)
        if not self.slow:
            self.slow = True
            self._pump = self.loop.create_task(self._run())
        stage.begin()
        return stage

    @property
    def opposite(self) -> Direction:
        """What the other end says."""
        return self.connection.directions["upstream" if self.name == "downstream" else "downstream"]

    def answers_something(self) -> bool:
        """Whether the server speaks here, to a client that has said something already."""
        return self.name == "downstream" and self.opposite.passed_bytes > 0

    def remove(self, stage: ToxicStage) -> None:
        """It is taken away; what it had in hand goes on."""
        if stage in self.stages:
            self.stages.remove(stage)
            stage.remove()
            self._wake.set()

    async def _run(self) -> None:
        """Carry what is held through the stages until there are none left, and nothing to carry."""
        while self._held or self.stages:
            if not self._held:
                self._wake.clear()
                await self._wake.wait()
                continue
            data, arrived_s = self._held.popleft()
            if data is None:
                for stage in tuple(self.stages):
                    if stage.acts(at_end=True):
                        await stage.toxic.end(stage, arrived_s)
                self._tell_end()
            else:
                await self._through(tuple(self.stages), data, arrived_s)
                self._held_bytes -= len(data)
                self._read_or_not()
        self.slow = False

    async def _through(self, stages: tuple[ToxicStage, ...], data: bytes, arrived_s: float) -> None:
        if self.connection.closing:
            return
        if not stages:
            await self._room.wait()
            if not self.connection.closing:
                self.passed_bytes += len(data)
                self.write(data)
            return
        first, rest = stages[0], stages[1:]

        async def pass_on(part: bytes, when_s: float) -> None:
            await self._through(rest, part, when_s)

        if first.acts():
            await first.toxic.data(first, data, arrived_s, pass_on)
        else:
            await pass_on(data, arrived_s)

    def stop(self) -> None:
        """The connection is over."""
        for stage in self.stages:
            stage.forget()
        if self._pump is not None and self._pump is not _current_task():
            self._pump.cancel()


def _current_task() -> asyncio.Task[None] | None:
    with contextlib.suppress(RuntimeError):
        return asyncio.current_task()
    return None


class Connection:
    """A client, a server, and what goes between them."""

    def __init__(
        self,
        number: int,
        *,
        loop: asyncio.AbstractEventLoop,
        joined: Callable[[Connection], None],
        left: Callable[[Connection], None],
    ) -> None:
        self.number = number
        self.loop = loop
        self.closing = False
        """Whether somebody has decided that it ends; nothing more is carried."""
        self.client = End(self)
        self.server = End(self)
        self.directions: dict[str, Direction] = {}
        self._joined = joined
        self._left = left
        self._over = False

    def made(self, end: End) -> None:
        """An end is there; when the server is, what the client has said meanwhile goes on."""
        if end is self.client:
            return
        if self._over or self.client.transport.is_closing():
            end.transport.abort()
            return
        waiting = self.client.out
        up = Direction(self, "upstream", self.client, self.server)
        down = Direction(self, "downstream", self.server, self.client)
        self.directions = {"upstream": up, "downstream": down}
        self.client.out = self.server.filled_by = up
        self.server.out = self.client.filled_by = down
        self._joined(self)
        if isinstance(waiting, Waiting):
            for data in waiting.held:
                self.client.data_received(data)
            if waiting.ended:
                up.sender_ended()
            elif waiting.held and not self.client.transport.is_closing():
                up.resume()

    def perhaps_over(self) -> None:
        """Both sides have said everything: close."""
        if all(one.ended for one in self.directions.values()):
            self.finish()

    def finish(self) -> None:
        """Close both ends after what has been written to them."""
        self.closing = True
        for end in (self.client, self.server):
            if end.transport is not None and not end.transport.is_closing():
                end.transport.close()

    def reset(self) -> None:
        """Break both ends."""
        self.closing = True
        for end in (self.client, self.server):
            if end.transport is not None:
                end.reset()

    def lost(self, end: End, error: Exception | None) -> None:
        """An end is gone: a broken one breaks the other, an ended one ends it."""
        other = self.server if end is self.client else self.client
        if other.transport is not None and not other.transport.is_closing():
            if error is not None and not self.closing:
                other.reset()
            else:
                other.transport.close()
        self.closing = True
        if not self._over:
            self._over = True
            for direction in self.directions.values():
                direction.stop()
            self._left(self)
