"""`golive init` and `golive doctor` as their users call them.

The real commands are started once for each exit code; the rest runs in this process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.cli import cmd_list
from harness.target import Target
from tests.command_line import golive, golive_process
from tests.rows import check_rows

COLLECTED: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture
def scenarios_collected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the same gateways pytest collects the same scenarios: one collection serves all tests of this file."""

    def collected(target: Target) -> list[dict[str, Any]]:
        spoken = json.dumps(target.gateways)
        if spoken not in COLLECTED:
            COLLECTED[spoken] = cmd_list.collected(target)
        return COLLECTED[spoken]

    monkeypatch.setattr("harness.cli.cmd_doctor.collected", collected)


@contextmanager
def listening(status: int) -> Iterator[tuple[str, list[str]]]:
    """A target that answers webhooks with this status; its address, and what it was asked so far."""
    answers, asked = {"GET": 200, "POST": status}, list[str]()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {self.path}")
            self.send_response_only(answers[self.command])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 -- http.server calls them so

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_init_writes_a_target_file_that_can_be_used(tmp_path: Path) -> None:
    """Without a terminal it asks nothing, and says what comes next."""

    def check(url: str) -> None:
        here = tmp_path / ("running" if url else "started")
        here.mkdir()
        run = golive if url else golive_process
        done = run("init", *(["--url", url] if url else []), cwd=here)
        assert done.returncode == 0
        assert "golive doctor --target golive.toml" in done.stdout
        target = Target.load(here / "golive.toml")
        assert target.base_url == (url.rstrip("/") or "http://127.0.0.1:${port}")
        assert bool(target.start) is not bool(url)
        assert target.meta_port == (8790 if url else None)

    check_rows(["", "http://127.0.0.1:8000/"], check)


def test_init_overwrites_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "golive.toml").write_text("mine", encoding="utf-8")
    done = golive_process("init", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "golive.toml").read_text()) == (2, "mine")
    assert "--force" in done.stderr
    assert golive("init", "--force", cwd=tmp_path).returncode == 0
    assert golive("init", "b.toml", "--url", "ftp://x", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "b.toml").exists()


def test_doctor_says_what_the_machine_has_and_what_is_shadowed(tmp_path: Path) -> None:
    """A folder `reports` of the user's own is told; that golive itself is not fooled by it is tested below."""
    (tmp_path / "load.py").write_text("", encoding="utf-8")
    done = golive_process("doctor", "--json", cwd=tmp_path)
    told = {one["name"]: one for one in json.loads(done.stdout)["machine"]}
    assert done.returncode == 0
    assert told["Python"]["state"] == "ok"
    assert told["load"]["state"] == "lacking"
    assert "load.py has the name of a package of golive's" in told["load"]["found"]


def test_a_shadow_fools_nobody(tmp_path: Path) -> None:
    """`golive list` runs pytest where it was called: a module of the same name there must not be imported."""
    for name in ("harness", "simulators", "scenarios", "reports", "load"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadow')", encoding="utf-8")
    done = golive_process("list", "scenarios", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) > 100


@pytest.mark.usefixtures("scenarios_collected_once")
def test_doctor_knocks_twice(tmp_path: Path) -> None:
    """Is it there, and what does it answer an unsigned webhook? Nothing else is asked."""

    def check(row: tuple[Callable[..., Any], int, int, str]) -> None:
        run, status, code, says = row
        here = tmp_path / str(status)
        here.mkdir()
        with listening(status) as (url, asked):
            golive("init", "--url", url, cwd=here)
            done = run("doctor", cwd=here)
        assert done.returncode == code, done.stdout
        assert says in done.stdout
        assert "rows that scenarios prove are wholly observable" in done.stdout
        assert asked == ["GET /health/ready", "POST /api/v1/webhooks/hotmart/golive-doctor"]

    check_rows(
        [(golive, 401, 0, "refused"), (golive_process, 202, 1, "TAKEN"), (golive, 500, 0, "again and again")], check
    )


@pytest.mark.usefixtures("scenarios_collected_once")
def test_doctor_asks_no_other_machine_unasked(tmp_path: Path) -> None:
    golive("init", "--url", "https://pipeline.example.invalid", cwd=tmp_path)
    done = golive("doctor", "--json", cwd=tmp_path)
    (knock,) = json.loads(done.stdout)["target"]["door"]
    assert "--allow-host pipeline.example.invalid" in knock["means"]


def test_a_wrong_target_file_says_what_is_wrong(tmp_path: Path) -> None:
    rows = [
        ('provision = "node provision.mjs"', "a list of words"),
        ("provision = []", "an empty command"),
        ('provision = ["x"]\n[target.gateways]\nhotmrat = ["plan"]', "Did you mean 'hotmart'?"),
        ('provision = ["x"]\n[target.gateways]\nstripe = ["plan"]', "stripe speaks vendor, not plan"),
    ]

    def check(row: tuple[str, str]) -> None:
        line, said = row
        text = f'[target]\nname = "t"\nbase_url = "http://127.0.0.1:1"\n[target.tenants]\n{line}\n'
        (tmp_path / "golive.toml").write_text(text, encoding="utf-8")
        run = golive_process if row == rows[0] else golive
        done = run("doctor", cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr

    check_rows(rows, check)
