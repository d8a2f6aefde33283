"""What a person sees while a run goes and when it ends. Colour and movement only on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape as _escape
from rich.table import Table
from rich.text import Text

from harness.records import LoadCost, LoadKnee, LoadResult, RowState, RunRecord, ScenarioResult, Verdict
from reports.annotations import lines as annotation_lines
from reports.words import (
    headline,
    left_out,
    printable,
    share_sentence,
    slo_interval,
    slo_measured,
    slo_target,
    verdict_line,
)

#: How a line begins that GitHub's runner would obey.
_COMMAND = re.compile(r"(?m)^(\s*)(::|##\[)")

_MARKS = {"passed": "[green]✓[/]", "failed": "[red]✗[/]", "skipped": "[yellow]–[/]", "error": "[magenta]![/]"}
_STYLES = {
    Verdict.GO: "bold green",
    Verdict.GO_WITH_CONCERNS: "bold yellow",
    Verdict.NO_GO: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
}


def console() -> Console:
    """Standard error: standard output belongs to `--json`. A file or pipe has no width: tables are not cut there."""
    return Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else 160)


def output() -> Console:
    """Standard output, for what was asked for in words."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def minutes(seconds: float) -> str:
    """`31:20`, of a drill's own time."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole}:{rest:02d}"


def escape(text: str) -> str:
    """Neither markup nor control characters nor a CI system's commands: what a target answers must drive nothing."""
    return _escape(_COMMAND.sub(r"\1| \2", printable(text)))


def annotate(record: RunRecord, anchor: Path) -> None:
    """On GitHub Actions, tell it what is red, beside the file `anchor` if the repository has it."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    home = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    inside = anchor.resolve().is_relative_to(home)
    file = anchor.resolve().relative_to(home).as_posix() if inside else None
    for line in annotation_lines(record, file=file):
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


#: A pipe is never silent for longer, in seconds: silence looks like a hang.
SILENCE_S = 10.0


class Progress:
    """A line that lives on a terminal; plain lines elsewhere: phases, red scenarios, and one at least every 10 s."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._expected = 0
        self._phase = ""
        self._running: list[str] = []
        self._tenths = 0
        self._spoken_s = self._began
        self._ended = threading.Event()
        self._live = Live(self._line(), console=out, refresh_per_second=8, transient=True) if out.is_terminal else None

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        else:
            threading.Thread(target=self._break_silence, daemon=True, name="progress").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:5.1f} s"

    def _state(self) -> str:
        """`scenarios  231 of 549  230 passed  1 failed`."""
        done = sum(self._counts.values())
        of_all = f"{done} of {self._expected}" if self._expected else ""
        counted = [f"{self._counts[name]} {name}" for name in _MARKS if self._counts[name]]
        return "  ".join(filter(None, [self._phase, of_all, *counted]))

    def _line(self) -> Text:
        now = f"  {self._running[-1]}" if self._running else ""
        return Text(f"{self._elapsed()}  {self._state()}{now}"[: self._out.width - 1])

    def _break_silence(self) -> None:
        while not self._ended.wait(max(0.1, self._spoken_s + SILENCE_S - time.monotonic())):
            if time.monotonic() - self._spoken_s >= SILENCE_S:
                self._say(escape(self._state()))

    def _say(self, markup: str) -> None:
        """A line that stays."""
        self._spoken_s = time.monotonic()
        self._out.print(f"{self._elapsed()}  {markup}")

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._line())

    def phase(self, name: str) -> None:
        """A new part of the run begins."""
        self._phase, self._running, self._tenths = name, [], 0
        if not self._live:
            self._say(escape(name))
        self._refresh()

    def expects(self, scenarios: int, seconds: float, *, measured: bool) -> None:
        """So many scenarios will run, for about so long."""
        self._expected = scenarios
        basis = "by earlier runs on this machine" if measured else "an estimate; no earlier run here says more"
        about = f"{round(seconds)} seconds" if seconds < 100 else f"{round(seconds / 60)} minutes"
        noun = "scenario" if scenarios == 1 else "scenarios"
        self._say(f"{scenarios} {noun}, about {about} in all ({basis})")

    def so_far(self, share: float, words: str) -> None:
        """How much of the phase is done; without a terminal it is said at every tenth of it."""
        if self._live:
            self._running = [words]
            self._refresh()
        elif int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            self._say(f"{escape(self._phase)}: {escape(words)}")

    def said(self, words: str, passing: bool) -> None:
        """What a drill says: a line that stays, or (`passing`) one that the next may write over."""
        if not passing:
            self._say(escape(words))
        self._running = [words]
        self._refresh()

    def started(self, name: str) -> None:
        """A scenario begins."""
        self._running.append(name)
        self._refresh()

    def finished(self, result: ScenarioResult) -> None:
        """A scenario has ended; red ones are said at once."""
        self._counts[result.outcome] += 1
        if result.outcome in ("failed", "error"):
            self._spoken_s = time.monotonic()
            self._out.print(f"{_MARKS[result.outcome]} [bold]{escape(result.id)}[/]  {escape(result.title)}")
            self._out.print(f"    {escape(result.message.splitlines()[0] if result.message else '')}")
        self._refresh()


