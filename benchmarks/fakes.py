"""`make bench-fakes`: the fake Meta beside WireMock, in one run, in turns, on this machine.

Both get the same requests from wrk: ten Purchases each, every event id once. The fake Meta validates every event,
deduplicates, counts and files it; WireMock, warmed, gives a fixed answer and keeps a journal of 1,000 requests. What
is compared are medians over rounds that take turns, so that a slow minute of the machine strikes both.

Needs Java 17, npm (WireMock comes from there) and wrk (Debian). What is missing is said; exit 0 met, 1 not met,
2 something is missing or failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from harness.stack.ports import free_port
from harness.stack.processes import Child, Nursery, wait_ready
from harness.stack.simulators import LocalSimulator

HERE = Path(__file__).parent
HOME = HERE.parent / ".bench"
WIREMOCK = "3.13.2"
PIXEL, TOKEN = "900000000000001", "EAAbench"
EVENTS_PER_REQUEST = 10
CONNECTIONS = 16
TARGET_RATIO, TARGET_MEMORY = 2.0, 0.25


class Missing(Exception):
    """Something that the comparison needs is not on this machine; the message says what and how to get it."""


@dataclass
class Peer:
    """One server and what was measured of it."""

    name: str
    url: str
    child: Child
    events_per_s: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def process(self) -> psutil.Process:
        """The server's process."""
        return psutil.Process(self.child.pid)


