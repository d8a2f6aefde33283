"""The proxy as a process: its command line, its control routes, and the harness's side of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.errors import HarnessError
from harness.faults.network import FAULTS, Down, LimitData, LinkControl, make
from simulators.network.toxics import TOXICS


@contextmanager
def proxy_process(*options: str) -> Iterator[list[dict[str, Any]]]:
    argv = [sys.executable, "-m", "simulators.network", "--json", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = []
        for line in child.stdout:
            told.append(json.loads(line))
            if "url" in told[-1]:
                break
        try:
            yield told
        finally:  # a red test must not wait for it for ever
            child.terminate()
        assert child.wait(10) == 0


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def test_command_line_bridges_a_unix_socket_to_tcp(tmp_path: Path, upstream: socket.socket) -> None:
    port = upstream.getsockname()[1]
    path = tmp_path / "in.sock"
    with proxy_process("--upstream", f"db=tcp:127.0.0.1:{port}", "--listen", f"db=unix:{path}") as (proxy, process):
        assert proxy == {"proxy": "db", "listen": f"unix:{path}", "upstream": f"tcp:127.0.0.1:{port}"}
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(b"hello")
            server, _ = upstream.accept()
            with server:
                assert server.recv(100) == b"hello"
                server.sendall(b"world")
                assert client.recv(100) == b"world"
        told = requests.get(f"{process['url']}/_golive/proxies/db", timeout=5).json()
        assert told["bytes"] == {"upstream": 5, "downstream": 5}
        metrics = requests.get(f"{process['url']}/_golive/metrics", timeout=5).text
        assert 'golive_proxy_bytes_total{proxy="db",direction="upstream"} 5' in metrics
        assert os.stat(path).st_mode & 0o077 == 0, "for its owner only"
    assert not path.exists()


def test_a_fault_of_the_harness_acts_and_reverts(upstream: socket.socket) -> None:
    port = upstream.getsockname()[1]
    with proxy_process("--upstream", f"meta=tcp:127.0.0.1:{port}") as (proxy, process):
        address = ("127.0.0.1", int(proxy["listen"].rpartition(":")[2]))
        control = LinkControl(process["url"])
        with Down().on(control, "meta") as armed:
            assert armed.acting()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=5)
        assert not armed.acting()
        with socket.create_connection(address, timeout=5):
            pass
        LimitData(bytes=3).on(control, "meta", connections=1)
        control.reset()
        assert control.link("meta")["toxics"] == []
        with pytest.raises(HarnessError, match="database, aws"):
            Down().on(control, "mtea")
        control.close()


def test_the_end_of_an_idle_connection_is_no_use_of_it(upstream: socket.socket) -> None:
    """ "The next connection that is used": a client that lets go of one it kept must not spend the fault."""
    port = upstream.getsockname()[1]
    with proxy_process("--upstream", f"meta=tcp:127.0.0.1:{port}") as (proxy, process):
        address = ("127.0.0.1", int(proxy["listen"].rpartition(":")[2]))
        control = LinkControl(process["url"])
        with socket.create_connection(address, timeout=5) as idle, socket.create_connection(address, timeout=5) as used:
            (idle_there, _), (used_there, _) = upstream.accept(), upstream.accept()
            with LimitData(bytes=0).on(control, "meta", connections=1), idle_there, used_there:
                idle_there.shutdown(socket.SHUT_WR)
                assert idle.recv(10) == b"", "it has come to its end"
                used.settimeout(5)
                used_there.sendall(b"an answer")
                assert used.recv(10) == b"", "the answer must be the one that is cut off"
        control.close()


def test_control_routes_refuse_in_words() -> None:
    with proxy_process() as (process,):
        base = f"{process['url']}/_golive/proxies"
        for body, word in [
            ({"name": "x", "upstream": "tcp:example.com:80"}, "this machine"),
            ({"name": "x", "upstream": "tcp:127.0.0.1"}, "tcp:HOST:PORT"),
            ({"name": "x"}, "upstream"),
        ]:
            answer = requests.post(base, json=body, timeout=5)
            assert answer.status_code == 400
            assert word in answer.json()["error"]["message"]
        assert requests.get(f"{base}/nothing", timeout=5).status_code == 404
        assert requests.post(base, json={"name": "x", "upstream": "tcp:127.0.0.1:1"}, timeout=5).status_code == 201
        wrong = requests.post(f"{base}/x/toxics", json={"type": "latncy"}, timeout=5)
        assert wrong.status_code == 400
        assert "latency" in wrong.json()["error"]["message"]
        assert requests.delete(f"{base}/x/toxics/latency_downstream", timeout=5).status_code == 404
        assert requests.post(f"{base}/x/toxics", json={"type": "latency"}, timeout=5).status_code == 201
        assert requests.delete(f"{base}/x/toxics", timeout=5).json() == {"toxics": []}


def test_harness_and_proxy_have_the_same_toxics_and_attributes() -> None:
    assert set(FAULTS) == set(TOXICS)
    for name, fault in FAULTS.items():
        assert {one.name for one in fields(fault)} == set(TOXICS[name].model_fields), name


def test_a_misspelt_fault_is_guessed() -> None:
    with pytest.raises(HarnessError, match="Did you mean latency"):
        make("latncy")
    with pytest.raises(HarnessError, match="latency cannot be made so"):
        make("latency", jiter=3)
