"""`make bench-run`: what people wait for, in seconds and CPU seconds, beside a fixed Python loop of the same run.

    run_cost.py table [--repeat N] [--only WORD…] [--write]   measure every row, or those whose name holds a word
    run_cost.py measure NAME -- COMMAND…                      run a command, and keep what it cost
    run_cost.py gate [--update]                               exit 1 where a scenario or test costs 25 % more CPU

CPU seconds are those of all processes that the command started and waited for. The loop runs on every core at once,
before and after, because a core is slower while the others work. Only the standard library is used: this runs before
anything is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import Pool
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".bench" / "run_cost.json"
BASELINE = ROOT / "benchmarks" / "run_cost.json"
DOCS = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- bench-run: written by make bench-run -->", "<!-- /bench-run -->"
GROWTH = 1.25
"""What a scenario or a test may cost beside the baseline."""
STRANGE_GROWTH = 2.0
"""Likewise where the baseline is of another kind of machine."""
LOOP_STEPS = 5_000_000
LIMIT_S = 3600


def loop_s(_: object = None) -> float:
    """CPU seconds of a fixed piece of plain Python."""
    began, total = time.process_time(), 0
    for number in range(LOOP_STEPS):
        total += number * number % 7
    return time.process_time() - began


def loop_on_every_core_s() -> float:
    """The same, on every core at once: the median."""
    cores = os.cpu_count() or 1
    with Pool(cores) as pool:
        return statistics.median(pool.map(loop_s, range(cores)))


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command cost."""

    wall_s: float
    cpu_s: float
    loop_s: float
    written_mb: float
    exit_code: int
    units: int = 0
    """Scenarios or tests that it ran."""
    output: str = field(default="", repr=False)


def cost_of(
    argv: Sequence[str], *, folder: Path = ROOT, env: Mapping[str, str] | None = None, show: bool = False
) -> Cost:
    """Run a command and measure it; its output is passed on with `show`."""
    before = loop_on_every_core_s()
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        argv, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            if show:
                sys.stdout.write(line)
                sys.stdout.flush()
        exit_code = child.wait(LIMIT_S)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        wall_s=round(wall_s, 2),
        cpu_s=round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, 2),
        loop_s=round(statistics.median([before, loop_on_every_core_s()]), 4),
        written_mb=round((after.ru_oublock - used.ru_oublock) * 512 / 1e6, 1),
        exit_code=exit_code,
        units=units_in("".join(lines)),
        output="".join(lines),
    )


def units_in(output: str) -> int:
    """Scenarios of a run (`567 scenarios, about …`) or tests of pytest (`1,234 passed`, `12 failed`)."""
    if found := re.search(r"(\d+) scenarios?, about", output):
        return int(found.group(1))
    return sum(
        int(number) for number in re.findall(r"(\d+) (?:passed|failed|error)", output.strip().rpartition("\n")[2])
    )


# -- the gate ------------------------------------------------------------------------------------------------------


