"""`--engine containers` where something is lacking: what has happened and the next step, on any machine.

No engine is needed for that: where one has to answer, a few routes of Docker's API do. The real command runs once,
the other cases in this process.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.cli import common
from harness.errors import UsageError
from harness.stack import containers
from tests import command_line
from tests.rows import check_rows

pytest.importorskip("docker")

LIMIT_S = 60
NONE, HERE = "golive-test/there-is-none", "golive-test/is-here"
_DENIED = f"pull access denied for {NONE}, repository does not exist or may require 'docker login'"


def golive(out: Path, *more: str, as_process: bool = False, **environment: str) -> tuple[int, str]:
    """Exit code and what it said, on one line. Never a stack trace, nor a folder that looks like a run."""
    run = command_line.golive_process if as_process else command_line.golive
    words = ("run", "--target", "reference", "--suite", "smoke", "--out", str(out), *more)
    done = run(*words, env={"COLUMNS": "200", **environment})
    said = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in said
    assert not out.exists()
    return done.returncode, said


@pytest.fixture
def engine() -> Iterator[str]:
    """An engine that answers, has one image and gets no other; its DOCKER_HOST."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
            answers: dict[str, tuple[int, object]] = {
                "/version": (200, {"ApiVersion": "1.41", "Version": "20.10.24"}),
                "/_ping": (200, "OK"),
                "/containers/json": (200, []),
                f"/images/{HERE}/json": (200, {"Id": "sha256:0", "RepoTags": [HERE]}),
                "/images/create": (404, {"message": _DENIED}),
            }
            status, told = answers.get(path, (404, {"message": f"No such image: {path}"}))
            raw = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815 -- as http.server wants it

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(LIMIT_S)


def test_without_an_engine_the_next_step_is_told(tmp_path: Path) -> None:
    """No socket, a closed port, an address that is none: exit 2."""

    def check(host: str) -> None:
        as_process = host == "unix:///nowhere.sock"
        code, said = golive(tmp_path / "run", "--engine", "containers", as_process=as_process, DOCKER_HOST=host)
        assert code == 2
        assert "found no container engine that answers" in said
        for step in (
            "Start one (`docker info` says whether it runs",
            "DOCKER_HOST names another",
            "or use --engine local",
        ):
            assert step in said

    check_rows(["unix:///nowhere.sock", "tcp://127.0.0.1:9", "carrier-pigeon://coop"], check)


def test_an_image_that_is_not_to_be_had_is_named(tmp_path: Path, engine: str) -> None:
    """Whichever of the two; with the engine's own reason, and the variable that names another one."""

    def check(variable: str) -> None:
        images = {"GOLIVE_POSTGRES_IMAGE": HERE, "GOLIVE_AWS_IMAGE": HERE, variable: NONE}
        code, said = golive(tmp_path / "run", "--engine", "containers", DOCKER_HOST=engine, **images)
        assert code == 2
        assert f"pulling {NONE} (only this once)" in said
        assert f"The image {NONE} is not on this machine and could not be pulled" in said
        assert "pull access denied" in said
        assert f"`docker pull {NONE}`" in said
        assert f"{variable}=IMAGE" in said

    check_rows(["GOLIVE_POSTGRES_IMAGE", "GOLIVE_AWS_IMAGE"], check)


def test_an_engine_elsewhere_is_refused(tmp_path: Path, engine: str) -> None:
    """It answers, under a name that is not certainly this machine's: what it published could not be reached."""
    elsewhere = engine.replace("127.0.0.1", "127.1")
    code, said = golive(tmp_path / "run", "--engine", "containers", DOCKER_HOST=elsewhere)
    assert code == 2
    assert "The container engine is on '127.1'" in said
    assert "use an engine on this machine, or --engine local" in said


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"needs testcontainers: install golive\[containers\]"):
        containers.ContainersEngine({}).ready(common.find_target("reference")[1], print)


def test_an_engine_that_is_not_known_is_answered_with_a_guess(tmp_path: Path) -> None:
    code, said = golive(tmp_path / "run", "--engine", "container")
    assert code == 2
    assert "Did you mean 'containers'?" in said
