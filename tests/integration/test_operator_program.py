"""The target's operator program, as golive speaks with it: small programs that keep the rules, and that break them."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken
from harness.stack.operator import Operator
from harness.stack.processes import Death, Nursery
from harness.stack.stack import OPERATOR, Stack
from harness.stack.travelling import TravellingStack
from harness.target import Target
from harness.tenants import Tenant
from tests.doc_runner import blocks
from tests.rows import check_rows

DAY_S = 86_400

#: It starts every program below: `requests()` yields what is asked for, `answer` answers it.
PRELUDE = """
import json, os, signal, sys, time
def requests():
    for line in sys.stdin: yield json.loads(line)
def write(text):
    sys.stdout.write(text); sys.stdout.flush()
def answer(request, **what):
    write(json.dumps({"id": request["id"], **what}) + chr(10))
"""
ECHO = "for one in requests(): answer(one, output={one['action']: one['input'], 'pid': os.getpid()})"

Start = Callable[..., Operator]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Makes an operator of a few lines of Python; whatever runs at the end of the test is killed."""
    deaths: list[Death] = []
    nursery = Nursery(deaths.append)
    operators = []

    def make(program: str, *, limit_s: float = 20, line_limit_bytes: int = 100_000) -> Operator:
        argv = [sys.executable, "-S", "-c", PRELUDE + program]
        operator = Operator(
            lambda: nursery.start(
                OPERATOR, argv, owner="target", env=dict(os.environ), log=tmp_path / "operator.log", piped=True
            ),
            limit_s=limit_s,
            line_limit_bytes=line_limit_bytes,
        )
        operators.append(operator)
        return operator

    yield make
    for operator in operators:
        operator.close()
    nursery.stop_all()
    assert deaths == [], "its end is the operator's to report"


def test_one_process_carries_out_all_actions(start: Start) -> None:
    operator = start(ECHO)
    first = operator.ask("set_flag", {"flag": "hold"})
    assert first["set_flag"] == {"flag": "hold"}
    assert operator.ask("redrive", {}) == {"redrive": {}, "pid": first["pid"]}


def test_answers_may_come_in_another_order(start: Start) -> None:
    """The first is answered after the second, and each asker has the answer to its own request."""
    operator = start(
        "asked = requests(); both = [next(asked), next(asked)]\n"
        "for one in reversed(both): answer(one, output=one['input'])\n"
        "for one in asked: pass"
    )
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda n: operator.ask("echo", n), (1, 2))) == [1, 2]


def test_an_error_is_the_actions_and_the_program_goes_on(start: Start) -> None:
    operator = start(
        "for one in requests():\n"
        " if one['input']: answer(one, output=os.getpid())\n"
        " else: answer(one, error='no such tenant')"
    )
    pid = operator.ask("set_flag", {"x": 1})
    with pytest.raises(PromiseBroken, match="the target's set_flag failed: no such tenant"):
        operator.ask("set_flag", {})
    assert operator.ask("set_flag", {"x": 1}) == pid


