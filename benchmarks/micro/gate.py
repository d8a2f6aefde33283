"""`make bench`: the micro-benchmarks beside their floors, judged by the committed baseline.

Exit 0 nothing became slower, 1 something did (a sentence for each), 2 it could not be measured or judged. How it is
measured and why it is believed: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import micro_judge
from micro_judge import Judged, Repeat

from harness.cli import common
from reports import trend

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"
PAGE_FOLDER = Path("reports/out/benchmarks")
LIMIT_S = 170
"""For all of it; CI allows three minutes."""


class NotMeasured(Exception):
    """There are no numbers; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured. The rule is the same for each."""

    repeats: int
    rounds: int
    batch_ms: float
    more: int
    """So many more repeats, all together with the first, where something is undecided."""


WHOLE = Effort(repeats=5, rounds=40, batch_ms=3, more=5)
SHORT = Effort(repeats=3, rounds=15, batch_ms=1.5, more=6)
"""For `gate_proof.py`, which asks the gate thirty times."""


@dataclass(slots=True)
class Measured:
    """Every subject's repeats, and what one call took."""

    repeats: dict[str, list[Repeat]] = field(default_factory=dict)
    floors: dict[str, str] = field(default_factory=dict)
    call_us: dict[str, float] = field(default_factory=dict)

    def add(self, told: Mapping[str, Any]) -> None:
        """What one process has measured of one subject."""
        name = told["name"]
        self.repeats.setdefault(name, []).append(micro_judge.blocks(told["subject_us"], told["floor_us"]))
        self.floors[name] = told["floor"]
        self.call_us[name] = min(self.call_us.get(name, float("inf")), *told["subject_us"])


def measure(
    effort: Effort,
    into: Measured,
    *,
    number: int,
    tree: Path | None = None,
    sabotage: str = "",
    limit_s: float = LIMIT_S,
) -> None:
    """One repeat: a process of its own, with its own hash seed, so that what a process is lucky with is drawn anew.

    `tree`: the code of another commit that is measured instead of this one's.

    Raises:
        NotMeasured: it failed, or took too long.
    """
    python_path = [str(tree)] if tree else []
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MICRO_"))},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([*python_path, str(HERE)]),
        "PYTHONHASHSEED": str(number),
        "MICRO_ROUNDS": str(effort.rounds),
        "MICRO_BATCH_MS": str(effort.batch_ms),
        "MICRO_SABOTAGE": sabotage,
    }
    with tempfile.TemporaryDirectory(prefix="golive-micro-") as folder:
        out = Path(folder) / "measured.json"
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            str(HERE),
            "-p",
            "no:cacheprovider",
        ]
        argv += ["-p", "pytest_benchmark.plugin", "--benchmark-timer=time.thread_time", "--benchmark-disable-gc"]
        argv += [f"--benchmark-json={out}", str(HERE / "bench_micro.py")]
        try:
            done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"it takes more than {LIMIT_S} s, {load_average()}: measure where less runs") from None
        if done.returncode or not out.exists():
            raise NotMeasured(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1500:]}")
        for one in json.loads(out.read_text(encoding="utf-8"))["benchmarks"]:
            into.add(one["extra_info"])


def kind_of_machine() -> str:
    """What ratios to a floor depend on: the processor's make, and Python's."""
    return f"{_processor()}, {platform.machine()}, {platform.python_implementation()} {_python()}"


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {key.strip(): value.strip() for key, value in told.items()}
    family = "/".join(found.get(key, "?") for key in ("cpu family", "model"))
    return f"{found.get('model name', platform.processor() or 'unknown processor')} ({family})"


# -- the baseline ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What stands in the file, for one kind of machine."""

    machine: str
    commit: str
    repeats: Mapping[str, Sequence[Repeat]]

    @property
    def foreign(self) -> bool:
        """Whether it was measured on another kind of machine than this."""
        return self.machine != kind_of_machine()


def load(path: Path) -> list[Baseline]:
    """Every machine's baseline; the first one is whose numbers stand in for a machine that has none.

    Raises:
        NotMeasured: the file is not there or cannot be read.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return [
            Baseline(
                machine=one["machine"],
                commit=one["commit"],
                repeats={name: [[each] for each in of["repeats"]] for name, of in one["subjects"].items()},
            )
            for one in told["baselines"]
        ]
    except FileNotFoundError:
        raise NotMeasured(f"{path} is not there: make bench ARGS=--update writes it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotMeasured(f"{path} cannot be read as baselines ({error}): git checkout it, or write it anew") from None


def for_here(baselines: Sequence[Baseline]) -> Baseline:
    """This kind of machine's, else the first."""
    if not baselines:
        raise NotMeasured("the file holds no baseline: make bench ARGS=--update")
    return next((one for one in baselines if not one.foreign), baselines[0])


