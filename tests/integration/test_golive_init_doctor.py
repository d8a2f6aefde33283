"""`golive init` and `golive doctor` as their users call them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.target import Target

GOLIVE = str(Path(sys.executable).parent / "golive")


def golive(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GOLIVE, *arguments],
        cwd=here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.fixture
def door() -> Iterator[tuple[str, dict[str, int], list[tuple[str, bytes]]]]:
    """A target that answers as it is told, and remembers what it was asked."""
    answers, asked = {"GET": 200, "POST": 401}, []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((f"{self.command} {self.path}", body))
            self.send_response_only(answers[self.command])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = _answer  # noqa: N815 -- http.server calls them so

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", answers, asked
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8000/"])
def test_init_writes_a_target_file_that_can_be_used(tmp_path: Path, url: str) -> None:
    """Without a terminal it asks nothing, and says what comes next."""
    done = golive(tmp_path, "init", *(["--url", url] if url else []))
    assert done.returncode == 0
    assert "golive doctor --target golive.toml" in done.stdout
    target = Target.load(tmp_path / "golive.toml")
    assert target.base_url == (url.rstrip("/") or "http://127.0.0.1:${port}")
    assert bool(target.start) is not bool(url)
    assert target.meta_port == (8790 if url else None)


def test_init_overwrites_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "golive.toml").write_text("mine", encoding="utf-8")
    done = golive(tmp_path, "init")
    assert (done.returncode, (tmp_path / "golive.toml").read_text()) == (2, "mine")
    assert "--force" in done.stderr
    assert golive(tmp_path, "init", "--force").returncode == 0
    assert golive(tmp_path, "init", "b.toml", "--url", "ftp://x").returncode == 2
    assert not (tmp_path / "b.toml").exists()


def test_doctor_says_what_the_machine_has_and_what_is_shadowed(tmp_path: Path) -> None:
    """A folder `reports` of the user's own is told; that golive itself is not fooled by it is tested below."""
    (tmp_path / "load.py").write_text("", encoding="utf-8")
    done = golive(tmp_path, "doctor", "--json")
    told = {one["name"]: one for one in json.loads(done.stdout)["machine"]}
    assert done.returncode == 0
    assert told["Python"]["state"] == "ok"
    assert told["load"]["state"] == "lacking"
    assert "load.py has the name of a package of golive's" in told["load"]["found"]


def test_a_shadow_fools_nobody(tmp_path: Path) -> None:
    """`golive list` runs pytest where it was called: a module of the same name there must not be imported."""
    for name in ("harness", "simulators", "scenarios", "reports", "load"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadow')", encoding="utf-8")
    done = golive(tmp_path, "list", "scenarios", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) > 100


@pytest.mark.parametrize(
    ("status", "code", "says"), [(401, 0, "refused"), (202, 1, "TAKEN"), (500, 0, "again and again")]
)
def test_doctor_knocks_twice(
    tmp_path: Path, door: tuple[str, dict[str, int], list[Any]], status: int, code: int, says: str
) -> None:
    """Is it there, and what does it answer an unsigned webhook? Nothing else is asked."""
    url, answers, asked = door
    answers["POST"] = status
    golive(tmp_path, "init", "--url", url)
    done = golive(tmp_path, "doctor")
    assert done.returncode == code, done.stdout
    assert says in done.stdout
    assert "rows that scenarios prove are wholly observable" in done.stdout
    paths = ["GET /health/ready", "POST /api/v1/webhooks/hotmart/golive-doctor"]
    assert [one for one, _ in asked] == paths


def test_doctor_asks_no_other_machine_unasked(tmp_path: Path) -> None:
    golive(tmp_path, "init", "--url", "https://pipeline.example.invalid")
    done = golive(tmp_path, "doctor", "--json")
    (knock,) = json.loads(done.stdout)["target"]["door"]
    assert "--allow-host pipeline.example.invalid" in knock["means"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('provision = "node provision.mjs"', "a list of words"),
        ("provision = []", "an empty command"),
        ('provision = ["x"]\n[target.gateways]\nhotmrat = ["plan"]', "Did you mean 'hotmart'?"),
        ('provision = ["x"]\n[target.gateways]\nstripe = ["plan"]', "stripe speaks vendor, not plan"),
    ],
)
def test_a_wrong_target_file_says_what_is_wrong(tmp_path: Path, line: str, told: str) -> None:
    text = f'[target]\nname = "t"\nbase_url = "http://127.0.0.1:1"\n[target.tenants]\n{line}\n'
    (tmp_path / "golive.toml").write_text(text, encoding="utf-8")
    done = golive(tmp_path, "doctor")
    assert done.returncode == 2
    assert told in done.stderr