def test_a_program_that_breaks_the_rules_is_killed_and_started_anew(start: Start) -> None:
    """Each says what is wrong, shows the beginning of the answer, and the next request has a new process."""
    rows = [
        ("write('hello, ' + 'x' * 500 + chr(10))", "wrote a line that is not JSON: hello, x{193}$"),
        ("write('[1]' + chr(10))", r"wrote a line that is no answer, .*: \[1\]$"),
        ("write('{\"id\": 1}' + chr(10))", r'wrote a line that is no answer, .*: \{"id": 1\}$'),
        ("answer(one, output=1, error='x')", r'wrote a line that is no answer, .*: \{"id": 1, "output": 1'),
        ("answer({'id': 7}, output=1)", r'an id that no request waits for: \{"id": 7, "output": 1\}$'),
        ("answer({'id': [1]}, output=1)", "an id that no request waits for"),
        ("answer({'id': True}, output=1)", "an id that no request waits for"),
        ("answer({'id': None}, error='what?')", 'an id that no request waits for: {"id": null, "error": "what\\?"}'),
        ("write('x' * 200_000)", "wrote a line of more than 100000 bytes: x{200}$"),
        ("answer(one, output='x' * 200_000)", 'wrote a line of more than 100000 bytes: {"id": 1, "output": "x'),
        ("write('half'); sys.exit(3)", "ended with exit code 3 although it must stay"),
        ("print('no database', file=sys.stderr); sys.exit(1)", "ended with exit code 1 .*\\n.*no database$"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL although it must stay"),
        ("os.close(1); signal.pause()", "closed its standard output, which must stay open"),
    ]

    def check(row: tuple[str, str]) -> None:
        program, complaint = row
        operator = start(f"for one in requests():\n if one['input']: {program}\n else: answer(one, output=os.getpid())")
        with pytest.raises(PromiseBroken, match=f"the target's operator program .*{complaint}"):
            operator.ask("act", {"break": "it"})
        pids = {operator.ask("act", {}), operator.ask("act", {})}
        operator.close()
        assert len(pids) == 1

    check_rows(rows, check)


def test_an_answer_that_does_not_come_has_a_limit(start: Start) -> None:
    """Also where the request is never read, and longer than a pipe holds; whoever else waits fails with it."""
    operator = start("signal.pause()", limit_s=0.5, line_limit_bytes=10_000_000)
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(operator.ask, "provision", {"tenants": "x" * 1_000_000}) for _ in range(2)]
        errors = [str(one.exception(timeout=20)) for one in asked]
    assert errors == ["the target's operator program did not answer provision within 0.5 s"] * 2
    assert time.monotonic() - began < 20


def test_an_end_between_two_requests_is_reported_by_the_next(start: Start) -> None:
    """Once; the one after it has a new process."""
    operator = start("answer(next(requests()), output=os.getpid()); sys.exit(4)")
    first = operator.ask("act", {})
    for thread in threading.enumerate():
        if thread.name == "answers of the operator program":
            thread.join(timeout=20)  # golive has seen the end before anything else is asked
    with pytest.raises(PromiseBroken, match="ended with exit code 4 although it must stay"):
        operator.ask("act", {})
    assert operator.ask("act", {}) != first


def test_what_golive_has_ended_is_started_again_in_silence(start: Start) -> None:
    operator = start(ECHO)
    first = operator.ask("act", {})["pid"]
    operator.close()
    assert operator.ask("act", {})["pid"] != first


def test_a_request_that_is_too_long_is_not_sent(start: Start) -> None:
    """It is golive's, so nothing is said of the target; the program goes on."""
    operator = start(ECHO)
    first = operator.ask("act", {})
    with pytest.raises(HarnessError, match=r"a request for provision has \d+ bytes; 100000 are the limit"):
        operator.ask("provision", "x" * 100_000)
    assert operator.ask("act", {}) == first


def test_its_standard_error_is_a_log(start: Start, tmp_path: Path) -> None:
    operator = start(
        "for one in requests(): print('carried out', one['action'], file=sys.stderr); answer(one, output=1)"
    )
    operator.ask("set_flag", {})
    assert (tmp_path / "operator.log").read_text() == "carried out set_flag\n"


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    nursery = Nursery(lambda _: None)
    try:
        operator = Operator(
            lambda: nursery.start(
                OPERATOR, ["./nothing-here"], owner="target", env=dict(os.environ), log=tmp_path / "log", piped=True
            ),
            limit_s=1,
        )
        with pytest.raises(
            HarnessError, match=r"operator program cannot be started: there is no command '\./nothing-here'"
        ):
            operator.ask("act", {})
    finally:
        nursery.stop_all()


def test_the_program_in_the_documentation_keeps_the_rules(start: Start) -> None:
    """It answers, fails an action with a sentence, and goes on."""
    page = Path(__file__).parents[2] / "docs" / "target.md"
    (program,) = (block.text for block in blocks(page) if block.language == "python")
    operator = start(program)
    assert operator.ask("set_flag", {"tenant": "t1", "flag": "hold"}) == {}
    with pytest.raises(PromiseBroken, match="the target's set_flag failed: KeyError"):
        operator.ask("set_flag", {})
    with pytest.raises(PromiseBroken, match="the target's redrive failed: KeyError\\('redrive'\\)"):
        operator.ask("redrive", {})
    assert operator.ask("set_flag", {"tenant": "t1", "flag": "on"}) == {}


