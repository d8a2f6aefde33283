"""A process's loop: it survives failures, says nothing personal about them, and ends when asked."""

import logging
import os
import random
import signal
import threading
import time

import psycopg
import pytest

from reference_impl.dispatch.loops import Session, run_until_stopped
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.scheduler import Duty, Scheduler
from reference_impl.dispatch.stopping import Stop, stop_on_signals
from tests.rows import each_row


def _session() -> Session:
    def connect() -> psycopg.Connection:
        raise psycopg.OperationalError("connection to ana@example.com refused")

    return Session(connect)


def test_a_failing_step_is_tried_again_and_tells_no_detail(caplog: pytest.LogCaptureFixture) -> None:
    """The database is away twice: the loop goes on, and logs the kind and place of the failure only."""
    stop, session, tries = Stop(), _session(), []

    def step() -> None:
        tries.append(1)
        if len(tries) == 3:
            stop.request()
        else:
            session.connection()

    with caplog.at_level(logging.WARNING):
        run_until_stopped("relay", step, stop=stop, session=session, rng=random.Random(1))
    stop.close()
    assert len(tries) == 3
    told = [record.getMessage().split(":")[:2] for record in caplog.records]
    assert told == [["relay failed", " OperationalError at connect"]] * 2
    assert "ana@" not in caplog.text


@each_row("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_wait(number: signal.Signals) -> None:
    """A wait on a socket and a wait on the stop itself both end at once, and the handlers are given back."""
    before = signal.getsignal(number)
    silent_reader, silent_writer = os.pipe()
    begun_s = time.monotonic()
    with stop_on_signals() as stop:
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        assert not stop.wait_readable(silent_reader, 20)
        assert stop.wait(20)
        assert stop.requested
    assert time.monotonic() - begun_s < 5
    assert signal.getsignal(number) is before
    os.close(silent_reader)
    os.close(silent_writer)


def test_an_entry_that_sqs_names_nowhere_was_not_taken() -> None:
    """An id in neither list of SQS's answer counts as refused: only what it confirms is sent."""

    class Sqs:
        def send_message_batch(self, **_: object) -> object:
            return {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "Code": "InternalError"}]}

    assert Queue(Sqs(), lambda: "u").send(["a", "b", "c"]) == {"b", "c"}  # type: ignore[arg-type]  # a stub of two lines


class _Row:
    def __init__(self, won: bool) -> None:
        self.won = won

    def execute(self, *_: object) -> "_Row":
        return self

    def fetchone(self) -> tuple[bool]:
        return (self.won,)


def _scheduler(duties: list[Duty], *, won: bool, clock: list[float]) -> Scheduler:
    session = Session(_session)  # type: ignore[arg-type]  # never called: the connection below is already there
    session._connection = _Row(won)  # type: ignore[assignment]  # all that the scheduler asks of a connection
    _Row.closed = False  # type: ignore[attr-defined]
    stop = Stop()
    return Scheduler(session=session, stop=stop, duties=duties, now_s=lambda: clock[0], tick_s=0)


def test_a_duty_is_done_when_due_and_a_failing_one_starves_no_other() -> None:
    """Each has its own rhythm; one that raises is tried again when next due, and the others get their turn."""
    done: list[str] = []

    def fail(_: object) -> None:
        done.append("bad")
        raise ValueError

    duties = [
        Duty(name="bad", every_s=10, work=fail),
        Duty(name="good", every_s=5, work=lambda _: done.append("good")),
    ]
    clock = [100.0]
    scheduler = _scheduler(duties, won=True, clock=clock)
    with pytest.raises(ValueError, match=r"^$"):
        scheduler.step()
    for now_s in (100.0, 104.0, 105.0):
        clock[0] = now_s
        scheduler.step()
    scheduler.stop.close()
    assert done == ["bad", "good", "good"]


def test_a_scheduler_that_does_not_lead_does_nothing() -> None:
    """While another holds the lock, no duty is done."""
    done: list[str] = []
    duties = [Duty(name="good", every_s=5, work=lambda _: done.append("good"))]
    scheduler = _scheduler(duties, won=False, clock=[100.0])
    scheduler.step()
    scheduler.stop.close()
    assert done == []


def test_a_clock_that_was_set_back_leaves_no_duty_undone() -> None:
    """Else a duty would wait until the old time has come round again; it is done, and its rhythm starts anew."""
    done: list[str] = []
    clock = [1_000_000.0]
    scheduler = _scheduler([Duty(name="good", every_s=5, work=lambda _: done.append("good"))], won=True, clock=clock)
    for now_s in (1_000_000.0, 100.0, 104.0, 105.0):
        clock[0] = now_s
        scheduler.step()
    scheduler.stop.close()
    assert len(done) == 3
