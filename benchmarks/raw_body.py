"""`make bench-raw-body`: what it costs to capture a webhook's raw body before anything is parsed.

In the reference's own application, without a socket: the time from the first look at the request to the bytes in hand,
at the size of a usual webhook and at the largest that is allowed. The plan allows 10 ms. Exit 0 met, 1 not met.
"""

from __future__ import annotations

import sys
import time

from flask import Flask

from reference_impl.web import bodies

MAX_BYTES = 1024 * 1024
TARGET_MS = 10.0
TIMES = 400


def measure(app: Flask, size_bytes: int) -> tuple[float, float]:
    """Median and 95th percentile in ms."""
    body, took_ms = b"x" * size_bytes, []
    for _ in range(TIMES):
        with app.test_request_context("/", method="POST", data=body):
            began = time.perf_counter()
            bodies.raw()
            took_ms.append((time.perf_counter() - began) * 1000)
    took_ms.sort()
    return took_ms[TIMES // 2], took_ms[TIMES * 95 // 100]


def main() -> int:
    """Measure and judge; the exit code."""
    app = Flask("raw body")
    bodies.limit(app, max_bytes=MAX_BYTES)
    print("| body | median | p95 |\n|---|---|---|")
    worst_ms = 0.0
    for size_bytes in (2_000, 100_000, MAX_BYTES):
        median_ms, p95_ms = measure(app, size_bytes)
        worst_ms = max(worst_ms, p95_ms)
        print(f"| {size_bytes:,} bytes | {median_ms:.3f} ms | {p95_ms:.3f} ms |")
    print(f"\np95 at most {worst_ms:.3f} ms, under {TARGET_MS:g} ms wanted")
    print("met" if worst_ms < TARGET_MS else "NOT MET")
    return 0 if worst_ms < TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
