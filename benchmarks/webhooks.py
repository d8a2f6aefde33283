"""`make bench-webhooks`: the reference's webhook endpoint beside a floor app, in one run, in turns, on this machine.

Both run on granian with a worker for each core and the same number of threads, and write to one PostgreSQL. The floor
reads the raw body, computes one HMAC and commits one row; the reference does all that the plan asks before its 202.
Both get the same requests: genuine webhooks of all four gateways in equal shares, every sale once, rendered and signed
beforehand. Compared are medians over rounds that take turns. Relay, consumer and scheduler do not run: this is the
front door alone.

Needs wrk (Debian). Exit 0 met, 1 not met, 2 something is missing or failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import requests

from harness.clock import RunClock
from harness.stack.ports import free_port
from harness.stack.processes import Child, wait_ready
from harness.stack.stack import Stack
from harness.target import Target
from harness.tenants import Tenant, make_tenant
from simulators import gateways as fakes
from simulators.people import order

HERE = Path(__file__).parent
TARGET_RATIO = 0.6
CONNECTIONS = 16
THREADS = 8
WORKERS = len(os.sched_getaffinity(0))
SEED = 1
_OFTEN = {"METRICS_EVERY_S": "3"}
"""A minute is longer than a turn: so each has its share of metrics, and more than that; and the client that tells them
is made while it is warming."""


class Failed(Exception):
    """Nothing can be compared; the message says why."""


@dataclass
class Peer:
    """One server, and what was measured of it."""

    name: str
    url: str
    child: Child
    skip_bytes: int = 0
    per_s: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Of the server and its children, a request."""
    database_ms: list[float] = field(default_factory=list)
    """Of PostgreSQL meanwhile, a request."""


def cpu_s(child: Child) -> float:
    """What a process and its children have used so far."""
    process = psutil.Process(child.pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


@contextmanager
def reference(folder: Path) -> Iterator[tuple[Stack, Tenant]]:
    """The reference's web process alone, with its database and secrets, and one tenant in each dialect's stead."""
    target = Target.load(HERE.parent / "reference_impl" / "target.toml")
    alone = target.model_copy(
        update={
            "start": {"web": target.start["web"]},
            "env": {**target.env, "WEB_THREADS": str(THREADS), "WEB_WORKERS": str(WORKERS), **_OFTEN},
        }
    )
    deaths: list[str] = []
    stack = Stack(
        alone,
        clock=RunClock.starting_now(),
        seed=SEED,
        logs=folder,
        on_death=lambda death: deaths.append(death.sentence()),
    )
    try:
        stack.start()
        tenant = make_tenant(SEED, "bench", dialect="vendor", supported=alone.gateways)
        stack.provision([tenant])
        yield stack, tenant
    finally:
        stack.stop()
        if deaths:
            print("; ".join(deaths), file=sys.stderr)


def start_floor(stack: Stack, folder: Path) -> Peer:
    """The floor app on the stack's database."""
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(HERE)}
    argv = [
        sys.executable,
        str(HERE / "floor.py"),
        str(port),
        stack.target.env["DATABASE_URL"],
        str(THREADS),
        str(WORKERS),
    ]
    child = stack.nursery.start("floor", argv, owner="harness", env=env, log=folder / "floor.log")
    url = f"http://127.0.0.1:{port}"

    def complaint() -> str | None:
        try:
            return None if requests.post(f"{url}/x", data=b"{}", timeout=2).status_code == 202 else "it refuses"
        except requests.RequestException:
            return "nothing answers"

    wait_ready(child, complaint, within_s=20)
    return Peer("floor", url, child)


def render(path: Path, tenant: Tenant, *, count: int, host: str, public_url: str) -> None:
    """Write `count` genuine webhooks as whole HTTP requests."""
    now_s = int(time.time())
    names = list(tenant.gateways)
    with path.open("wb") as out:
        for number in range(count):
            name = names[number % len(names)]
            account = tenant.gateways[name]
            url = f"{public_url}/api/v1/webhooks/{name}/{tenant.tenant}"
            sale = order(f"{SEED}/bench/{number}", now_s=now_s - 60)
            sent = fakes.webhook(
                fakes.gateway(name),
                sale,
                "approved",
                dialect=account.dialect,
                secret=account.secret,
                url=url,
                now_s=now_s,
            )
            parts = urlsplit(sent.url)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            headers = {"Host": host, **sent.headers, "Content-Length": str(len(sent.body))}
            head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            whole = f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + sent.body
            out.write(struct.pack(">I", len(whole)) + whole)


