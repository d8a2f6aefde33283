"""`make bench-peers`: what we have built beside what one would take instead, one comparison after the other.

Each is a benchmark of its own (`make bench-fakes`, `bench-webhooks`, `bench-proxy`, `bench-queues`) that takes turns
with its peer on this machine; here they run short, one by one, and their results stand in one table. What a comparison
needs and does not find is said in its row.

Exit 0 all met, 1 one was not, 2 one could not be measured and the others were met.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_S = 240
"""For one comparison: nothing here runs for long."""
WORDS = {0: "✓ met", 1: "✗ NOT MET", 2: "? not measured"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One benchmark, short."""

    title: str
    script: str
    options: Sequence[str]
    needs: Sequence[str] = ()
    """Commands without which it cannot run."""
    likes: Sequence[str] = ()
    """Commands without which it shows less."""


COMPARISONS: Mapping[str, Comparison] = {
    "fakes": Comparison(
        title="fake Meta beside WireMock",
        script="fakes.py",
        options=("--rounds", "3", "--seconds", "2"),
        needs=("java", "wrk"),
    ),
    "webhooks": Comparison(
        title="the webhook endpoint beside a floor app",
        script="webhooks.py",
        options=("--rounds", "3", "--seconds", "2", "--most", "3500"),
        needs=("wrk",),
    ),
    "proxy": Comparison(
        title="the network proxy beside the direct way and HAProxy",
        script="proxy.py",
        options=("--rounds", "3", "--seconds", "1"),
        likes=("haproxy",),
    ),
    "queues": Comparison(
        title="ministack's queue beside moto's and a plain list", script="queues.py", options=("--rounds", "3")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one comparison has said."""

    title: str
    code: int
    table: str
    told: str
    took_s: float


def missing(one: Comparison) -> str:
    """What has to be installed first; empty where nothing is missing."""
    gone = [name for name in one.needs if shutil.which(name) is None]
    packages = {"java": "openjdk-17-jre-headless"}
    wanted = " ".join(packages.get(name, name) for name in gone)
    return f"{', '.join(gone)} is not here (Debian: apt-get install {wanted})" if gone else ""


def run(one: Comparison, *, limit_s: float = LIMIT_S) -> Result:
    """Let it run, and read what it says."""
    began = time.monotonic()

    def result(code: int, told: str, table: str = "") -> Result:
        return Result(title=one.title, code=code, table=table, told=told, took_s=time.monotonic() - began)

    if why := missing(one):
        return result(2, why)
    argv = [sys.executable, str(HERE / one.script), *one.options]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = process.communicate(timeout=limit_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
        process.terminate()  # it ends what it has started
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        if isinstance(error, KeyboardInterrupt):
            raise
        return result(2, f"it took more than {limit_s:g} s and was ended")
    lines = out.strip().splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    told = "; ".join(line.strip() for line in lines if line.strip() and not line.startswith("|"))
    if process.returncode not in (0, 1) or not told:
        return result(2, (err.strip().splitlines() or ["it said nothing"])[-1][-300:], table)
    less = [name for name in one.likes if shutil.which(name) is None]
    return result(process.returncode, told + "".join(f"; {name} is not here and was left out" for name in less), table)


def exit_code(results: Sequence[Result]) -> int:
    """1 is louder than 2: what was measured and not met is known."""
    codes = {one.code for one in results}
    return 1 if 1 in codes else 2 if 2 in codes or not results else 0


def table(results: Sequence[Result]) -> str:
    """All of them, as Markdown."""
    lines = ["| | what was measured | | took |", "|---|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| {one.title} | {one.told} | {WORDS[one.code]} | {one.took_s:.0f} s |" for one in results)]
    )


def _as_interrupt(*_: object) -> None:
    """Whoever ends us ends what we have started."""
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    """Run them in turn; the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(COMPARISONS), default=list(COMPARISONS), metavar="NAME",
                        help=f"some of {', '.join(COMPARISONS)}")  # fmt: skip
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _as_interrupt)
    results = []
    for name in args.only:
        print(f"{COMPARISONS[name].title} …", file=sys.stderr, flush=True)
        results.append(run(COMPARISONS[name]))
        if results[-1].table:
            print(f"{results[-1].title}\n\n{results[-1].table}\n", flush=True)
    print(f"load average {' '.join(f'{one:.1f}' for one in os.getloadavg())}, {os.cpu_count()} cores\n")
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
