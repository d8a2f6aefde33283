"""`make bench-raw-body`: what it costs to capture a webhook's raw body before anything is parsed.

In the reference's own application, without a socket: the time from the first look at the request to the bytes in hand,
at the size of a usual webhook and at the largest that is allowed. The plan allows 10 ms. Exit 0 met, 1 not met.
"""

from __future__ import annotations

import statistics
import sys
import time

from flask import Flask

from harness.checks import slo
from harness.cli import common
from harness.readiness import benchmarks
from reference_impl.web import bodies

MAX_BYTES = 1024 * 1024
TARGET_MS = 10.0
TIMES = 2000
"""Enough to be judged by (harness/checks/slo.py)."""


def measure(app: Flask, size_bytes: int) -> list[float]:
    """How long it took each time, in ms."""
    body, took_ms = b"x" * size_bytes, []
    for _ in range(TIMES):
        with app.test_request_context("/", method="POST", data=body):
            began = time.perf_counter()
            bodies.raw()
            took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms


def main() -> int:
    """Measure and judge; the exit code."""
    commit = common.commit_here()
    app = Flask("raw body")
    bodies.limit(app, max_bytes=MAX_BYTES)
    print("| body | median | p95 |\n|---|---|---|")
    numbers = []
    for size_bytes in (2_000, 100_000, MAX_BYTES):
        took_ms = measure(app, size_bytes)
        number = slo.p95("raw-body", took_ms, target=TARGET_MS)
        numbers.append((number.measured or 0.0, number))
        print(f"| {size_bytes:,} bytes | {statistics.median(took_ms):.3f} ms | {number.measured:.3f} ms |")
    worst_ms, worst = max(numbers, key=lambda one: one[0])
    print(f"\np95 at most {worst_ms:.3f} ms, under {TARGET_MS:g} ms wanted")
    path = benchmarks.write(worst, commit=commit, when=common.wall_clock_iso(), machine=common.machine_here())
    print(f"{'met' if worst.met else 'NOT MET'} ({path})")
    return 0 if worst.met else 1


if __name__ == "__main__":
    sys.exit(main())