def load(peer: Peer, file: Path, *, seconds: int, database: Child) -> None:
    """One turn of wrk, from where the peer's last one ended.

    Raises:
        Failed: a request was not answered with 202.
    """
    env = {**os.environ, "BENCH_REQUESTS": str(file), "BENCH_SKIP": str(peer.skip_bytes)}
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(HERE / "raw.lua"), peer.url]
    before_s, database_before_s = cpu_s(peer.child), cpu_s(database)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    line = next((one for one in done.stdout.splitlines() if one.startswith("RESULT ")), "")
    if not line:
        raise Failed(f"wrk did not come to an end: {(done.stderr or done.stdout)[-300:]}")
    count, duration_us, errors, p95_us = map(int, line.split()[1:])
    if errors or not count:
        raise Failed(f"{peer.name}: {errors} of {count} requests failed: the rendered requests may be used up")
    peer.per_s.append(count / (duration_us / 1e6))
    peer.p95_ms.append(p95_us / 1000)
    peer.cpu_ms.append((cpu_s(peer.child) - before_s) / count * 1000)
    peer.database_ms.append((cpu_s(database) - database_before_s) / count * 1000)
    peer.skip_bytes = offset_after(file, peer.skip_bytes, count + CONNECTIONS)


def offset_after(file: Path, start: int, count: int) -> int:
    """Where the request stands that comes `count` after the one at `start`."""
    with file.open("rb") as source:
        at = start
        for _ in range(count):
            source.seek(at)
            size = source.read(4)
            if len(size) < 4:
                raise Failed("the rendered requests are used up; ask for fewer rounds or seconds")
            at += 4 + struct.unpack(">I", size)[0]
    return at


def report(floor: Peer, ours: Peer) -> bool:
    """Print what was measured; whether the target is met."""
    print("| | webhooks/s, median (range) | p95 | CPU a request | and PostgreSQL's |\n|---|---|---|---|---|")
    for one in (floor, ours):
        print(
            f"| {one.name} | {statistics.median(one.per_s):,.0f} ({min(one.per_s):,.0f} – {max(one.per_s):,.0f}) "
            f"| {statistics.median(one.p95_ms):.1f} ms | {statistics.median(one.cpu_ms):.2f} ms "
            f"| {statistics.median(one.database_ms):.2f} ms |"
        )
    ratios = sorted(mine / other for mine, other in zip(ours.per_s, floor.per_s, strict=True))
    ratio = statistics.median(ratios)
    print(f"\nratio to the floor: {ratio:.2f} ({ratios[0]:.2f} – {ratios[-1]:.2f}), at least {TARGET_RATIO:g} wanted")
    print("met" if ratio >= TARGET_RATIO else "NOT MET")
    return ratio >= TARGET_RATIO


def stored(stack: Stack) -> int:
    """Conversions in the database: that the work was really done."""
    with psycopg.connect(stack.target.env["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM conversions").fetchone()
    return int(row[0]) if row else 0


def main() -> int:
    """Measure and judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="of each turn (default: 4)")
    parser.add_argument("--most", type=int, default=4500, help="webhooks a second to have ready (default: 4500)")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        print("not measured: wrk is not here (Debian: apt-get install wrk).", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="golive-bench-") as name, reference(Path(name)) as (stack, tenant):
            folder = Path(name)
            ours = Peer("reference", stack.target.base_url, stack.nursery.get("web"))
            floor, database = start_floor(stack, folder), stack.nursery.get("postgres")
            count = args.most * args.seconds * (args.rounds + 1)
            print(f"rendering and signing {count:,} webhooks", file=sys.stderr)
            public_url = stack.target.public_url or stack.target.base_url
            render(folder / "requests", tenant, count=count, host="127.0.0.1", public_url=public_url)
            for number in range(args.rounds + 1):
                for peer in (floor, ours):
                    load(peer, folder / "requests", seconds=args.seconds, database=database)
                    told = f"round {number}" if number else "warming"
                    print(f"{told}: {peer.name} {peer.per_s[-1]:,.0f}/s", file=sys.stderr)
            for peer in (floor, ours):
                del peer.per_s[0], peer.p95_ms[0], peer.cpu_ms[0], peer.database_ms[0]
            kept = stored(stack)
            met = report(floor, ours)
            print(f"{kept:,} conversions stood in the reference's database at the end")
    except Failed as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
