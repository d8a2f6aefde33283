"""Locust without golive: its own users, headless, and as a master with two workers."""

import csv
import hashlib
import hmac
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simulators import gateways as fakes
from simulators.people import order

ROOT = Path(__file__).parents[2]
LOCUST = [sys.executable, "-m", "locust", "-f", str(ROOT / "load" / "locustfile.py")]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Locust hangs up when its time is over."""


class Receiver:
    """Answers 202 to everything, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes, dict[str, str]]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                told.append((self.path, body, dict(self.headers)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def paths(self) -> set[str]:
        """Where something was sent, without what a vendor appends."""
        return {path.partition("?")[0] for path, _, _ in self.told}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def without_plan() -> dict[str, str]:
    """An environment in which no `golive load` has left a plan."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def child(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """One Locust process; ended whatever happens."""
    with subprocess.Popen(
        [*LOCUST, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=without_plan(), cwd=cwd
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_locust_alone_sends_every_vendors_webhooks_and_what_pages_tell(receiver: Receiver, tmp_path: Path) -> None:
    """Headless, with no plan and no golive: every kind of user, each request its own."""
    with child(
        *("--headless", "--host", receiver.url, "-u", "12", "-r", "12", "-t", "4s", "--per-user", "5"),
        *("--tenant", "loja-1", "--csv", "out", "--exit-code-on-error", "1", "--only-summary"),
        cwd=tmp_path,
    ) as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 0, said[-2000:]
    vendors = {f"/api/v1/webhooks/{name}/loja-1" for name in ("hotmart", "kiwify", "perfectpay", "stripe")}
    pages = {f"/api/v1/tracking/loja-1/{kind}" for kind in ("click", "pageview")}
    assert vendors | pages <= receiver.paths()
    bodies = [body for _, body, _ in receiver.told]
    assert len(set(bodies)) == len(bodies) > 40
    with (tmp_path / "out_stats.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    assert {"hotmart vendor", "kiwify vendor", "perfectpay vendor", "stripe vendor"} <= set(rows)
    assert rows["Aggregated"]["Failure Count"] == "0"


def test_one_kind_of_user_in_the_plans_dialect_signs_with_the_secret_that_was_given(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Named on the command line, as Locust has it."""
    with child(
        *("--headless", "--host", receiver.url, "-u", "2", "-r", "2", "-t", "2s", "--dialect", "plan"),
        *("--secret", "s3cret", "--only-summary", "KiwifyUser"),
        cwd=tmp_path,
    ) as process:
        said, _ = process.communicate(timeout=50)
    assert process.returncode == 0, said[-2000:]
    assert receiver.paths() == {"/api/v1/webhooks/kiwify/t-load"}
    for _, body, headers in receiver.told:
        wanted = "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert headers["X-Signature"] == wanted


def test_a_master_and_two_workers_share_the_users_and_no_sale(receiver: Receiver, tmp_path: Path) -> None:
    """Three processes on this machine; on several it is the same, with the master's address."""
    port = str(free_port())
    master_words = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    worker_words = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    with (
        child(
            *master_words,
            *("--headless", "--host", receiver.url, "-u", "8", "-r", "8", "-t", "4s", "--per-user", "5"),
            *("--order-seed", "7", "--csv", "out", "--only-summary", "StripeUser"),
            cwd=tmp_path,
        ) as master,
        child(*worker_words, cwd=tmp_path) as one,
        child(*worker_words, cwd=tmp_path) as two,
    ):
        said, _ = master.communicate(timeout=55)
        for worker in (one, two):
            worker.communicate(timeout=20)
    assert master.returncode == one.returncode == two.returncode == 0, said[-2000:]
    bodies = [body for _, body, _ in receiver.told]
    assert len(set(bodies)) == len(bodies) > 40
    with (tmp_path / "out_stats.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    # What is under way when the time is over, Locust sends and does not count.
    assert 40 < int(rows["Aggregated"]["Request Count"]) <= len(bodies)
    stripe = fakes.gateway("stripe")
    place = sorted(fakes.known()).index("stripe")
    for worker in (0, 1):  # both have sent
        keys = [f"700{worker}/load/{turn * len(fakes.known()) + place}" for turn in range(20)]
        sales = [stripe.sale_id(order(key, now_s=1_780_000_000)).encode() for key in keys]
        assert any(sale in body for sale in sales for body in bodies)


def test_the_web_page_is_there(receiver: Receiver, tmp_path: Path) -> None:
    """Locust's own page offers a class for each vendor, and golive's options."""
    port = free_port()
    with child("--host", receiver.url, "--web-host", "127.0.0.1", "--web-port", str(port), cwd=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Starting web interface" in line:
                break
        page = ""
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    page = answer.read().decode()
                break
            except OSError:
                threading.Event().wait(0.05)
    assert "per_user" in page or "per-user" in page
    assert "s3cret" not in page
