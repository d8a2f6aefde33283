"""What each toxic does to the millisecond, on a clock of its own: nothing is sent, and nobody waits."""

from __future__ import annotations

import math
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from simulators.network.toxics import (
    Bandwidth,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)
from tests.rows import each_row

BEGAN_S = 1000.0


class Line:
    """A stage whose waits are over at once, and what has come out of it: bytes, when, and when they are said to be."""

    def __init__(self, toxic: Toxic, *, seed: int = 1, removed_at_s: float = math.inf) -> None:
        self.toxic, self.rng, self.removed_at_s = toxic, random.Random(seed), removed_at_s
        self.passed, self.free_at_s, self.clock_s = 0, 0.0, BEGAN_S
        self.out: list[tuple[bytes, float]] = []
        self.said_s: list[float] = []
        self.ended: list[tuple[str, float]] = []

    def send(self, data: bytes, *, arrived_s: float | None = None) -> None:
        """Some bytes have come, now or before."""
        finished(self.toxic.data(self, data, self.clock_s if arrived_s is None else arrived_s, self._pass_on))

    def end(self) -> None:
        """The sender has said everything."""
        finished(self.toxic.end(self, self.clock_s))

    async def _pass_on(self, part: bytes, when_s: float) -> None:
        self.out.append((part, round(self.clock_s - BEGAN_S, 6)))
        self.said_s.append(round(when_s - BEGAN_S, 6))

    def now_s(self) -> float:
        return self.clock_s

    async def wait_until(self, when_s: float) -> bool:
        self.clock_s = max(self.clock_s, min(when_s, self.removed_at_s))
        return self.clock_s < self.removed_at_s

    async def wait_for_removal(self) -> None:
        self.clock_s = self.removed_at_s

    def finish(self) -> None:
        self.finish_at(self.clock_s)

    def finish_at(self, when_s: float) -> None:
        self.ended.append(("finish", round(when_s - BEGAN_S, 6)))

    def reset(self) -> None:
        self.ended.append(("reset", round(self.clock_s - BEGAN_S, 6)))


def finished(work: Coroutine[Any, Any, None]) -> None:
    with pytest.raises(StopIteration):
        work.send(None)


def test_latency_is_exact_and_two_that_came_together_wait_together() -> None:
    line = Line(Latency(latency=200))
    line.send(b"a")
    line.send(b"b", arrived_s=BEGAN_S)
    line.send(b"c", arrived_s=BEGAN_S + 0.1)
    assert line.out == [(b"a", 0.2), (b"b", 0.2), (b"c", 0.3)]
    assert line.said_s == [0.2, 0.2, 0.3]


def test_the_next_toxic_is_told_when_it_was_due_and_not_when_it_got_its_turn() -> None:
    line = Line(Latency(latency=200))
    line.clock_s += 5  # the line was busy with what came before
    line.send(b"a", arrived_s=BEGAN_S)
    assert line.out == [(b"a", 5.0)]
    assert line.said_s == [0.2], "or delays would add up"


def test_an_end_is_as_late_as_bytes_are() -> None:
    line = Line(Latency(latency=200))
    line.end()
    assert line.clock_s == BEGAN_S + 0.2


def delays(*, seed: int) -> list[float]:
    line, found = Line(Latency(latency=200, jitter=50), seed=seed), []
    for _ in range(200):
        began = line.clock_s - BEGAN_S
        line.send(b"x")
        found.append(line.out[-1][1] - began)
    return found


def test_jitter_is_to_both_sides_and_follows_from_the_seed() -> None:
    found = delays(seed=1)
    assert 0.1499 < min(found) < 0.16
    assert 0.24 < max(found) < 0.2501
    assert found == delays(seed=1) != delays(seed=2)


def test_no_jitter_lets_anything_arrive_before_it_was_sent() -> None:
    line = Line(Latency(latency=0, jitter=100))
    for _ in range(50):
        line.send(b"x", arrived_s=BEGAN_S)
    assert min(line.said_s) == 0.0 < max(line.said_s)


def test_bandwidth_trickles_and_an_idle_line_saves_nothing_up() -> None:
    line = Line(Bandwidth(rate=10))
    line.send(b"x" * 2500)
    line.send(b"y" * 500, arrived_s=BEGAN_S)
    assert [(len(part), at) for part, at in line.out] == [(1000, 0.1), (1000, 0.2), (500, 0.25), (500, 0.3)]
    line.out.clear()
    line.clock_s = BEGAN_S + 60
    line.send(b"z" * 1000)
    assert [(len(part), at) for part, at in line.out] == [(1000, 60.1)]


def test_slow_close_delays_ends_only() -> None:
    line = Line(SlowClose(delay=400))
    line.send(b"x")
    assert line.out == [(b"x", 0.0)]
    line.end()
    assert line.clock_s == BEGAN_S + 0.4


def test_reset_peer_swallows_and_resets_in_its_time() -> None:
    line = Line(ResetPeer(timeout=100))
    line.send(b"x")
    assert (line.out, line.ended) == ([], [("reset", 0.1)])


def test_reset_peer_that_is_taken_away_in_time_gives_back_what_it_had() -> None:
    line = Line(ResetPeer(timeout=100), removed_at_s=BEGAN_S + 0.05)
    line.send(b"x")
    assert (line.out, line.ended) == ([(b"x", 0.05)], [])


@each_row(("timeout", "ended"), [(0, []), (300, [("finish", 0.3)])])
def test_timeout_counts_from_its_coming(timeout: int, ended: list[tuple[str, float]]) -> None:
    line = Line(Timeout(timeout=timeout), removed_at_s=BEGAN_S + 9)
    line.toxic.begins(line)
    line.send(b"x")
    assert (line.out, line.ended) == ([], ended)
    line.end()
    assert line.clock_s == BEGAN_S + 9, "the end is told when it is gone"
    line.toxic.ends(line)
    assert line.ended == [*ended, ("finish", 9.0)], "bytes are missing"


def test_limit_data_closes_with_the_last_byte_and_not_before() -> None:
    line = Line(LimitData(bytes=10))
    line.send(b"sixsix")
    assert line.ended == []
    line.send(b"four")
    assert line.ended == [("finish", 0.0)]
    line.send(b"more")
    assert b"".join(part for part, _ in line.out) == b"sixsixfour"


def test_slicer_cuts_as_it_was_told() -> None:
    line, data = Line(Slicer(average_size=100, size_variation=30, delay=2000)), bytes(range(256)) * 100
    line.send(data)
    assert b"".join(part for part, _ in line.out) == data
    sizes = [len(part) for part, _ in line.out[:-1]]
    assert 70 <= min(sizes) < 75
    assert 125 < max(sizes) <= 130
    assert [at for _, at in line.out] == [round(number * 0.002, 6) for number in range(len(line.out))]


def test_slicer_that_is_taken_away_gives_back_the_rest_at_once() -> None:
    line = Line(Slicer(average_size=100, delay=2000), removed_at_s=BEGAN_S + 0.003)
    line.send(b"x" * 1000)
    assert [len(part) for part, _ in line.out] == [100, 100, 800]


def test_down_resets_at_once() -> None:
    line = Line(Down())
    line.toxic.begins(line)
    assert line.ended == [("reset", 0.0)]
