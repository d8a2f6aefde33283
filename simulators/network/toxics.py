"""The toxics, one class each, with Toxiproxy's names and attributes: how a connection is broken, never whether.

A toxic is a value without state. What it does to one direction of one connection it does through a `Stage`, which
knows the direction, keeps the toxic's state there and ends every wait when the toxic is taken away; what was in hand
is then passed on. Where and how often a toxic acts stands in `simulators/network/proxy.py`.

Units are Toxiproxy's: milliseconds, but for the slicer's delay in microseconds; a KB is 1000 bytes.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

#: A day: nothing here is meant to outlive a run.
_MAX_MS = 86_400_000
_Ms = Annotated[int, Field(ge=0, le=_MAX_MS)]

#: How much of a second a bandwidth's pieces last, so that a slow line trickles instead of jerking.
_PIECE_MS = 100

#: One of the toxics has an attribute `bytes`, as Toxiproxy has it.
Chunk: TypeAlias = bytes

#: Hands bytes to the next toxic, or to the receiver, with the time at which they came there on the loop's clock.
PassOn = Callable[[Chunk, float], Awaitable[None]]


class Stage(Protocol):
    """One toxic at work on one direction of one connection."""

    rng: random.Random
    """Of this toxic and connection alone: the same seed gives the same jitter."""
    passed: int
    """Bytes that the toxic has let through here so far; the toxic's to count."""
    free_at_s: float
    """When the line is free again, on the loop's clock; the toxic's to set."""

    def now_s(self) -> float:
        """The loop's clock."""
        ...

    async def wait_until(self, when_s: float) -> bool:
        """Wait; True at that time, False at once when the toxic has been taken away."""
        ...

    async def wait_for_removal(self) -> None:
        """Wait until the toxic has been taken away."""
        ...

    def finish(self) -> None:
        """Close the connection after what has been written."""
        ...

    def reset(self) -> None:
        """Break the connection: both ends see a reset (TCP) or an end (Unix)."""
        ...

    def finish_at(self, when_s: float) -> None:
        """Close the connection then, unless the toxic has been taken away before."""
        ...


