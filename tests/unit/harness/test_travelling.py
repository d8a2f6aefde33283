"""The clock only goes forward, a jump is proved or not observed, and no two scenarios share a day."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import faketime
from harness.clock import SHORTEST_JUMP_S, RunClock, TravellingClock
from harness.errors import HarnessError, UsageError
from harness.stack.travelling import Witness, unproved, why_not
from harness.target import Target
from harness.testing.travelling import Period, overlapping
from tests.rows import each_row

DAY_S = 86_400
NOW_S = 1_800_000_000.0


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[TravellingClock]:
    """A clock that has not travelled yet."""
    clock = TravellingClock(tmp_path / "faketime", RunClock.starting_now())
    yield clock
    clock.close()


def test_a_jump_lands_where_it_was_asked_to(clock: TravellingClock) -> None:
    """The present is that moment, time goes on from there, and the origin of what is signed is there too."""
    to_s = int(time.time()) + 60 * DAY_S
    clock.jump(to_s)
    assert clock.now_s() == pytest.approx(to_s, abs=2)
    assert clock.present.origin_s == to_s
    assert clock.present.stamp_s() == to_s


@pytest.mark.parametrize("by_s", [-DAY_S, -1, 0, SHORTEST_JUMP_S - 1])
def test_it_refuses_to_go_back_or_hardly_anywhere(clock: TravellingClock, tmp_path: Path, by_s: int) -> None:
    """Backwards, and so near that it could be mere waiting: refused with what to do, and nothing has moved."""
    clock.jump(int(time.time()) + DAY_S)
    file, present = (tmp_path / "faketime").stat().st_mtime, clock.present
    with pytest.raises(HarnessError, match="only travels forward"):
        clock.jump(int(clock.now_s()) + by_s)
    assert ((tmp_path / "faketime").stat().st_mtime, clock.present) == (file, present)


def test_a_running_process_jumps_with_it(clock: TravellingClock) -> None:
    """The wall clock of a process that is not restarted jumps; its monotonic clock does not."""
    say = "import time, sys\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    env = {**os.environ, **clock.child_env()}
    with subprocess.Popen(
        [sys.executable, "-c", say], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as child:

        def look() -> list[float]:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("\n")
            child.stdin.flush()
            return [float(word) for word in child.stdout.readline().split()]

        before = look()
        clock.jump(int(time.time()) + 60 * DAY_S)
        after = look()
    assert after[0] - before[0] == pytest.approx(60 * DAY_S, abs=5)
    assert after[1] - before[1] < 60


_MANY_LOOK = """
import threading, time
until, away = time.monotonic() + 1, []
def look():
    last = time.time()
    while time.monotonic() < until:
        now = time.time()
        if abs(now - last) > 60:
            away.append(now)
        last = now
        sum(range(200))
threads = [threading.Thread(target=look) for _ in range(20)]
for one in threads: one.start()
for one in threads: one.join()
print(len(away))
"""


def test_threads_that_look_together_all_see_one_time(clock: TravellingClock) -> None:
    """Nobody is told the machine's time for once: such a stamp is of another year, and a metric with it is refused."""
    clock.jump(int(time.time()) + 400 * DAY_S)
    assert _said(_MANY_LOOK, clock.child_env()) == "0"


_WAIT = """
import ctypes, time
libc = ctypes.CDLL(None)
cond, attributes, mutex = (ctypes.create_string_buffer(128) for _ in range(3))
libc.pthread_condattr_init(attributes)
libc.pthread_condattr_setclock(attributes, time.CLOCK_MONOTONIC)
libc.pthread_cond_init(cond, attributes)
libc.pthread_mutex_init(mutex, None)
libc.pthread_mutex_lock(mutex)
began = time.monotonic()
until = (ctypes.c_long * 2)(*divmod(time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 300_000_000, 1_000_000_000))
libc.pthread_cond_timedwait(cond, mutex, until)
print(time.monotonic() - began)
"""


def test_who_waits_by_the_monotonic_clock_waits(clock: TravellingClock) -> None:
    """Python's GIL and Java's parked threads wait so: where every wait ends at once, they spin."""
    clock.jump(int(time.time()) + 400 * DAY_S)
    assert 0.29 <= float(_said(_WAIT, clock.child_env())) < 60


def test_who_is_started_later_lives_in_the_same_time(tmp_path: Path) -> None:
    """It counts from where all have begun, not from its own start; and its time passes."""
    followed = faketime.Followed(tmp_path / "faketime", began_s=int(time.time()) - 1000)
    try:
        for offset_s in (0, 400 * DAY_S, -DAY_S):
            followed.be_off(offset_s)
            shown_s = float(_said("import time; print(time.time() - time.monotonic())", followed.env()))
            assert shown_s == pytest.approx(time.time() - time.monotonic() + offset_s, abs=0.5)
    finally:
        followed.close()


