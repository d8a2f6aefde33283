"""The load balancer that stands before replicas: exact shares, only to whom is ready, and never a second try."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from harness.errors import NotSeenInTime
from harness.testing import Balancer


class Replica(ThreadingHTTPServer):
    """Ready or not; echoes what it is sent, or cuts the line."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ready = True
        self.cuts = False
        self.posts = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        self.send_response(200 if self.server.ready else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts += 1
        if self.server.cuts:
            self.connection.close()
            return
        said = f"{self.path} {self.headers['X-Proof']} ".encode() + body
        self.send_response(202)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("X-Replica", self.server.url)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def replicas() -> Iterator[tuple[Replica, Replica]]:
    both = Replica(), Replica()
    yield both
    for one in both:
        one.close()


def post(balancer: Balancer, path: str = "/a%2Fb?c=d") -> requests.Response:
    return requests.post(balancer.url + path, data=b"\x00raw", headers={"X-Proof": "p"}, timeout=5)


def test_shares_are_exact_and_bytes_are_untouched(replicas: tuple[Replica, Replica]) -> None:
    """9 to 1 is nine and one of ten; path, header and body arrive as they were sent."""
    one, other = replicas
    with Balancer({one.url: 9, other.url: 1}, ready_path="/", check_every_s=0.02) as balancer:
        for replica in replicas:
            balancer.wait_until_ready(replica.url, within_s=5)
        answers = [post(balancer) for _ in range(20)]
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"/a%2Fb?c=d p \x00raw")}
        assert (one.posts, other.posts) == (18, 2)
        assert balancer.answered_by(other.url) == 2
        balancer.weigh({one.url: 0, other.url: 1})
        assert {post(balancer).headers["X-Replica"] for _ in range(3)} == {other.url}


def test_who_is_not_ready_gets_nothing(replicas: tuple[Replica, Replica]) -> None:
    """And when nobody is, the sender is told 503."""
    one, other = replicas
    one.ready = False
    with Balancer({one.url: 1, other.url: 1}, ready_path="/", check_every_s=0.02) as balancer:
        balancer.wait_until_ready(other.url, within_s=5)
        balancer.wait_until_ready(one.url, ready=False, within_s=5)
        assert {post(balancer).headers["X-Replica"] for _ in range(3)} == {other.url}
        other.ready = False
        balancer.wait_until_ready(other.url, ready=False, within_s=5)
        assert post(balancer).status_code == 503
        assert "no replica is ready" in balancer.failures[0]
        with pytest.raises(NotSeenInTime, match=r"127\.0\.0\.1:\d+ ready"):
            balancer.wait_until_ready(one.url, within_s=0.05)


def test_what_a_replica_fails_is_not_tried_again(replicas: tuple[Replica, Replica]) -> None:
    """A second try would hide the failure from whoever looks for it."""
    one, other = replicas
    one.cuts = True
    with Balancer({one.url: 1, other.url: 0}, ready_path="/", check_every_s=0.02) as balancer:
        balancer.wait_until_ready(one.url, within_s=5)
        assert post(balancer).status_code == 502
        assert one.posts + other.posts == 1
        assert "failed it" in balancer.failures[0]