class Toxic(BaseModel):
    """What does nothing: everything passes as it comes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: ClassVar[str]

    def begins(self, stage: Stage) -> None:
        """It has come upon a connection, open or new."""

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:  # noqa: ARG002 -- all toxics are asked alike
        """Some bytes have come; whatever goes on goes through `pass_on`, in order."""
        await pass_on(chunk, arrived_s)

    async def end(self, stage: Stage, arrived_s: float) -> None:
        """The sender has closed its side; return when that may be passed on."""

    def ends(self, stage: Stage) -> None:
        """It has been taken away while the connection was open."""


class Latency(Toxic):
    """Everything arrives `latency` ± `jitter` ms late, in order."""

    name = "latency"
    latency: _Ms = 0
    jitter: _Ms = 0

    def _due_s(self, stage: Stage, arrived_s: float) -> float:
        late_ms = self.latency + (stage.rng.uniform(-self.jitter, self.jitter) if self.jitter else 0)
        return arrived_s + max(0.0, late_ms) / 1000

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:
        """Late."""
        due_s = self._due_s(stage, arrived_s)
        await stage.wait_until(due_s)
        await pass_on(chunk, min(due_s, stage.now_s()))

    async def end(self, stage: Stage, arrived_s: float) -> None:
        """The end is no faster than the data."""
        await stage.wait_until(self._due_s(stage, arrived_s))


class Bandwidth(Toxic):
    """At most `rate` KB pass in a second."""

    name = "bandwidth"
    rate: Annotated[int, Field(ge=1, le=100_000_000)]

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:
        """In pieces of a tenth of a second, each after the time that it takes."""
        piece = max(1, self.rate * _PIECE_MS)
        for start in range(0, len(chunk), piece):
            part = chunk[start : start + piece]
            stage.free_at_s = max(stage.free_at_s, arrived_s) + len(part) / (self.rate * 1000)
            await stage.wait_until(stage.free_at_s)
            await pass_on(part, min(stage.free_at_s, stage.now_s()))


class SlowClose(Toxic):
    """The end of a connection is told `delay` ms late."""

    name = "slow_close"
    delay: _Ms = 0

    async def end(self, stage: Stage, arrived_s: float) -> None:
        """Late."""
        await stage.wait_until(arrived_s + self.delay / 1000)


class ResetPeer(Toxic):
    """The first bytes are swallowed, and `timeout` ms later the connection is reset."""

    name = "reset_peer"
    timeout: _Ms = 0

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:
        """Swallowed; passed on only if the toxic is taken away before its time."""
        if await stage.wait_until(arrived_s + self.timeout / 1000):
            stage.reset()
        else:
            await pass_on(chunk, stage.now_s())


class Timeout(Toxic):
    """Nothing gets through; `timeout` ms after it came the connection is closed (0: when it is taken away)."""

    name = "timeout"
    timeout: _Ms = 0

    def begins(self, stage: Stage) -> None:
        """The clock runs from here, whether or not anything is sent."""
        if self.timeout:
            stage.finish_at(stage.now_s() + self.timeout / 1000)

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:
        """Dropped."""

    async def end(self, stage: Stage, arrived_s: float) -> None:  # noqa: ARG002 -- all toxics are asked alike
        """Not told either."""
        await stage.wait_for_removal()

    def ends(self, stage: Stage) -> None:
        """Bytes are missing: the connection cannot go on."""
        stage.finish()


class LimitData(Toxic):
    """After exactly `bytes` bytes the connection is closed."""

    name = "limit_data"
    bytes: Annotated[int, Field(ge=0, le=2**53)]

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:
        """As much as there is room for."""
        part = chunk[: self.bytes - stage.passed]
        stage.passed += len(part)
        if part:
            await pass_on(part, arrived_s)
        if stage.passed >= self.bytes:
            stage.finish()


class Slicer(Toxic):
    """Data is cut into pieces of `average_size` ± `size_variation` bytes, `delay` µs apart."""

    name = "slicer"
    average_size: Annotated[int, Field(ge=1, le=2**31)]
    size_variation: Annotated[int, Field(ge=0, le=2**31)] = 0
    delay: Annotated[int, Field(ge=0, le=_MAX_MS * 1000)] = 0

    async def data(self, stage: Stage, chunk: Chunk, arrived_s: float, pass_on: PassOn) -> None:  # noqa: ARG002 -- all toxics are asked alike
        """Piece by piece."""
        start, wanted = 0, True
        while start < len(chunk):
            size = max(1, self.average_size + stage.rng.randint(-self.size_variation, self.size_variation))
            part = chunk[start : start + size] if wanted else chunk[start:]
            start += len(part)
            await pass_on(part, stage.now_s())
            wanted = wanted and await stage.wait_until(stage.now_s() + self.delay / 1_000_000)


class Down(Toxic):
    """Nobody is there: open connections are reset, new ones are refused."""

    name = "down"

    def begins(self, stage: Stage) -> None:
        """At once."""
        stage.reset()


#: Every toxic by its name.
TOXICS: dict[str, type[Toxic]] = {
    kind.name: kind for kind in (Latency, Bandwidth, SlowClose, ResetPeer, Timeout, LimitData, Slicer, Down)
}


class BadToxic(ValueError):
    """No such toxic, or its attributes are wrong."""


def make(name: str, attributes: dict[str, Any]) -> Toxic:
    """A toxic from its name and attributes.

    Raises:
        BadToxic: there is none of that name. pydantic.ValidationError: an attribute is wrong.
    """
    if name not in TOXICS:
        raise BadToxic(f"There is no toxic {name!r}. There are {', '.join(TOXICS)}.")
    return TOXICS[name](**attributes)