def machine() -> str:
    """The kind of machine, which a baseline belongs to."""
    models = re.findall(r"(?m)^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version().rpartition('.')[0]}"


def kept() -> dict[str, dict[str, float]]:
    """What `measure` has kept, by name."""
    found: dict[str, dict[str, float]] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return found


def measure(name: str, argv: Sequence[str]) -> int:
    """Run a command and keep its cost; its exit code."""
    cost = cost_of(argv, show=True)
    KEPT.parent.mkdir(exist_ok=True)
    numbers = {key: value for key, value in asdict(cost).items() if key != "output"}
    KEPT.write_text(json.dumps(kept() | {name: numbers}, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: {cost.wall_s:.0f} s, {cost.cpu_s:.0f} CPU-s, {cost.units} in all, loop {cost.loop_s:.3f} s")
    return cost.exit_code


def per_unit(cost: Mapping[str, float]) -> float:
    """CPU of one scenario or test, in loops."""
    return cost["cpu_s"] / cost["units"] / cost["loop_s"]


def gate(*, update: bool) -> int:
    """Compare what was kept with the baseline; with `update` make it the baseline."""
    measured = {name: per_unit(cost) for name, cost in kept().items() if cost["units"]}
    if not measured:
        print("Nothing was measured: run_cost.py measure NAME -- COMMAND comes first.")
        return 2
    if update:
        text = json.dumps({"machine": machine(), "loops_per_unit": measured}, indent=1, sort_keys=True)
        BASELINE.write_text(text + "\n", encoding="utf-8")
        print(f"{BASELINE.relative_to(ROOT)}: {', '.join(f'{name} {value:.3f}' for name, value in measured.items())}")
        return 0
    if not BASELINE.exists():
        print(f"There is no {BASELINE.name} to compare with: run_cost.py gate --update makes one.")
        return 2
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    strange = baseline["machine"] != machine()
    limit = STRANGE_GROWTH if strange else GROWTH
    if strange:
        print(f"The baseline is of another machine ({baseline['machine']}): only {limit:g} times as much is called.")
    code = 0
    for name, value in measured.items():
        known = baseline["loops_per_unit"].get(name)
        if known is None:
            print(f"{name}: no baseline; run_cost.py gate --update makes one")
            code = max(code, 2)
            continue
        grown = value / known > limit
        code = 1 if grown else code
        verdict = f"MORE than {limit - 1:.0%} over the baseline" if grown else "within the baseline"
        print(f"{name}: {value:.3f} loops each, baseline {known:.3f} ({value / known - 1:+.0%}): {verdict}")
    return code


# -- the table -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what is measured, and what it is to be."""

    name: str
    gate: str
    measure: Callable[[], tuple[Cost, str]]
    """The cost, and what else is to be said of it."""


def golive(*arguments: str) -> Callable[[], tuple[Cost, str]]:
    """A command of golive in this checkout."""
    return lambda: (cost_of([str(ROOT / ".venv/bin/golive"), *arguments]), "")


def make(target: str) -> Callable[[], tuple[Cost, str]]:
    """A target of the Makefile in this checkout."""
    return lambda: (cost_of(["make", target]), "")


def in_a_fresh_clone(target: str) -> tuple[Cost, str]:
    """`make TARGET` in a new clone, with an empty home: nothing is cached."""
    with tempfile.TemporaryDirectory(prefix="golive-fresh-") as name:
        clone, home = Path(name) / "golive", Path(name) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        kept_variables = ("PATH", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "PIP_CONFIG_FILE")
        env = {one: os.environ[one] for one in kept_variables if one in os.environ} | {"HOME": str(home)}
        cost = cost_of(["make", target], folder=clone, env=env)
        size_mb = sum(one.stat().st_size for one in (clone / ".venv").rglob("*") if one.is_file()) / 1e6
        return cost, f".venv {size_mb:.0f} MB"


def help_beside_typer() -> tuple[Cost, str]:
    """`golive --help`, ten times each in turns with what typer and rich take alone."""
    python, ours, alone = str(ROOT / ".venv/bin/python"), [], []
    for _ in range(10):
        ours.append(cost_of_child([str(ROOT / ".venv/bin/golive"), "--help"]))
        alone.append(cost_of_child([python, "-c", "import typer, typer.rich_utils, rich.console"]))
    ratio = statistics.median(ours) / statistics.median(alone)
    cost = Cost(
        wall_s=0, cpu_s=round(statistics.median(ours), 3), loop_s=loop_on_every_core_s(), written_mb=0, exit_code=0
    )
    return cost, f"{ratio:.1f} × typer and rich"


def cost_of_child(argv: Sequence[str]) -> float:
    """CPU seconds of a short command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def node_target() -> tuple[Cost, str]:
    """One scenario of the example in Node."""
    if shutil.which("node") is None:
        raise FileNotFoundError("node is not installed")
    argv = [str(ROOT / ".venv/bin/golive"), "run", "-k", "S-01", "--target", "golive.toml"]
    return cost_of(argv, folder=ROOT / "examples/node-target"), ""


ROWS = (
    Row(name="fresh clone → verdict (`make run`)", gate="120 s, aim 60", measure=lambda: in_a_fresh_clone("run")),
    Row(name="set-up for a run (`make setup`)", gate="600 MB, aim 15 s", measure=lambda: in_a_fresh_clone("setup")),
    Row(name="`golive run`", gate="90 s, 130 CPU-s, 1 GB written; aim 45 s", measure=golive("run")),
    Row(name="`golive run --all`", gate="180 s, aim 110", measure=golive("run", "--all")),
    Row(name="`golive run -k S-01`, Node target", gate="5 CPU-s, aim 3", measure=node_target),
    Row(name="`golive --help`", gate="4 × typer and rich, aim 2 ×", measure=help_beside_typer),
    Row(name="`golive prove`", gate="600 s, aim 300", measure=golive("prove")),
    Row(name="`make test`", gate="300 s, aim 150", measure=make("test")),
)


def table(*, repeat: int, only: Sequence[str], write: bool) -> int:
    """Measure the rows; print them, and with `write` put them into the page."""
    lines = [
        f"Measured at {commit()} on {machine()}; each row {repeat} ×, the median with the range.",
        "",
        "| what | gate | wall | CPU | CPU in loops | written | |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    code = 0
    for row in ROWS:
        if only and not any(word in row.name for word in only):
            continue
        found: list[tuple[Cost, str]] = []
        for _ in range(repeat):
            found.append(row.measure())
            print(f"{row.name}: {asdict(found[-1][0]) | {'output': ''}}", flush=True)
        code = max(code, *(1 if cost.exit_code not in (0, 3) else 0 for cost, _ in found))
        lines.append(in_words(row, found))
    text = "\n".join(lines)
    print(text)
    if write:
        page = DOCS.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        DOCS.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return code


def in_words(row: Row, found: Sequence[tuple[Cost, str]]) -> str:
    """A line of the table."""
    costs = [cost for cost, _ in found]

    def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
        if not any(values):
            return ""
        middle, least, most = statistics.median(values), min(values), max(values)
        several = f" ({least:.{digits}f}–{most:.{digits}f})" if len(values) > 1 else ""
        return f"{middle:.{digits}f}{several} {unit}"

    digits = 2 if statistics.median(one.cpu_s for one in costs) < 10 else 0
    cells = [
        spread([one.wall_s for one in costs], "s"),
        spread([one.cpu_s for one in costs], "s", digits),
        spread([one.cpu_s / one.loop_s for one in costs], "", digits).strip(),
        spread([one.written_mb for one in costs], "MB"),
        "; ".join(dict.fromkeys(said for _, said in found if said)),
    ]
    red = "" if all(one.exit_code in (0, 3) for one in costs) else " **(ended red)**"
    return f"| {row.name}{red} | {row.gate} | {' | '.join(cells)} |"


def commit() -> str:
    """The commit of this checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "an unknown commit"


def main() -> int:
    """Parse and do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    rows = commands.add_parser("table")
    rows.add_argument("--repeat", type=int, default=1)
    rows.add_argument("--only", nargs="*", default=[], metavar="WORD", help="rows whose name holds one of these")
    rows.add_argument("--write", action="store_true")
    one = commands.add_parser("measure")
    one.add_argument("name")
    one.add_argument("argv", nargs=argparse.REMAINDER)
    compared = commands.add_parser("gate")
    compared.add_argument("--update", action="store_true")
    given = parser.parse_args()
    if given.command == "table":
        return table(repeat=given.repeat, only=given.only, write=given.write)
    if given.command == "gate":
        return gate(update=given.update)
    argv = [word for word in given.argv if word != "--"]
    if not argv:
        parser.error(f"measure {given.name} -- COMMAND, like {shlex.quote('make run')}")
    return measure(given.name, argv)


if __name__ == "__main__":
    sys.exit(main())
