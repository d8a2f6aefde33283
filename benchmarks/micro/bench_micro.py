"""Every subject beside its floor, in turns: pytest-benchmark measures, `micro_judge` judges, `gate.py` starts it.

One round is a batch of the floor, then a batch of the subject, each some milliseconds long. Time is the thread's CPU
time: none of the subjects waits for anything, and what else the machine does while it waits for us is none of theirs.

Units:
    MICRO_ROUNDS: rounds of each subject. MICRO_BATCH_MS: the length of one batch.
    MICRO_SABOTAGE: `NAME=0.3` lets that subject burn 30 % of its own time besides (`make bench-gate-proof`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from micro_subjects import FLOORS, Subject, Work, subjects
from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = int(os.environ.get("MICRO_ROUNDS", "40"))
BATCH_S = float(os.environ.get("MICRO_BATCH_MS", "3")) / 1000
SABOTAGED, _, _SHARE = os.environ.get("MICRO_SABOTAGE", "").rpartition("=")
WARM_UP = 3
timer = time.thread_time


def batch_of(work: Work, calls: int) -> Callable[[], None]:
    """So many calls one after the other."""
    turns = range(calls)

    def batch() -> None:
        for _ in turns:
            work()

    return batch


def timed(batch: Callable[[], None]) -> float:
    """How long it took, in seconds of this thread's CPU."""
    began = timer()
    batch()
    return timer() - began


def burning(batch: Callable[[], None], share: float) -> Callable[[], None]:
    """The same work, and `share` of its own time again for nothing."""

    def slower() -> None:
        began = timer()
        batch()
        until = timer() + share * (timer() - began)
        while timer() < until:
            pass

    return slower


def calls_of(work: Work) -> int:
    """How many calls fill a batch."""
    calls = 1
    while (took := min(timed(batch_of(work, calls)) for _ in range(3))) < BATCH_S / 8:
        calls *= 4
    return max(1, round(calls * BATCH_S / took))


@pytest.mark.parametrize("subject", list(subjects()), ids=lambda one: one.name)
def test_subject(benchmark: BenchmarkFixture, subject: Subject) -> None:
    """Leaves the raw rounds of both in the file; nothing is judged here."""
    work, floor = subject.make(), FLOORS[subject.floor]()
    calls, floor_calls = calls_of(work), calls_of(floor)
    batch, floor_batch = batch_of(work, calls), batch_of(floor, floor_calls)
    if subject.name == SABOTAGED:
        batch = burning(batch, float(_SHARE))
    floor_s: list[float] = []
    benchmark.pedantic(
        batch,
        setup=lambda: floor_s.append(timed(floor_batch)),  # before each round, and not in its time
        rounds=ROUNDS,
        iterations=1,
        warmup_rounds=WARM_UP,
    )
    assert benchmark.stats is not None
    took_s = benchmark.stats.stats.data
    benchmark.extra_info.update(
        name=subject.name,
        floor=subject.floor,
        subject_us=[one / calls * 1e6 for one in took_s],
        floor_us=[one / floor_calls * 1e6 for one in floor_s[-len(took_s) :]],
    )
