"""`golive readiness`: every line of the launch plan, and what the newest run knows of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness.checks.verdict import Judgement, decide
from harness.cli import common, terminal
from harness.cli.cmd_report import load_run
from harness.errors import UsageError
from harness.readiness import attestations, aws_checks, evidence, missing, qa_gate, qa_sources, rows, story_file
from harness.readiness.evidence import Found
from harness.records import PlanRow, RowState, RunRecord, TargetInfo, Verdict

_STYLES = {
    RowState.MET: "green",
    RowState.NOT_MET: "red",
    RowState.UNDECIDED: "yellow",
    RowState.NOT_OBSERVED: "yellow",
    RowState.WAIVED: "yellow",
    RowState.ATTESTED: "green",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "readiness",
        epilog="golive readiness   ·   golive readiness --run latest --json   ·   "
        "golive readiness --story 006.md --write   ·   golive readiness --attestations launch.toml   ·   "
        "git rev-parse HEAD > qa/commit; golive readiness --qa qa",
    )(readiness)


def readiness(
    run: Annotated[
        str,
        typer.Option(help="The run to judge by: an id or a folder. Without it: the newest run and the newest load."),
    ] = "",
    story: Annotated[
        list[Path] | None,
        typer.Option(
            help="A story in Markdown, judged by the ten points of the story gate. Repeatable.", metavar="FILE"
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Record findings and status in each story's file.")] = False,
    attestations_file: Annotated[
        Path | None,
        typer.Option("--attestations", help="What people answer for, in TOML; without an entry a row is not met."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init-attestations", help="Write such a file to fill in: each row that needs a person; end."),
    ] = None,
    qa: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the QA gate: commit, junit.xml, coverage.xml, *.sarif, import-contracts.txt, docs/.",
            metavar="FOLDER",
        ),
    ] = None,
    commit: Annotated[
        str, typer.Option(help="The commit to be launched; without it, the one that the run judged.")
    ] = "",
    aws_profile: Annotated[str, typer.Option(help="Look into this profile's AWS account; reads only.")] = "",
    aws_endpoint: Annotated[str, typer.Option(help="Look into what answers there as AWS does; reads only.")] = "",
    aws_prefix: Annotated[str, typer.Option(help="Only AWS resources with this in their names are ours.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Say of every line of the launch plan whether it is met; what nobody has looked at is never a pass.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        screen = terminal.console() if as_json else terminal.output()
        today = date.fromisoformat(common.wall_clock_iso()[:10])
        if init:
            _write_template(init, today, screen)
            raise typer.Exit
        said = _attestations(attestations_file, today) if attestations_file else None
        stories = _stories(story or [], write=write)
        found = [one for each in stories for one in evidence.of_story(each)]
        seen = load_run(run)[0] if run else _newest(or_none=bool(stories or said or qa or aws_profile or aws_endpoint))
        if aws_profile or aws_endpoint:
            ask = aws_checks.clients(endpoint=aws_endpoint, profile=aws_profile)
            found += aws_checks.look(ask, prefix=aws_prefix, commit=commit or seen.target.commit)
        run_id, folder = common.new_run_folder(None)
        gate = None
        if qa:
            found, gate = _qa(qa, seen, commit or seen.target.commit, found, said)
        record = _judge(seen, run_id, found, said)
        common.publish(record, folder)
        screen.print(_table(record))
        for each in stories:
            _show_story(each, screen)
        if gate:
            _show_gate(gate, screen)
        if said is not None:
            _show_missing(record, screen)
        terminal.show(replace(record, scenarios=(), timings={}), folder, screen)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        raise typer.Exit(record.exit_code)


def _stories(paths: Sequence[Path], *, write: bool) -> list[story_file.StoryFile]:
    if write and not paths:
        raise UsageError("--write records findings in a story: name it with --story FILE.md.")
    stories = [story_file.load(path) for path in paths]
    if not write:
        return stories
    for one in stories:
        story_file.save(one)
    return [story_file.load(path) for path in paths]


def _show_story(story: story_file.StoryFile, screen: Console) -> None:
    report = story.report
    style = "green" if report.status == "Ready" else "yellow"
    screen.print(
        f"\n[{style}]{report.status}[/]  {report.met} of 10  {terminal.escape(f'{story.path}: {report.title}')}"
    )
    for point in report.points:
        for one in point.findings:
            where = f"{story.path}:{one.line}"
            screen.print(f"  {terminal.escape(f'{where}  {point.title}: {one.missing} → {one.fix}')}")
    if report.number not in (evidence.GATED_STORY, evidence.COUNTED_STORY):
        known = f"story {report.number}" if report.number else "no story that it names"
        screen.print(f"  [dim]no row of the plan asks for {known}: `id: 006` in front matter says which one it is[/]")


def _newest(*, or_none: bool = False) -> RunRecord:
    """The newest run and the newest load of the same target, as one; with `or_none` an empty record will do.

    Raises:
        UsageError: there is neither.
    """
    found: dict[str, RunRecord] = {}
    for folder in sorted((one for one in common.OUT.glob("2*") if (one / "report.json").exists()), reverse=True):
        try:
            record, _ = load_run(folder.name)
        except UsageError:
            continue  # written by another golive
        same = not found or record.target.name == next(iter(found.values())).target.name
        if record.kind in ("run", "load") and record.kind not in found and same:
            found[record.kind] = record
        if len(found) == 2:
            break
    if not found and or_none:
        return _nothing_ran()
    if not found:
        raise UsageError("There is no run yet to judge by. Begin with `golive run`.")
    run, load = found.get("run"), found.get("load")
    if run is None or load is None:
        return run or next(iter(found.values()))
    return replace(
        run,
        slo=load.slo,
        load=load.load,
        ledger=run.ledger + load.ledger,
        harness_errors=(*run.harness_errors, *load.harness_errors),
        broken=(*run.broken, *load.broken),
        run_id=f"{run.run_id} and {load.run_id}",
        command=f"{run.command} ; {load.command}",
    )


def _nothing_ran() -> RunRecord:
    """Stands for the run where there is none: nothing is known from it."""
    now = common.wall_clock_iso()
    return RunRecord(
        run_id="no run",
        kind="run",
        seed=0,
        target=TargetInfo(name="unknown", commit="unknown"),
        clock_origin=now,
        started_at=now,
        duration_s=0.0,
        machine=common.machine_here(),
        command="golive run",
        verdict=None,
        exit_code=3,
        headline="",
    )


def _judge(
    seen: RunRecord, run_id: str, found: Sequence[Found], said: attestations.Attestations | None = None
) -> RunRecord:
    plan, by_row = rows.load(), evidence.by_row(found)

    def judged_with(people: attestations.Attestations | None) -> tuple[tuple[PlanRow, ...], tuple[PlanRow, ...]]:
        settle = attestations.settler(partial(evidence.settle, found=by_row), people)
        return rows.judge(
            plan,
            seen.scenarios,
            seen.slo,
            reproduce=seen.command,
            benchmarks=common.benchmarks_of(seen.target),
            settle=settle,
        )

    stories, checklist = judged_with(said)
    judged = _decide(seen, (*stories, *checklist))
    headline, next_steps = judged.headline, judged.next_steps
    if said is not None and judged.verdict is Verdict.NO_GO:
        seen_alone = _decide(seen, tuple(row for part in judged_with(None) for row in part))
        if seen_alone.verdict is not Verdict.NO_GO:
            # Nothing was seen broken: people are missing, and "60 promises are broken" would be untrue.
            headline = missing.headline(plan, (*stories, *checklist))
            next_steps = missing.steps(plan, (*stories, *checklist))
    return replace(
        seen,
        run_id=run_id,
        kind="readiness",
        started_at=common.wall_clock_iso(),
        command=f"golive readiness  # judges {seen.run_id}",
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=headline,
        reasons=judged.reasons,
        not_observed=judged.not_observed,
        next_steps=next_steps,
        stories=stories,
        checklist=checklist,
    )


def _qa(
    folder: Path, seen: RunRecord, commit: str, found: Sequence[Found], said: attestations.Attestations | None
) -> tuple[list[Found], qa_gate.Gate]:
    """What the folder adds to what was found, and the gate's own row as the last of it."""
    sources = qa_sources.read(folder, commit)
    every = [*found, *sources.found]
    if not qa_sources.same_commit(seen.target.commit, commit):
        seen = replace(seen, scenarios=(), slo=())  # what ran was another commit, or a tree with changes
    regressions = qa_gate.regressions(seen.scenarios)
    if regressions:
        every.append(regressions)
    before = _judge(seen, "", every, said)
    gate = qa_gate.judge((*before.stories, *before.checklist), sources.concerns)
    return [*every, gate.found], gate