def show(record: RunRecord, folder: Path, out: Console, *, not_applicable: int = 0) -> None:
    """The closing tables, the verdict, and where to read on."""
    _show_scenarios(record, out, not_applicable=not_applicable)
    if record.ledger.deliveries:
        out.print(_ledger_line(record))
    if record.slo:
        out.print(_slo_table(record))
    if record.load:
        _show_load(record.load, out)
    if record.timings:
        spent = "  ".join(f"{name} {seconds:.1f} s" for name, seconds in record.timings.items())
        out.print(f"[dim]time: {escape(spent)}  total {record.duration_s:.1f} s[/]")
    out.print()
    style = _STYLES[record.verdict] if record.verdict else "bold magenta"
    out.print(f"[{style}]{verdict_line(record)}[/]  {escape(headline(record))}")
    for reason in record.reasons[:8]:
        out.print(f"  • {escape(reason)}")
    if len(record.reasons) > 8:
        out.print(f"  … and {len(record.reasons) - 8} more in the report")
    for step in record.next_steps[:4]:
        out.print(f"  → {escape(_as_typed(step))}")
    shown = folder / "index.html"
    out.print(f"[dim]report: {os.path.relpath(shown)}   again: {escape(_as_typed(record.command))}[/]")


def _show_scenarios(record: RunRecord, out: Console, *, not_applicable: int) -> None:
    if record.scenarios:
        out.print(_suites_table(record))
    if record.left_out:
        out.print(f"not run: {left_out(record)}; `{_as_typed('golive run --all')}` runs everything")
    if not_applicable:
        out.print(f"[dim]{not_applicable} variants mean nothing for their vendor and were left out[/]")


def _as_typed(text: str) -> str:
    """The text with `golive` spelt so that this shell finds it; a report, read elsewhere, says just golive."""
    if shutil.which("golive"):
        return text
    here = os.path.relpath(sys.argv[0])
    return re.sub(r"(^|`)golive ", rf"\1{here} ", text)