def _said(code: str, env: Mapping[str, str]) -> str:
    whole = {**os.environ, **env}
    done = subprocess.run([sys.executable, "-c", code], env=whole, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_nothing_is_left_of_it(clock: TravellingClock) -> None:
    """Shared memory outlives every process, until somebody removes it; a second time is no mistake."""
    assert [one.exists() for one in clock.left_behind] == [True, True]
    clock.close()
    clock.close()
    assert [one.exists() for one in clock.left_behind] == [False, False]


def _witness(name: str, *shown: float | None) -> Witness:
    left = list(shown)
    return Witness(name=name, look=lambda: left.pop(0) if len(left) > 1 else left[0])


def test_a_jump_that_all_witnesses_show_is_proved() -> None:
    """Small differences are those of a header of whole seconds."""
    assert unproved([_witness("a", NOW_S + 1), _witness("b", NOW_S - 1)], lambda: NOW_S, within_s=0) == []


@each_row(
    ("witnesses", "complaint"),
    [
        ([_witness("a", NOW_S), _witness("b", NOW_S - DAY_S)], "b is -86400 s off"),
        ([_witness("a", NOW_S), _witness("b", None)], "b shows no time"),
        ([_witness("a", NOW_S + SHORTEST_JUMP_S)], "a is +10 s off"),
        ([], "nothing of this target shows its clock"),
    ],
)
def test_a_jump_that_one_witness_does_not_show_is_unproved(witnesses: Sequence[Witness], complaint: str) -> None:
    """One clock that stayed behind, or shows nothing, is enough; and so is nobody who looks."""
    assert unproved(witnesses, lambda: NOW_S, within_s=0) == [complaint]


def test_a_witness_may_be_a_little_late() -> None:
    """A server that writes its Date header once a second is asked again."""
    assert unproved([_witness("a", NOW_S - DAY_S, NOW_S)], lambda: NOW_S, within_s=5) == []


def _target(**changes: Any) -> Target:
    given = {
        "name": "mine",
        "base_url": "http://127.0.0.1:${port}",
        "start": {"web": ["web", "${port}"]},
        "tenants": {"provision": ["provision"]},
    }
    return Target.model_validate(given | changes)


def test_without_shared_memory_nobody_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is started; the scenarios are not observed, and the run goes on."""
    assert why_not(_target()) is None
    monkeypatch.setattr(faketime, "SHARED_MEMORY", tmp_path / "none")
    assert "none cannot be written to" in (why_not(_target()) or "")
    with pytest.raises(HarnessError, match="needs shared memory"):
        faketime.Followed(tmp_path / "faketime", began_s=0)


@each_row(
    ("changes", "reason"),
    [
        ({"start": {}}, "does not start the target"),
        ({"base_url": "http://127.0.0.1:8000"}, "says no ${port}"),
        ({"probes": {"database_url": "postgresql://db.example.com/live"}}, "not one that the harness starts"),
    ],
)
def test_what_cannot_have_a_second_instance_does_not_travel(changes: dict[str, Any], reason: str) -> None:
    """Else the second would take the first's port or database, or keep the machine's time."""
    assert reason in (why_not(_target(**changes)) or "")


def test_what_has_its_own_parts_travels() -> None:
    """A port and a database of the run's own: there can be two."""
    assert why_not(_target(probes={"database_url": "${database_url}"})) is None


def test_the_second_instance_may_take_its_time() -> None:
    """`[target.travel]` goes over environment and timings, there and nowhere else."""
    target = _target(env={"A": "1", "B": "1"}, travel={"env": {"B": "2"}, "timings": {"retry_s": 300}})
    there = target.travelling()
    assert (there.env, there.timings.retry_s) == ({"A": "1", "B": "2"}, 300)
    assert (target.env, target.timings.retry_s) == ({"A": "1", "B": "1"}, 60)


def test_an_unknown_timing_of_the_second_instance_is_refused(tmp_path: Path) -> None:
    """A typo there is no silent default either."""
    file = tmp_path / "target.toml"
    file.write_text(
        '[target]\nname = "x"\nbase_url = "y"\n[target.travel]\ntimings = { retry = 1 }\n', encoding="utf-8"
    )
    with pytest.raises(UsageError, match="retry: no such timing"):
        Target.load(file)


def test_periods_that_meet_are_named() -> None:
    """The calendar's order is the days', and the last day is taken too."""
    apart = [("b", Period(day=11, days=5)), ("a", Period(day=1, days=10))]
    assert overlapping(apart) == []
    assert overlapping([*apart, ("c", Period(day=10, days=1))]) == ["a takes the days 1 to 10, and c begins on day 10"]


@each_row("period", [{"day": 0, "days": 1}, {"day": 1, "days": 0}])
def test_a_period_begins_after_the_origin_and_lasts(period: dict[str, int]) -> None:
    """Day 0 would be a jump to where one is."""
    with pytest.raises(HarnessError, match="the first day is 1"):
        Period(**period)