def save(path: Path, measured: Measured, *, commit: str, when: str) -> list[str]:
    """Write this kind of machine's baseline, and leave the others'; what changed, in sentences."""
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"schema": 1, "baselines": []}
    mine = next((one for one in told["baselines"] if one["machine"] == kind_of_machine()), None)
    before = {name: of["ratio"] for name, of in mine["subjects"].items()} if mine else {}
    subjects = {}
    for name, repeats in measured.repeats.items():
        medians = [micro_judge.ratio([one]) for one in repeats]
        ratio = micro_judge.ratio(repeats)
        subjects[name] = {
            "floor": measured.floors[name],
            "ratio": round(ratio, 4),
            "spread_percent": round((max(medians) - min(medians)) / ratio * 100, 1),
            "repeats": [round(one, 4) for one in medians],
        }
    new = {"machine": kind_of_machine(), "cores": os.cpu_count(), "commit": commit, "when": when, "subjects": subjects}
    told["baselines"] = [new if one is mine else one for one in told["baselines"]] + ([] if mine else [new])
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return micro_judge.changes(before, {name: of["ratio"] for name, of in subjects.items()})


# -- the gate --------------------------------------------------------------------------------------------------------


def compare(now: Measured, before: Mapping[str, Sequence[Repeat]], *, threshold: float) -> list[Judged]:
    """Every subject of either side."""
    must_catch = micro_judge.MUST_CATCH * threshold / micro_judge.THRESHOLD
    found = [
        micro_judge.judge(name, repeats, before.get(name, ()), threshold=threshold, must_catch=must_catch)
        for name, repeats in now.repeats.items()
    ]
    found = [replace(one, call_us=now.call_us.get(one.name)) for one in found]
    return found + [micro_judge.judge(name, (), of) for name, of in before.items() if name not in now.repeats]


def ask(
    effort: Effort,
    before: Mapping[str, Sequence[Repeat]],
    *,
    threshold: float,
    sabotage: str = "",
    limit_s: float = 10 * LIMIT_S,
) -> list[Judged]:
    """Measure and judge; where something is undecided, measure more once, and judge all of it together.

    Raises:
        NotMeasured: it would take longer than `limit_s`; or see `measure`.
    """
    now, ends = Measured(), time.monotonic() + limit_s
    for number in range(effort.repeats):
        measure(effort, now, number=number, sabotage=sabotage, limit_s=max(1.0, ends - time.monotonic()))
    judged = compare(now, before, threshold=threshold)
    each_s = (limit_s - (ends - time.monotonic())) / effort.repeats
    if any(one.state == "undecided" for one in judged):
        for number in range(effort.repeats, effort.repeats + effort.more):
            if time.monotonic() + 1.5 * each_s > ends:
                break  # what is known by now is judged, and undecided is no pass
            measure(effort, now, number=number, sabotage=sabotage)
        judged = compare(now, before, threshold=threshold)
    return judged


def against(ref: str, effort: Effort, stack: ExitStack) -> list[Judged]:
    """This tree beside the code of another commit, in turns on this machine: sharp wherever it runs.

    Raises:
        NotMeasured: there is no such commit; or see `measure`.
    """
    done = subprocess.run(["git", "archive", ref, "reference_impl", "simulators"], capture_output=True, check=False)
    if done.returncode:
        raise NotMeasured(f"git knows no {ref!r}: {done.stderr.decode(errors='replace').strip()[-200:]}")
    tree = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="golive-micro-")))
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(tree, filter="data")
    now, before = Measured(), Measured()
    for number in range(effort.repeats):
        for into, where in ((now, None), (before, tree)) if number % 2 else ((before, tree), (now, None)):
            measure(effort, into, number=number, tree=where)
    return compare(now, before.repeats, threshold=micro_judge.THRESHOLD)


