"""A second instance whose clock jumps, with a target of twenty lines; and what is not proved is not observed."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harness.clock import RunClock
from harness.errors import HarnessError
from harness.stack.processes import Death
from harness.stack.travelling import TravellingStack
from harness.target import Target

DAY_S = 86_400

#: It answers, and says what time it is; `HONEST=0`: in a header that its start has frozen.
SERVER = """
import os, sys, http.server, email.utils, time
START = time.time()
class Handler(http.server.BaseHTTPRequestHandler):
    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() if os.environ["HONEST"] == "1" else START, usegmt=True)
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def _stack(tmp_path: Path, honest: str) -> Iterator[TravellingStack]:
    target = Target.model_validate(
        {
            "name": "clockwork",
            "base_url": "http://127.0.0.1:${port}",
            "start": {"web": [sys.executable, "-c", SERVER, "${port}"]},
            "env": {"HONEST": honest, "DATABASE_URL": "${database_url}", "AWS_ENDPOINT_URL": "${aws_url}"},
            "probes": {"database_url": "${database_url}"},
            "tenants": {"provision": ["true"]},
        }
    )
    deaths: list[Death] = []
    stack = TravellingStack(target, clock=RunClock.starting_now(), seed=1, logs=tmp_path, on_death=deaths.append)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
    assert deaths == []


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[TravellingStack]:
    """An instance of a target that shows its clock."""
    yield from _stack(tmp_path, "1")


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[TravellingStack]:
    """An instance of a target whose Date header stands still."""
    yield from _stack(tmp_path, "0")


def test_everything_travels_and_nothing_goes_back(stack: TravellingStack) -> None:
    """Target, database, AWS endpoint and fake Meta show the new time, without a restart; a second jump adds up."""
    pids = {name: stack.nursery.get(name).pid for name in (*stack.nursery.names("target"), "postgres", "aws")}
    for days in (60, 100):
        to_s = int(time.time()) + days * DAY_S
        told = stack.travel(to_s)
        assert told["unproved"] == []
        assert len(told["witnesses"]) == 4
        assert told["took_s"] < 3
    with pytest.raises(HarnessError, match="only travels forward"):
        stack.travel(int(time.time()) + 80 * DAY_S)
    seen_s = requests.get(f"{stack.meta_url}/_golive/health", timeout=5).json()["now_s"]
    assert seen_s - time.time() == pytest.approx(100 * DAY_S, abs=60), "a refused jump must move nobody"
    assert {name: stack.nursery.get(name).pid for name in pids} == pids


def test_the_fake_meta_refuses_to_go_back(stack: TravellingStack) -> None:
    """By its control route too, and says why."""
    answer = requests.put(f"{stack.meta_url}/_golive/clock", json={"now_s": time.time() - 60}, timeout=5)
    assert (answer.status_code, "only goes forward" in answer.json()["error"]["message"]) == (400, True)


def test_a_clock_that_does_not_follow_is_no_proof(frozen: TravellingStack) -> None:
    """The target's Date header is from before the jump: that is told, and is no pass."""
    told = frozen.travel(int(time.time()) + 60 * DAY_S)
    assert len(told["unproved"]) == 1
    assert "the target's Date header is -518" in told["unproved"][0]
