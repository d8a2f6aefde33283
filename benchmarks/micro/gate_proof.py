"""`make bench-gate-proof`: whether the gate of `make bench` can be believed, asked thirty times on this machine.

Twenty times of the very code of the baseline (A/A): none may fail. Ten times with one subject, drawn from a seed, that
burns 30 % of its own time besides: each must be caught, and by its name alone. Less is measured than by `make bench`
(fewer and shorter rounds), which makes it harder for the gate; the rule is the same. Written into docs/benchmarks.md.

Exit 0 proved, 1 not, 2 nothing could be measured.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gate
import micro_judge
from gate import SHORT, Measured, NotMeasured
from micro_judge import Judged, Repeat

from harness.cli import common

PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- gate-proof: written by make bench-gate-proof -->", "<!-- end of gate-proof -->"
SLOWER_BY = 0.30


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One time that the gate was asked."""

    planted: str
    judged: Sequence[Judged]
    load: float
    took_s: float

    @property
    def code(self) -> int:
        """What the gate would have ended with."""
        return micro_judge.exit_code(self.judged)

    @property
    def called(self) -> list[str]:
        """What it called slower."""
        return [one.name for one in self.judged if one.state == "slower"]

    @property
    def right(self) -> bool:
        """Whether it said what is so."""
        return self.called == [self.planted] if self.planted else self.code == 0

    def told(self) -> str:
        """A line of the table."""
        named = next((one for one in self.judged if one.name == self.planted), None) or max(
            self.judged, key=lambda one: abs((one.change or 1) - 1)
        )
        low, high = ((value - 1) * 100 for value in named.interval or (1, 1))
        moved = f"{named.name}: {((named.change or 1) - 1) * 100:+.1f} % ({low:+.1f} to {high:+.1f})"
        verdict = ("caught" if self.planted else "passed") if self.right else f"**WRONG**, called {self.called}"
        return f"{moved} | exit {self.code}, {verdict} | {self.load:.1f} | {self.took_s:.0f} s"


def trials(before: Mapping[str, Sequence[Repeat]], *, same: int, planted: int, seed: int) -> Iterator[Trial]:
    """One after the other; the planted ones at random among the others, as in life."""
    draw = random.Random(seed)
    kinds = [""] * same + [draw.choice(sorted(before)) for _ in range(planted)]
    draw.shuffle(kinds)
    for name in kinds:
        began, busy = time.monotonic(), os.getloadavg()[0]
        sabotage = f"{name}={SLOWER_BY}" if name else ""
        judged = gate.ask(SHORT, before, threshold=micro_judge.THRESHOLD, sabotage=sabotage)
        yield Trial(planted=name, judged=judged, load=busy, took_s=time.monotonic() - began)


def baseline() -> tuple[str, Mapping[str, Sequence[Repeat]]]:
    """The committed one if it was measured on such a machine as this, else one that is measured now."""
    committed = gate.for_here(gate.load(gate.BASELINE))
    if not committed.foreign:
        return f"the committed baseline ({committed.commit})", committed.repeats
    measured = Measured()
    for number in range(SHORT.repeats * 3):
        gate.measure(SHORT, measured, number=number)
    return "a baseline measured at the beginning, since none is committed for such a machine", measured.repeats


def page(done: Sequence[Trial], beside: str, seed: int) -> str:
    """What goes into the docs."""
    same = [one for one in done if not one.planted]
    planted = [one for one in done if one.planted]
    changes = sorted(abs((one.change or 1) - 1) * 100 for trial in same for one in trial.judged)
    at = lambda share: changes[min(len(changes) - 1, int(len(changes) * share))]  # noqa: E731
    passed, caught = sum(one.right for one in same), sum(one.right for one in planted)
    loads = sorted(one.load for one in done)
    lines = [
        BEGIN,
        f"Measured {common.wall_clock_iso()} at {common.commit_here()}, {gate.kind_of_machine()}, {os.cpu_count()} "
        f"cores, seed {seed}, beside {beside}. Other work ran meanwhile: load average {loads[0]:.1f} to "
        f"{loads[-1]:.1f}.",
        "",
        f"**A/A: {passed} of {len(same)} passed. Planted +30 %: {caught} of {len(planted)} caught, each by its name "
        "alone.**",
    ]
    if changes:
        lines += [
            "",
            f"Of the {len(changes):,} comparisons of the same code with itself half lie within {at(0.5):.1f} %, 95 % "
            f"within {at(0.95):.1f} %, the farthest at {changes[-1]:.1f} %. The threshold stands at 15 %.",
        ]
    lines += ["", "| | what moved most, or was planted | the gate | load | took |", "|---|---|---|---|---|"]
    for name, of in (("A/A", same), ("+30 %", planted)):
        lines += [f"| {name} {number} | {one.told()} |" for number, one in enumerate(of, 1)]
    return "\n".join([*lines, END])


def write(text: str, path: Path) -> None:
    """Between the marks of the page."""
    old = path.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise NotMeasured(f"{path} has lost its marks {BEGIN} and {END}")
    path.write_text(f"{head}{text}{tail}", encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    """Ask, tell, write; the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-gate-proof", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--same", type=int, default=20, help="times that nothing is planted (default: 20)")
    parser.add_argument("--planted", type=int, default=10, help="times that +30 %% are planted (default: 10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE, help=f"where the table goes (default: {PAGE})")
    args = parser.parse_args(argv)
    try:
        beside, before = baseline()
        done = []
        for one in trials(before, same=args.same, planted=args.planted, seed=args.seed):
            done.append(one)
            print(f"{len(done)} {'+30 %' if one.planted else 'A/A'} | {one.told()}", file=sys.stderr, flush=True)
        text = page(done, beside, args.seed)
        print(text)
        write(text, args.page)
    except (NotMeasured, FileNotFoundError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    return 0 if all(one.right for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