def wiremock_jar() -> Path:
    """The stand-alone jar, fetched through npm once.

    Raises:
        Missing: neither the jar nor npm is here, or npm cannot get it.
    """
    jar = HOME / "node_modules" / "wiremock" / "build" / f"wiremock-standalone-{WIREMOCK}.jar"
    if jar.exists():
        return jar
    if shutil.which("npm") is None:
        raise Missing("npm is not here; WireMock comes from there (Debian: apt-get install npm).")
    HOME.mkdir(exist_ok=True)
    done = subprocess.run(
        ["npm", "install", "--silent", "--prefix", str(HOME), f"wiremock@{WIREMOCK}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if not jar.exists():
        raise Missing(f"npm did not bring WireMock {WIREMOCK}: {(done.stderr or done.stdout).strip()[-300:]}")
    return jar


def demand(*commands: str) -> None:
    """Return if all commands are here; else raise Missing."""
    gone = [one for one in commands if shutil.which(one) is None]
    if gone:
        raise Missing(f"{', '.join(gone)} is not here (Debian: apt-get install openjdk-17-jre-headless npm wrk).")


def start_meta(nursery: Nursery, logs: Path) -> Peer:
    """The fake Meta with one pixel."""
    fake = LocalSimulator("meta")
    child = fake.start(nursery, env=dict(os.environ), log=logs / "meta.log")
    fake.wait_ready(child, within_s=30)
    body = {"tokens": [{"token": TOKEN}]}
    requests.put(f"{fake.url}/_golive/pixels/{PIXEL}", json=body, timeout=5).raise_for_status()
    return Peer("fake Meta", fake.url, child)


def start_wiremock(nursery: Nursery, logs: Path, jar: Path) -> Peer:
    """WireMock with the same answer for every call, its journal bounded to 1,000 requests."""
    port = free_port()
    root = logs / "wiremock"
    (root / "mappings").mkdir(parents=True)
    answer = {"events_received": EVENTS_PER_REQUEST, "messages": [], "fbtrace_id": "A" + "b" * 22}
    mapping = {
        "request": {"method": "POST", "urlPath": f"/v26.0/{PIXEL}/events"},
        "response": {"status": 200, "jsonBody": answer, "headers": {"Content-Type": "application/json"}},
    }
    (root / "mappings" / "events.json").write_text(json.dumps(mapping), encoding="utf-8")
    argv = ["java", "-jar", str(jar), "--port", str(port), "--bind-address", "127.0.0.1", "--root-dir", str(root)]
    argv += ["--max-request-journal-entries", "1000", "--disable-banner"]
    child = nursery.start("wiremock", argv, owner="harness", env=dict(os.environ), log=logs / "wiremock.log")
    url = f"http://127.0.0.1:{port}"

    def complaint() -> str | None:
        try:
            return None if requests.get(f"{url}/__admin/mappings", timeout=2).ok else "it answers no mappings"
        except requests.RequestException:
            return "nothing answers"

    wait_ready(child, complaint, within_s=60)
    return Peer("WireMock", url, child)


def load(peer: Peer, *, seconds: int, name: str) -> tuple[float, float]:
    """Events a second and the p95 in ms of one round.

    Raises:
        Missing: a request failed: then nothing can be compared.
    """
    event = {
        "event_name": "Purchase",
        "event_time": int(time.time()) - 60,
        "event_id": "@ID@",
        "action_source": "website",
        "event_source_url": "https://shop.example.com/obrigado",
        "user_data": {
            "em": [hashlib.sha256(b"maria@example.com").hexdigest()],
            "ph": [hashlib.sha256(b"5511999999999").hexdigest()],
            "client_ip_address": "203.0.113.7",
            "client_user_agent": "Mozilla/5.0",
            "fbp": "fb.1.1700000000000.1234567890",
        },
        "custom_data": {"value": 297.0, "currency": "BRL", "order_id": "o-1"},
    }
    environment = {
        **os.environ,
        "BENCH_PATH": f"/v26.0/{PIXEL}/events",
        "BENCH_EVENT": json.dumps(event, separators=(",", ":")),
        "BENCH_TOKEN": TOKEN,
        "BENCH_ROUND": name,
    }
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(HERE / "events.lua"), peer.url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    line = next((one for one in done.stdout.splitlines() if one.startswith("RESULT ")), "")
    if not line:
        raise Missing(f"wrk did not come to an end: {(done.stderr or done.stdout)[-300:]}")
    count, duration_us, errors, p95_us = map(int, line.split()[1:])
    if errors or not count:
        raise Missing(f"{peer.name}: {errors} of {count} requests failed; nothing can be compared")
    return count * EVENTS_PER_REQUEST / (duration_us / 1e6), p95_us / 1000


def warm(peers: list[Peer], *, seconds: int, say: Callable[[str], None]) -> None:
    """Six turns of each, and on until neither was faster by 5 % twice running; twenty at most.

    In turns as later, for Java's compiler gets its time while the other is under load: warmed alone it was measured at
    half of what it came to afterwards.
    """
    best, no_faster = dict.fromkeys((one.name for one in peers), 0.0), dict.fromkeys((one.name for one in peers), 0)
    for number in range(1, 21):
        for peer in peers:
            rate, _ = load(peer, seconds=seconds, name=f"warm{number}")
            say(f"warming {peer.name}: {rate:,.0f} events/s")
            no_faster[peer.name] = no_faster[peer.name] + 1 if rate <= best[peer.name] * 1.05 else 0
            best[peer.name] = max(best[peer.name], rate)
        if number >= 6 and min(no_faster.values()) >= 2:
            return


def measure(peers: list[Peer], *, rounds: int, seconds: int, say: Callable[[str], None]) -> None:
    """Warm both until they get no faster (Java's compiler takes its time), then let them take turns."""
    warm(peers, seconds=max(5, seconds), say=say)
    for number in range(1, rounds + 1):
        for peer in peers:
            before = peer.process().cpu_times()
            rate, p95_ms = load(peer, seconds=seconds, name=str(number))
            after = peer.process().cpu_times()
            peer.events_per_s.append(rate)
            peer.p95_ms.append(p95_ms)
            peer.rss_mib.append(peer.process().memory_info().rss / 2**20)
            spent_s = after.user + after.system - before.user - before.system
            peer.cpu_s.append(spent_s / (rate * seconds) * 1000)
            say(f"round {number}: {peer.name} {rate:,.0f} events/s, p95 {p95_ms:.1f} ms, {peer.rss_mib[-1]:.0f} MiB")


def table(peers: list[Peer]) -> str:
    """What was measured, as Markdown."""
    lines = ["| | events/s, median (range) | p95 | memory | CPU per 1,000 events |", "|---|---|---|---|---|"]
    for one in peers:
        low, high = min(one.events_per_s), max(one.events_per_s)
        lines.append(
            f"| {one.name} | {statistics.median(one.events_per_s):,.0f} ({low:,.0f} – {high:,.0f}) "
            f"| {statistics.median(one.p95_ms):.1f} ms | {max(one.rss_mib):.0f} MiB "
            f"| {statistics.median(one.cpu_s) * 1000:.0f} ms |"
        )
    return "\n".join(lines)


@contextmanager
def _nursery() -> Iterator[Nursery]:
    nursery = Nursery(lambda death: print(death.sentence(), file=sys.stderr))
    try:
        yield nursery
    finally:
        nursery.stop_all()


def main() -> int:
    """Measure and judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: 5)")
    parser.add_argument("--seconds", type=int, default=5, help="of each turn (default: 5)")
    args = parser.parse_args()
    try:
        demand("java", "wrk")
        jar = wiremock_jar()
        with _nursery() as nursery, tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
            peers = [start_meta(nursery, Path(folder)), start_wiremock(nursery, Path(folder), jar)]
            measure(peers, rounds=args.rounds, seconds=args.seconds, say=lambda text: print(text, file=sys.stderr))
    except Missing as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    ours, theirs = peers
    ratios = sorted(mine / other for mine, other in zip(ours.events_per_s, theirs.events_per_s, strict=True))
    memory = max(ours.rss_mib) / max(theirs.rss_mib)
    print(table(peers))
    print(
        f"\nratio of events/s: {statistics.median(ratios):.2f} ({ratios[0]:.2f} – {ratios[-1]:.2f}), "
        f"at least {TARGET_RATIO:g} wanted; memory: {memory:.2f}, at most {TARGET_MEMORY:g} wanted"
    )
    met = statistics.median(ratios) >= TARGET_RATIO and memory <= TARGET_MEMORY
    print("met" if met else "NOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
