"""`golive up`, `status` and `down`: what they start, say and end; nothing is left after any ending.

Environments are started by the real command. Tests that only ask a running one share it, each with its own webhooks.
"""

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from simulators.console.rows import shown
from simulators.console.words import REFUSALS, refusal
from simulators.meta.errors import TABLE
from tests import command_line
from tests.command_line import GOLIVE
from tests.rows import check_rows

LIMIT_S = 60
SPAN = 8


def free_base() -> int:
    """Return a port with some free ones after it."""
    for _ in range(200):
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            with contextlib.suppress(OSError):
                for port in range(first + 1, first + SPAN):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
                return first
    raise AssertionError("no free ports")


@pytest.fixture
def base() -> int:
    """A port with some free ones after it."""
    return free_base()


@contextlib.contextmanager
def state_in(folder: Path) -> Iterator[dict[str, str]]:
    """Environment variables that keep the state in this folder; what a red test has left running is ended."""
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder), "COLUMNS": "200"}
    yield env
    for state in json.loads(golive(env, "status", "--json").stdout)["running"]:
        golive(env, "down", "--port-base", str(state["port_base"]))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a state of this test's own."""
    with state_in(tmp_path) as env:
        yield env


def golive(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process."""
    return command_line.golive(*arguments, env=env)


def golive_process(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    return command_line.golive_process(*arguments, env=env, within_s=LIMIT_S)


@contextlib.contextmanager
def foreground(env: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A `golive up --json` that is ready, and what it said."""
    argv = [GOLIVE, "up", "--json", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate(timeout=LIMIT_S)[1]
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.terminate()


def family(pid: int) -> list[psutil.Process]:
    owner = psutil.Process(pid)
    return [owner, *owner.children(recursive=True)]


def wait_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=15)
    assert [one.pid for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def url(state: dict[str, Any], name: str) -> str:
    return next(one["url"] for one in state["services"] if one["name"] == name)


class Receiver(http.server.ThreadingHTTPServer):
    """A target that takes everything."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        body = b'{"status": "accepted", "note": "joe@example.com"}'
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Shared:
    """An environment that several tests ask, and what one of them has sent."""

    def __init__(self, env: dict[str, str], state: dict[str, Any]) -> None:
        self.env = env
        self.gateways, self.console = url(state, "gateways"), url(state, "console")
        self.port_of_console = int(self.console.rpartition(":")[2])
        self.before = 0
        """The number of the last webhook that was sent before this test."""

    def sent(self, after: object) -> requests.Response:
        return requests.get(f"{self.gateways}/_golive/sent?after={after}", timeout=5)

    def rows(self) -> list[dict[str, Any]]:
        """What the page shows of this test's webhooks."""
        return [row for row in news(self.console)["sent"]["rows"] if row["seq"] > self.before]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One `golive up` for all tests that only ask it."""
    with (
        state_in(tmp_path_factory.mktemp("shared")) as env,
        foreground(env, "--port-base", str(free_base())) as (_, state),
    ):
        yield Shared(env, state)


@pytest.fixture
def shared(environment: Shared) -> Shared:
    """The shared environment, before this test has sent anything."""
    environment.before = max((one["seq"] for one in environment.sent(0).json()["sent"]), default=0)
    return environment


def send(gateways: str, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    wish = {"gateway": "hotmart", "event": "approved", "dialect": "vendor", "secret": "s3cr3t-hottok", "seed": "up/1"}
    wish |= {"to": f"http://127.0.0.1:{receiver.server_port}/hook?key=private", **changes}
    answer = requests.post(f"{gateways}/_golive/send", json=wish, timeout=10)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def news(console: str, **cookies: str) -> dict[str, Any]:
    answer = requests.get(f"{console}/api/news", cookies=cookies, timeout=10)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_up_tells_where_all_is_and_ctrl_c_leaves_nothing(base: int, home: dict[str, str], tmp_path: Path) -> None:
    """One JSON line, ports in their places, an env file; Ctrl-C ends every process and removes every folder but it."""
    env_file = tmp_path / "golive.env"
    with foreground(home, "--port-base", str(base), "--env-file", str(env_file)) as (process, told):
        where = {one["name"]: one["url"] for one in told["services"]}
        assert where == {
            name: f"http://127.0.0.1:{base + place}" for place, name in enumerate(("meta", "gateways", "console"))
        }
        lines = set(env_file.read_text(encoding="utf-8").splitlines()[1:])
        assert lines == {
            f"META_GRAPH_URL={where['meta']}",
            f"GATEWAYS_URL={where['gateways']}",
            f"CONSOLE_URL={where['console']}",
        }
        members = family(process.pid)
        assert len(members) >= 4
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, said
        wait_gone(members)
    assert "nothing is left running" in said
    assert sorted(one.name for one in tmp_path.iterdir()) == ["golive.env", "state"]
    assert list((tmp_path / "state" / "golive").iterdir()) == []


def test_a_killed_up_is_swept_up(base: int, home: dict[str, str]) -> None:
    """kill -9 of golive itself: the guardian ends the fakes, and status no longer believes the state file."""
    with foreground(home, "--port-base", str(base)) as (process, _):
        members = family(process.pid)
        process.kill()
        wait_gone(members)
    done = golive_process(home, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"running": []})


def test_a_fake_that_dies_ends_it_with_a_word(base: int, home: dict[str, str]) -> None:
    """Exit 2, and which one died: half an environment would mislead."""
    with foreground(home, "--port-base", str(base)) as (process, told):
        members = family(process.pid)
        psutil.Process(next(one["pid"] for one in told["services"] if one["name"] == "meta")).kill()
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "fake meta was killed by SIGKILL" in said
    wait_gone(members)


def test_detached_status_down(base: int, home: dict[str, str]) -> None:
    """--detach returns when all answers; status says so with exit 0; down ends it; then status is 1."""
    done = golive_process(home, "up", "--detach", "--json", "--port-base", str(base))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert requests.get(url(told, "meta") + "/_golive/health", timeout=5).ok
    members = family(told["pid"])
    state_file = Path(home["XDG_STATE_HOME"]) / "golive" / f"up-{base}.json"
    assert (state_file.stat().st_mode & 0o777, state_file.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    status = golive_process(home, "status", "--json")
    assert status.returncode == 0
    [running] = json.loads(status.stdout)["running"]
    assert running["answers"] == {"meta": True, "gateways": True, "console": True}
    assert "key" not in running

    down = golive_process(home, "down", "--json")
    assert (down.returncode, [one["port_base"] for one in json.loads(down.stdout)["ended"]]) == (0, [base])
    wait_gone(members)
    assert golive(home, "status").returncode == 1
    again = golive(home, "down")
    assert (again.returncode, again.stdout) == (0, "Nothing was up.\n")
    assert list(state_file.parent.iterdir()) == []


def test_status_sees_a_part_that_does_not_answer(base: int, home: dict[str, str]) -> None:
    """A fake that hangs: exit 1, which one, and where its log is."""
    with foreground(home, "--port-base", str(base), "--only", "meta,gateways") as (_, told):
        stopped = psutil.Process(next(one["pid"] for one in told["services"] if one["name"] == "gateways"))
        stopped.suspend()
        try:
            done = golive(home, "status")
        finally:
            stopped.resume()
    assert done.returncode == 1
    assert "does not answer" in done.stdout
    assert "gateways.log" in done.stdout


def test_a_taken_port_says_who_has_it(base: int, home: dict[str, str]) -> None:
    """Exit 2 before anything is started: which fake, which port, which process, which option."""
    with socket.create_server(("127.0.0.1", base + 1)):
        done = golive_process(home, "up", "--port-base", str(base))
    assert done.returncode == 2
    assert f"The fake gateways cannot listen on 127.0.0.1:{base + 1}: Address already in use." in done.stderr
    assert f"pid {os.getpid()}" in done.stderr
    assert "--port-base" in done.stderr


def test_a_second_up_names_the_first(base: int, home: dict[str, str]) -> None:
    """It says which command ends the other; the other goes on."""
    with foreground(home, "--port-base", str(base), "--only", "meta") as (process, told):
        done = golive(home, "up", "--port-base", str(base), "--detach")
        assert done.returncode == 2
        assert f"pid {process.pid}): `golive down --port-base {base}` ends it" in done.stderr
        assert requests.get(url(told, "meta") + "/_golive/health", timeout=5).ok


def test_bad_wishes_are_sentences(home: dict[str, str]) -> None:
    """Exit 2 and what to do instead."""
    rows = [
        (["--only", "metaa"], "Did you mean 'meta'"),
        (["--only", ","], "names no fake"),
        (["--listen", "localhost"], "an address like"),
        (["--listen", "0.0.0.0", "--only", "meta"], "leaves the page out"),
        (["--port-base", "80"], "--port-base is from 1024"),
        (["--env-file", "no/such/folder/x"], "there is no folder"),
    ]

    def check(row: tuple[list[str], str]) -> None:
        arguments, says = row
        done = golive(home, "up", *arguments)
        assert done.returncode == 2
        assert says in done.stderr

    check_rows(rows, check)


def test_a_file_of_somebody_elses_is_not_overwritten(home: dict[str, str], tmp_path: Path) -> None:
    """--env-file .env with secrets in it: refused, and the file is as before."""
    mine = tmp_path / ".env"
    mine.write_text("SECRET=1\n", encoding="utf-8")
    done = golive(home, "up", "--env-file", str(mine))
    assert (done.returncode, mine.read_text(encoding="utf-8")) == (2, "SECRET=1\n")
    assert "not written by golive up" in done.stderr


def test_only_starts_only_those(base: int, home: dict[str, str]) -> None:
    """--only gateways: one fake, in its own place; the first port stays free."""
    with foreground(home, "--port-base", str(base), "--only", "gateways") as (_, told):
        assert [(one["name"], one["url"]) for one in told["services"]] == [("gateways", f"http://127.0.0.1:{base + 1}")]
        with socket.create_server(("127.0.0.1", base)):
            pass


def test_what_was_sent_is_told_without_secrets(shared: Shared, receiver: Receiver) -> None:
    """The log and the page's rows hold the answer's status and word; no secret, no query, nobody's text."""
    first = send(shared.gateways, receiver, set={"data.buyer.name": "Joana Secreta", "data.purchase.price.value": 1})
    log = shared.sent(shared.before)
    [sent] = log.json()["sent"]
    assert (sent["status"], sent["word"], sent["sale_id"]) == (202, "accepted", first["sale_id"])
    assert (sent["to"], sent["outcome"]) == (f"http://127.0.0.1:{receiver.server_port}/hook?…", "purchase")
    assert shared.sent(sent["seq"]).json()["sent"] == []
    assert shared.sent("x").status_code == 400

    [row] = shared.rows()
    assert row["order"] == first["sale_id"]
    assert row["trigger"].startswith("golive trigger hotmart approved --to ")
    for text in (log.text, json.dumps(row)):
        for secret in ("s3cr3t", "private", "Joana", "joe@example.com"):
            assert secret not in text


def test_again_sends_the_same_body(shared: Shared, receiver: Receiver) -> None:
    """What the page's button does: same bytes once more, and the log says of which it is the repetition."""
    console = shared.console
    send(shared.gateways, receiver)
    [row] = shared.rows()
    plain = requests.post(f"{console}/api/again", json={"seq": row["seq"]}, timeout=10)
    assert plain.status_code == 403  # another site's form could send this
    ours = {"X-Golive": "console"}
    answer = requests.post(f"{console}/api/again", json={"seq": row["seq"]}, headers=ours, timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, 202)
    assert len(receiver.bodies) == 2
    assert receiver.bodies[0] == receiver.bodies[1]
    assert [one["again_of"] for one in shared.rows()] == [None, row["seq"]]
    gone = requests.post(f"{console}/api/again", json={"seq": 99}, headers=ours, timeout=10)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "unknown_webhook")


def test_copied_trigger_sends_the_same_order(shared: Shared, receiver: Receiver) -> None:
    """Of a key that `golive trigger` would make: the same bytes; of any other it sends an order, and says so."""
    plain = {"to": f"http://127.0.0.1:{receiver.server_port}/hook", "set": {"data.purchase.price.value": 1}}
    send(shared.gateways, receiver, seed="7/trigger/0", **plain)
    send(shared.gateways, receiver, seed="it's; $HOME", **plain)
    rows = shared.rows()
    assert [row["same_order"] for row in rows] == [True, False]
    env = {**shared.env, "GOLIVE_SECRET": "s3cr3t-hottok", "PATH": f"{Path(GOLIVE).parent}:{shared.env['PATH']}"}
    for row in rows:
        subprocess.run(["sh", "-c", row["trigger"]], env=env, capture_output=True, timeout=LIMIT_S, check=True)
    assert receiver.bodies[2] == receiver.bodies[0]
    assert receiver.bodies[3] != receiver.bodies[1]


def test_copied_curl_sends_the_same_order(shared: Shared, receiver: Receiver) -> None:
    """What is copied works in a shell once the secret is in its variable."""
    send(shared.gateways, receiver, to=f"http://127.0.0.1:{receiver.server_port}/hook", seed="it's $HOME `x`")
    [row] = shared.rows()
    env = {**shared.env, "GOLIVE_SECRET": "s3cr3t-hottok"}
    done = subprocess.run(["sh", "-c", row["curl"]], env=env, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["status"] == 202, done.stdout + done.stderr
    assert receiver.bodies[0] == receiver.bodies[1]


def test_another_site_reads_nothing(shared: Shared) -> None:
    """On loopback the page answers to names of this machine only (DNS rebinding); its CSP allows its own files only."""
    console = shared.console
    for path in ("/", "/api/news"):
        assert requests.get(console + path, headers={"Host": "evil.example"}, timeout=5).status_code == 403
    page = requests.get(console, headers={"Host": f"localhost:{shared.port_of_console}"}, timeout=5)
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "Access-Control-Allow-Origin" not in page.headers


def test_listen_demands_a_token_that_works_once(base: int, home: dict[str, str]) -> None:
    """Beyond loopback: a warning, a link for one browser, nothing without it; status makes a new one."""
    with foreground(home, "--port-base", str(base), "--listen", "0.0.0.0") as (process, told):
        console = f"http://127.0.0.1:{base + 2}"
        assert {one["name"]: one["url"].rpartition(":")[0] for one in told["services"]}["meta"] == "http://127.0.0.1"
        for path in ("/", "/api/news", "/?token=guess"):
            assert requests.get(console + path, timeout=5).status_code == 403
        assert requests.post(f"{console}/api/invite", headers={"X-Golive": "console"}, timeout=5).status_code == 403
        link = console + "/" + told["console_link"].rpartition("/")[2]
        browser = requests.Session()
        with browser:
            first = browser.get(link, timeout=5)
            assert first.status_code == 200
            assert {"httponly", "samesite=strict"} <= set(first.headers["Set-Cookie"].lower().split("; "))
            assert browser.get(f"{console}/api/news", timeout=5).status_code == 200
        assert requests.get(link, timeout=5).status_code == 403
        [running] = json.loads(golive(home, "status", "--json").stdout)["running"]
        assert requests.get(console + "/" + running["console_link"].rpartition("/")[2], timeout=5).status_code == 200
        assert "GOLIVE_CONSOLE_KEY" not in " ".join(" ".join(one.cmdline()) for one in family(process.pid))
        process.terminate()
        _, said = process.communicate(timeout=LIMIT_S)
    assert "warning: whoever reaches 0.0.0.0 reaches the page" in said
    assert process.returncode == 0


def test_the_console_alone_refuses_to_be_open() -> None:
    """`python -m simulators console --host 0.0.0.0` without a key: a sentence, no server."""
    argv = [sys.executable, "-m", "simulators", "console", "--host", "0.0.0.0"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert "can be reached by others" in done.stderr


def test_every_refusal_has_plain_words() -> None:
    """Whatever the fake Meta can answer, the page has a sentence for exactly that code and subcode."""
    pairs = {(row.code, row.subcode) for row in TABLE.values()}
    assert pairs - set(REFUSALS) == set()
    assert refusal(0, None, None, "reset").startswith("The armed fault reset struck")
    assert "no words" in refusal(400, 987, 1, None)


def test_what_may_be_shown_of_a_text() -> None:
    """One line, no marks, no e-mail, an end."""
    rows: list[tuple[object, str | None]] = [
        (None, None),
        (7, None),
        ("HP123", "HP123"),
        ("a\nb\u202ec", "a�b�c"),
        ("joe@example.com", "(e-mail hidden)"),
        ("https://x.example/?mail=joe%40example.com&y", "https://x.example/?mail=(e-mail hidden)&y"),
        ("x" * 500, "x" * 159 + "…"),
    ]

    def check(row: tuple[object, str | None]) -> None:
        text, expected = row
        assert shown(text) == expected

    check_rows(rows, check)