# -- on a stack ----------------------------------------------------------------------------------------------------

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
#: Which make of the target it is, which process, what time it is there, and what it was given.
SHOW = """
for one in requests():
    shown = {"release": os.environ["RELEASE"], "pid": os.getpid(), "now_s": time.time(), "given": one["input"]}
    answer(one, output=shown)
"""
TENANT = Tenant(
    tenant="t1", pixel_id="1", meta_token="EAA-token", meta_token_expires_at_s=None, timezone="UTC", gateways={}
)
OF_A_COMMAND = {"by": "a command"}


def target(release: str, *, through: Sequence[str] = ()) -> Target:
    """A target whose operator program knows everything but one action; it may be started `through` another command."""
    return Target.model_validate(
        {
            "name": "served",
            "base_url": "http://127.0.0.1:${port}",
            "start": {"web": [sys.executable, "-c", SERVER, "${port}"]},
            "env": {"RELEASE": release},
            "paths": {"ready": "/"},
            "tenants": {"provision": "serve"},
            "actions": {
                "serve": [*through, sys.executable, "-c", PRELUDE + SHOW],
                "set_flag": "serve",
                "redrive": [sys.executable, "-S", "-c", f"print({json.dumps(OF_A_COMMAND)!r})"],
            },
        }
    )


def begun(kind: type[Stack], wanted: Target, logs: Path) -> Stack:
    """A stack that is started, with its tenant."""
    stack = kind(
        wanted, clock=RunClock.starting_now(), seed=1, logs=logs, on_death=lambda death: pytest.fail(str(death))
    )
    stack.start()
    stack.provision([TENANT])
    return stack


def test_a_stack_has_one_and_exchanges_it_with_the_target(tmp_path: Path) -> None:
    """It sees the target's environment, outlives `restore`, and stands beside single commands."""
    stack = begun(Stack, target("old"), tmp_path)
    try:
        shown = json.loads(stack.act("set_flag", {"flag": "on"}))
        assert (shown["release"], shown["given"]) == ("old", {"flag": "on"})
        assert json.loads(stack.act("redrive", {})) == OF_A_COMMAND
        stack.restore()
        assert json.loads(stack.act("set_flag", {}))["pid"] == shown["pid"]
        with pytest.raises(HarnessError, match="declares no action 'serve'"):
            stack.act("serve", {})
        stack.exchange(target("new"), seed=2, logs=tmp_path / "new", name="new")
        assert json.loads(stack.act("set_flag", {}))["release"] == "new"
        assert (tmp_path / "new" / "target-operator.log").exists()
        last = stack.nursery.get(OPERATOR)
    finally:
        stack.stop()
    assert last.process.returncode is not None


def test_it_travels_in_time_or_is_named(tmp_path: Path) -> None:
    """The process that ran before the jump has the new time; one without the library is no proof of a jump."""
    stack = begun(TravellingStack, target("travelling"), tmp_path / "travelling")
    try:
        before = json.loads(stack.act("set_flag", {}))
        assert stack.travel(int(time.time()) + 10 * DAY_S)["unproved"] == []
        after = json.loads(stack.act("set_flag", {}))
    finally:
        stack.stop()
    assert after["pid"] == before["pid"]
    assert after["now_s"] - before["now_s"] == pytest.approx(10 * DAY_S, abs=60)
    stack = begun(TravellingStack, target("deaf", through=["env", "-u", "LD_PRELOAD"]), tmp_path / "deaf")
    try:
        told = stack.travel(int(time.time()) + 10 * DAY_S)["unproved"]
    finally:
        stack.stop()
    assert told == ["the target's operator program has not loaded libfaketime, and keeps the machine's time"]