def table(judged: Sequence[Judged]) -> str:
    """What was measured, as Markdown."""
    signs = {"same": "✓", "faster": "✓ faster", "slower": "✗ slower", "undecided": "? undecided"}
    lines = ["| | one call | ratio to the floor | baseline | change (99 % interval) | |", "|---|---|---|---|---|---|"]
    for one in judged:
        took = "–" if one.call_us is None else f"{one.call_us:.3g} µs"
        ratio, before = ("–" if value is None else f"{value:.3g}" for value in (one.ratio, one.before))
        change = "–"
        if one.change is not None and one.interval is not None:
            low, high = ((value - 1) * 100 for value in one.interval)
            change = f"{(one.change - 1) * 100:+.1f} % ({low:+.1f} to {high:+.1f})"
        sign = signs.get(one.state, f"? {one.state}")
        lines.append(f"| {one.name} | {took} | {ratio} | {before} | {change} | {sign} |")
    return "\n".join(lines)


def load_average() -> str:
    """How busy the machine is, in words."""
    return "load average " + " ".join(f"{one:.1f}" for one in os.getloadavg())


def tell(text: str) -> None:
    """Print it, and into CI's summary where there is one."""
    print(text)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as out:
            out.write(f"{text}\n")


def leave(judged: Sequence[Judged], history: Path) -> None:
    """A line for the trend, and the page that shows it."""
    values = {
        one.name: {
            "value": round(one.ratio, 4),
            "low": round(one.before * one.interval[0], 4) if one.before and one.interval else None,
            "high": round(one.before * one.interval[1], 4) if one.before and one.interval else None,
            "unit": "times the floor",
        }
        for one in judged
        if one.ratio is not None
    }
    line = trend.entry(
        kind="bench",
        what="make bench",
        when=common.wall_clock_iso(),
        commit=common.commit_here(),
        machine=kind_of_machine(),
        values=values,
    )
    trend.add(history, line)
    head, _, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table(judged).splitlines()]
    names = ["what", *head[1:-1], "verdict"]
    told = [dict(zip(names, row, strict=True)) for row in rows]
    runs = trend.peers(line, trend.read(history))
    page = PAGE_FOLDER / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(trend.page("Micro-benchmarks", runs, told), encoding="utf-8")
    print(f"\n{page}")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--update", action="store_true", help="measure, and write this machine's baseline anew")
    parser.add_argument("--against", metavar="REF", help="compare with another commit's code instead of the baseline")
    parser.add_argument("--short", action="store_true", help="fewer rounds; the rule is the same")
    parser.add_argument(
        "--expect-undecided", action="store_true", help="a few that drown in noise do not fail; for CI's machines"
    )
    parser.add_argument("--history", type=Path, default=trend.FILE, help=f"for the trend (default: {trend.FILE})")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def update(path: Path, effort: Effort) -> int:
    """Measure twice as often as usual, and write it down."""
    measured, commit = Measured(), common.commit_here()
    for number in range(effort.repeats * 2):
        measure(effort, measured, number=number)
    for sentence in save(path, measured, commit=commit, when=common.wall_clock_iso()):
        print(sentence)
    print(f"\n{path} holds the baseline of {kind_of_machine()} at {commit}: commit it")
    return 0


def run(args: argparse.Namespace) -> int:
    """What was asked for; the exit code."""
    effort = SHORT if args.short else WHOLE
    if args.update:
        return update(args.baseline, effort)
    began, busy = time.monotonic(), load_average()
    with ExitStack() as stack:
        if args.against:
            beside, judged = f"the code of {args.against}, measured in turns", against(args.against, effort, stack)
        else:
            baseline = for_here(load(args.baseline))
            threshold = micro_judge.FOREIGN_THRESHOLD if baseline.foreign else micro_judge.THRESHOLD
            beside = f"the baseline of {baseline.commit} on {baseline.machine}"
            judged = ask(effort, baseline.repeats, threshold=threshold, limit_s=LIMIT_S)
            if baseline.foreign:
                beside += (
                    f". **This is another kind of machine** ({kind_of_machine()}), so only what became "
                    f"{threshold:g} times as slow is called; `make bench ARGS='--against HEAD~1'` compares sharply here"
                )
    tell(f"## Micro-benchmarks\n\nBeside {beside}. {time.monotonic() - began:.0f} s, {busy} at the start.\n")
    tell(table(judged))
    said = [one.sentence() for one in judged if one.state not in ("same", "faster")]
    tell("\n" + "\n".join(said or ["nothing became slower"]))
    leave(judged, args.history)
    return micro_judge.exit_code(judged, expect_undecided=args.expect_undecided)


def main(argv: Sequence[str]) -> int:
    """Measure and judge; the exit code."""
    args = _options(argv)
    try:
        return run(args)
    except NotMeasured as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