def _suites_table(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("suite", "passed", "failed", "error", "not observed", "seconds"):
        table.add_column(title, justify="left" if title == "suite" else "right")
    for suite in dict.fromkeys(sorted(one.suite for one in record.scenarios)):
        of_suite = [one for one in record.scenarios if one.suite == suite]
        counts = Counter(one.outcome for one in of_suite)
        table.add_row(
            suite,
            str(counts["passed"]),
            f"[red]{counts['failed']}[/]" if counts["failed"] else "0",
            f"[magenta]{counts['error']}[/]" if counts["error"] else "0",
            str(counts["skipped"]),
            f"{sum(one.duration_s for one in of_suite):.1f}",
        )
    return table


_WORDS = {"rejected": "refused", "duplicate": "repeated"}


def _ledger_line(record: RunRecord) -> str:
    book = record.ledger
    answers = ("rejected", "unanswered", "accepted")
    sent = ", ".join(f"{getattr(book, name)} {_WORDS.get(name, name)}" for name in answers if getattr(book, name))
    kinds = ("duplicate", "ignored")
    others = "".join(f", {getattr(book, name)} {_WORDS.get(name, name)}" for name in kinds if getattr(book, name))
    ends = ("dead_lettered", "expired", "suppressed", "held")
    told = "".join(f", {getattr(book, name)} {name.replace('_', ' ')}" for name in ends if getattr(book, name))
    parts = [f"{book.deliveries} webhooks: {sent}", f"of these {book.conversions} sales{others}"]
    parts += [f"of the sales {book.delivered} counted by Meta{told}"]
    style = "red" if not book.closed else "green"
    parts += [f"[{style}]{book.lost} lost, {book.doubled} doubled, {book.pending} pending[/]"]
    plan = [one for one in (*record.stories, *record.checklist) if one.state is not RowState.OUT_OF_SCOPE]
    met = sum(one.state is RowState.MET for one in plan)
    privacy = f"{record.privacy.canaries} pieces of personal data hunted in {len(record.privacy.places)} places: "
    privacy += f"[{'red' if record.privacy.leaks else 'green'}]{len(record.privacy.leaks)} leaks[/]"
    lines = ["ledger: " + " · ".join(parts), *([f"privacy: {privacy}"] if record.privacy.places else [])]
    return "\n".join([*lines, f"launch plan: {met} of {len(plan)} rows met in this run"])


def _slo_table(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "service level", "target", "measured", "95 % interval", "samples"):
        table.add_column(title, no_wrap=True)
    for one in record.slo:
        words = {True: "[green]met[/]", False: "[red]refuted[/]", None: "[yellow]undecided[/]"}
        told = (slo_target(one), slo_measured(one), slo_interval(one))
        table.add_row(words[one.met], one.name, *told, f"{one.samples:,}")
    return table


def _show_load(load: LoadResult, out: Console) -> None:
    for line in _load_lines(load):
        out.print(f"[dim]{escape(line)}[/]")
    if load.knee:
        out.print(_knee_table(load.knee))
        out.print(f"[bold]{escape(load.knee.sentence)}[/]")


def _load_lines(load: LoadResult) -> Iterator[str]:
    """Whether the generator can be believed, both ways to count a latency, and what else was seen."""
    yield (
        f"generator: {load.achieved_per_s:g}/s of {load.planned_per_s:g}/s planned, "
        f"late by {_ms(load.scheduler_lag_p99_ms)} at p99 (10 allowed)"
    )
    pairs = (("p95", load.ack_p95_ms, load.uncorrected_p95_ms), ("p99", load.ack_p99_ms, load.uncorrected_p99_ms))
    told = [f"{name} {_ms(corrected)} corrected, {_ms(other)} uncorrected" for name, corrected, other in pairs]
    if load.ack_p50_ms is not None:
        yield f"webhooks: p50 {_ms(load.ack_p50_ms)} · {' · '.join(told)}"
    if load.cost:
        yield cost_line(load.cost)
    yield from load.facts
    yield from (f"{one.from_s:.1f} to {one.until_s:.1f} s: {one.what}" for one in load.marks if one.kind == "stall")


def cost_line(cost: LoadCost) -> str:
    """CPU for each 1,000 requests and memory, of every part; and whether golive left the machine to the target."""
    used = " · ".join(f"{one.name} {one.cpu_s_per_1000:.3g} s CPU, {one.peak_memory_mb:,.0f} MB" for one in cost.parts)
    return f"cost of 1,000 requests: {used}. {share_sentence(cost)}"


def _ms(value: float | None) -> str:
    return "no answer" if value is None else f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _knee_table(knee: LoadKnee) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("search", "planned", "sent", "p95", "p99", "uncorrected p95", "p99", "dispatch p95", "late p99", ""):
        table.add_column(title, justify="right" if title else "left")
    for one in knee.steps:
        table.add_row(
            str(one.repeat or "again"),
            f"{one.planned_per_s:.4g}/s",
            f"{one.achieved_per_s:.4g}/s",
            *(_ms(ms) for ms in (one.ack_p95_ms, one.ack_p99_ms, one.uncorrected_p95_ms, one.uncorrected_p99_ms)),
            "–" if one.dispatch_p95_s is None else f"{one.dispatch_p95_s:.3g} s",
            _ms(one.scheduler_lag_p99_ms),
            "[green]held[/]" if one.held else f"[yellow]{escape(one.why)}[/]",
        )
    return table


def print_json(text: str) -> None:
    """To standard output, for a program."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()  # whoever reads it through a pipe may be waiting for it while we go on