def _show_gate(gate: qa_gate.Gate, screen: Console) -> None:
    style = {"PASS": "green", "FAIL": "red"}.get(gate.verdict, "yellow")
    screen.print(f"\nQA gate: [{style}]{gate.verdict}[/]")
    for check in gate.checks:
        state = check.state.value.replace("_", " ")
        screen.print(f"  [{_STYLES.get(check.state, 'dim')}]{state}[/]  {terminal.escape(check.title)}")
        for line in check.evidence:
            screen.print(f"    [dim]{terminal.escape(line)}[/]")
    for concern in gate.concerns:
        screen.print(f"  concern: {terminal.escape(concern)}")


def _decide(seen: RunRecord, plan: Sequence[PlanRow]) -> Judgement:
    return decide(
        harness_errors=seen.harness_errors,
        broken=seen.broken,
        scenarios=seen.scenarios,
        ledger=seen.ledger,
        privacy=seen.privacy,
        slo=seen.slo,
        plan=plan,
        required={row.id for row in plan if row.state is not RowState.OUT_OF_SCOPE},
    )


def _attestations(path: Path, today: date) -> attestations.Attestations:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = f"`golive readiness --init-attestations {path}` writes one to fill in."
        raise UsageError(f"The attestations {path} cannot be read: {error.strerror}. {hint}") from None
    except UnicodeDecodeError:
        raise UsageError(f"The attestations {path} are not UTF-8 text, as TOML has to be.") from None
    return attestations.parse(text, rows.load(), today)


def _write_template(path: Path, today: date, screen: Console) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(attestations.template(rows.load(), today, today + timedelta(days=30)))
    except FileExistsError:
        raise UsageError(f"{path} is there already, and is not overwritten. Name another file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    screen.print(f"wrote {terminal.escape(str(path))}; fill it in, then: golive readiness --attestations {path}")


def _show_missing(record: RunRecord, screen: Console) -> None:
    for who, of_them in missing.by_supplier(rows.load(), (*record.stories, *record.checklist)).items():
        screen.print(f"\n[bold]missing[/], can be supplied by {terminal.escape(who)}:")
        for row in of_them:
            state = row.state.value.replace("_", " ")
            screen.print(f"  {terminal.escape(f'{row.id}  {row.text} ({state})')}")


def _table(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("row", "state", "what the plan says"):
        table.add_column(title)
    for row in (*record.stories, *record.checklist):
        style = _STYLES.get(row.state, "dim")
        table.add_row(row.id, f"[{style}]{row.state.value.replace('_', ' ')}[/]", terminal.escape(row.text))
    return table
