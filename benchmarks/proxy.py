"""`make bench-proxy`: what our network proxy costs while no toxic acts, beside the direct way, in turns, in one run.

Eight connections, each with one request after the other, in a process of their own, to PostgreSQL (a simple SELECT and
an INSERT with its commit) over the Unix socket that a run uses, and to the fake Meta (a CAPI event over kept-alive
HTTP), directly and through the proxy. Rounds take turns and the order changes with each, so that what else the machine
does falls on both. Wanted: in the median of the rounds' ratios at most 15 % fewer requests per second.

Where HAProxy is installed it takes its turns as well, as a plain TCP proxy: what the best of them costs here, where the
askers, the asked and the proxy share the cores. It is shown, and judges nothing.

Exit 0 met, 1 not met, 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests

from harness.errors import HarnessError
from harness.stack.ports import free_port
from harness.stack.postgres import LocalPostgres
from harness.stack.processes import Nursery, wait_ready
from harness.stack.simulators import LocalSimulator

CONNECTIONS = 8
MOST_SLOWER = 0.15
READY_S = 30
#: Processes that ask; the connections are spread over them, so that the asking is not what is measured.
ASKERS = 2


@dataclass(frozen=True)
class Job:
    """What is asked, and of whom."""

    kind: str
    where: str
    duration_s: float


def _asks(job: Job) -> Callable[[], None]:
    """One connection; each call is one request on it."""
    if job.kind == "HTTP":
        address = urlsplit(job.where)
        line = http.client.HTTPConnection(address.hostname or "", address.port)
        event = {
            "event_name": "PageView",
            "event_time": int(time.time()) - 60,
            "action_source": "website",
            "event_source_url": "https://shop.example.com/",
            "user_data": {"client_ip_address": "203.0.113.9", "client_user_agent": "Mozilla/5.0"},
        }
        body = json.dumps({"data": [event], "access_token": "EAAbench"}).encode()

        def post() -> None:
            line.request("POST", address.path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise HarnessError(f"the fake Meta answered {answer.status} {said[:200]!r}")

        return post
    connection = psycopg.connect(job.where, autocommit=True)
    if job.kind == "SELECT":
        return lambda: connection.execute("SELECT 1").fetchone() and None
    return lambda: connection.execute("INSERT INTO bench (text) VALUES ('x')") and None


def _ask(job: Job, connections: int, out: multiprocessing.SimpleQueue[list[float]]) -> None:
    """Ask on some connections, one thread each, for as long as the job lasts; the latencies in ms."""
    took_ms: list[float] = []
    ready = threading.Barrier(connections)

    def one() -> None:
        ask = _asks(job)
        for _ in range(20):
            ask()
        ready.wait(READY_S)
        until = time.perf_counter() + job.duration_s
        mine = []
        while (began := time.perf_counter()) < until:
            ask()
            mine.append((time.perf_counter() - began) * 1000)
        took_ms.extend(mine)

    threads = [threading.Thread(target=one) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(took_ms)


def measure(job: Job) -> list[float]:
    """The latencies in ms of one round over all connections."""
    out: multiprocessing.SimpleQueue[list[float]] = multiprocessing.SimpleQueue()
    askers = [multiprocessing.Process(target=_ask, args=(job, CONNECTIONS // ASKERS, out)) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    found = [out.get() for _ in askers]
    for asker in askers:
        asker.join()
    if not all(found):
        raise HarnessError(f"{job.kind} over {job.where} got no answers")
    return sorted(took for one in found for took in one)


DIRECT, OURS, PEER = "direct", "our proxy", "HAProxy"
Ways = Mapping[str, str]
"""By the name of the way: where it begins."""


def compare(kind: str, ways: Ways, *, rounds: int, duration_s: float) -> float:
    """Measure all ways in turns, print a line for each, and return the median of ours / direct."""
    per_s: dict[str, list[float]] = {way: [] for way in ways}
    p50: dict[str, list[float]] = {way: [] for way in ways}
    p95: dict[str, list[float]] = {way: [] for way in ways}
    names = list(ways)
    for number in range(rounds):
        for way in names[number % len(names) :] + names[: number % len(names)]:
            took_ms = measure(Job(kind, ways[way], duration_s))
            per_s[way].append(len(took_ms) / duration_s)
            p50[way].append(took_ms[len(took_ms) // 2])
            p95[way].append(took_ms[len(took_ms) * 95 // 100])
    middle = statistics.median
    ratios = {way: [one / other for one, other in zip(per_s[way], per_s[DIRECT], strict=True)] for way in ways}
    for way, found in ratios.items():
        low, high = (1 - max(found)) * 100, (1 - min(found)) * 100
        slower = "" if way == DIRECT else f"{(1 - middle(found)) * 100:+.1f} % ({low:+.0f} … {high:+.0f})"
        times = f"{middle(p50[way]):.2f} | {middle(p95[way]):.2f}"
        print(f"| {kind} | {way} | {middle(per_s[way]):,.0f} | {slower} | {times} |", flush=True)
    return middle(ratios[OURS])


def start_haproxy(nursery: Nursery, folder: Path, *, database: str, meta: str) -> str | None:
    """HAProxy in TCP mode before both, on a Unix socket beside the database's and on a port of its own.

    Returns where it listens for HTTP; None: it is not installed.
    """
    if shutil.which("haproxy") is None:
        return None
    port = free_port()
    (folder / "hap").mkdir()
    text = "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
    for name, listen, to in (
        ("database", f"unix@{folder}/hap/.s.PGSQL.5432", f"unix@{database}"),
        ("meta", f"127.0.0.1:{port}", meta),
    ):
        text += f"listen {name}\n bind {listen}\n server one {to}\n"
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    argv = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    child = nursery.start("haproxy", argv, owner="harness", env=dict(os.environ), log=folder / "haproxy.log")

    def complaint() -> str | None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return "nothing listens"
        return None

    wait_ready(child, complaint, within_s=READY_S)
    return f"127.0.0.1:{port}"


def run(folder: Path, nursery: Nursery, args: argparse.Namespace) -> int:
    """Start what is asked, the proxy between, and compare; the exit code."""
    env = dict(os.environ)
    meta, network, database = LocalSimulator("meta"), LocalSimulator("network"), LocalPostgres(folder / "pg")
    children = {
        part: part.start(nursery, env=env, log=folder / f"{part.name}.log", options=options)
        for part, options in ((meta, ("--open",)), (network, ()))
    }
    database.prepare()
    postgres = database.start(nursery, env=env, log=folder / "postgres.log")
    for part, child in children.items():
        part.wait_ready(child, within_s=READY_S)
    database.wait_ready(postgres, within_s=READY_S)
    with closing(psycopg.connect(database.url, autocommit=True)) as connection:
        connection.execute("CREATE TABLE bench (id bigserial PRIMARY KEY, text text NOT NULL)")
    (folder / "net").mkdir()
    asked = {
        "database": {
            "listen": f"unix:{folder}/net/.s.PGSQL.5432",
            "upstream": f"unix:{folder}/pg/.s.PGSQL.5432",
        },
        "meta": {"upstream": f"tcp:{urlsplit(meta.url).netloc}"},
    }
    told = {}
    for name, body in asked.items():
        answer = requests.post(f"{network.url}/_golive/proxies", json={"name": name, **body}, timeout=5)
        if answer.status_code != 201:
            raise HarnessError(f"the proxy {name} was not opened: {answer.text}")
        told[name] = answer.json()["listen"]
    path = "/v23.0/123456789012345/events"
    postgres_ways = {DIRECT: database.url, OURS: database.url.replace(f"{folder}/pg", f"{folder}/net")}
    meta_ways = {DIRECT: meta.url + path, OURS: f"http://{told['meta'].removeprefix('tcp:')}{path}"}
    peer = start_haproxy(nursery, folder, database=f"{folder}/pg/.s.PGSQL.5432", meta=urlsplit(meta.url).netloc)
    if peer is None:
        print("HAProxy is not here, so nothing is beside our proxy (Debian: apt-get install haproxy)", file=sys.stderr)
    else:
        postgres_ways[PEER] = database.url.replace(f"{folder}/pg", f"{folder}/hap")
        meta_ways[PEER] = f"http://{peer}{path}"
    print(f"{CONNECTIONS} connections, {args.rounds} rounds of {args.seconds:g} s each way, {os.cpu_count()} cores\n")
    print("| | way | per s | slower than direct (range) | p50 ms | p95 ms |\n|---|---|---|---|---|---|")
    ratios = [
        compare(kind, ways, rounds=args.rounds, duration_s=args.seconds)
        for kind, ways in (("SELECT", postgres_ways), ("INSERT", postgres_ways), ("HTTP", meta_ways))
        if kind in args.only
    ]
    met = all(ratio >= 1 - MOST_SLOWER for ratio in ratios)
    print(f"\nat most {MOST_SLOWER:.0%} slower wanted: {'met' if met else 'NOT MET'}")
    return 0 if met else 1


def main(argv: Sequence[str]) -> int:
    """Measure and judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--only", nargs="+", default=("SELECT", "INSERT", "HTTP"))
    args = parser.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="golive-", dir="/tmp"))
    folder.chmod(0o755)
    nursery = Nursery(lambda death: print(death.sentence(), file=sys.stderr))
    nursery.sweep_later(folder)
    try:
        return run(folder, nursery, args)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        nursery.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
