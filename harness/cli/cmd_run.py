"""`golive run`: start what the target needs, run the scenarios, judge, write the run."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from harness.checks.verdict import decide, required_of
from harness.cli import common, terminal
from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.readiness import rows
from harness.records import Planned, RunRecord, ShardInfo, TargetInfo
from harness.runs.saboteurs import PROOF, last_proof
from harness.runs.scenario_run import Findings, ScenarioRun, Selection
from harness.runs.scenario_runner import suites
from harness.sharding import Shard
from harness.stack.stack import Stack

EXAMPLES = """
[bold]Examples[/]

  golive run                                   the everyday suites, about a minute: all but recovery and monitoring
  golive run --all                             the whole proof
  golive run --suite gateways --suite smoke    two suites
  golive run -k duplicate                      scenarios whose name says so
  golive run --seed 7 --at 2026-03-01T12:00:00Z --json     the same bytes again, for a program
  golive run --target ../mine/golive.toml      your own pipeline
  golive run --seed 7 --shard 2/3              the second of three parts; then `golive merge`
  golive run --engine containers --suite smoke PostgreSQL and AWS endpoint in containers, of images that you name
"""


#: From the front door to the back; the order of design.md.
_SUITES = ("smoke", "gateways", "tracking", "dispatch", "privacy", "recovery", "monitoring", "analytics", "launch")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=EXAMPLES)(run)


def run(
    everything: Annotated[
        bool, typer.Option("--all", help="Every suite: recovery and monitoring too, which take longest.")
    ] = False,
    suite: Annotated[list[str] | None, typer.Option(help="Only this suite; may be repeated.")] = None,
    expression: Annotated[str, typer.Option("-k", help="Only scenarios that match (as pytest's -k).")] = "",
    target: Annotated[
        str | None, typer.Option(help="A target file; without one golive.toml, else the reference.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Every invented person and id follows from it.")] = None,
    at: Annotated[str | None, typer.Option(help="When the run believes it begins, like 2026-03-01T12:00:00Z.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder for the report.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Scenarios at the same time; else as many as keep the cores busy."),
    ] = None,
    stop: Annotated[bool, typer.Option("-x", help="Stop at the first red scenario.")] = False,
    last_failed: Annotated[bool, typer.Option("--last-failed", help="Only what was red the last time.")] = False,
    allow_host: Annotated[
        str | None, typer.Option(help="Permit bad signatures and faults on this host, which is not this machine.")
    ] = None,
    model_examples: Annotated[
        int | None, typer.Option(min=1, envvar="GOLIVE_MODEL_EXAMPLES", help="Stories that the model (M-01) draws.")
    ] = None,
    model_steps: Annotated[int | None, typer.Option(min=2, max=200, help="The most steps of one story.")] = None,
    model_replay: Annotated[
        list[Path] | None, typer.Option(help="A story that M-02 tells again, instead of the kept ones.", exists=True)
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Only this part of the run, like 2/3; `golive merge` makes one report of all parts.")
    ] = "",
    engine: common.ENGINE = common.LOCAL_ENGINE,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Run scenarios against a target and say whether it may go live.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        _known_suites(suite or [])
        if everything and suite:
            raise UsageError("--all runs every suite, and --suite chooses some: give one of them.")
        path, wanted = common.find_target(target)
        common.check_host(wanted.base_url, allow_host, what="Bad signatures, faults and invented people are sent")
        part = _part(shard, seed=seed, last_failed=last_failed)
        clock, number = common.clock_of(at), common.seed_of(seed)
        screen = terminal.console()
        parts = common.engine_named(engine, wanted, screen)
        run_id, folder = common.new_run_folder(out)
        selection = Selection(
            suites=tuple(suite or ()),
            everyday=not (everything or suite or expression or last_failed),
            expression=expression,
            workers=workers,
            stop_at_first=stop,
            last_failed=last_failed,
            shard=part,
            model=_about_the_model(model_examples, model_steps, model_replay or []),
        )
        again = common.reproduce_command("run", seed=number, clock=clock, target=target, allow_host=allow_host)
        again += common.engine_option(engine)
        again = " ".join([again, *map(shlex.quote, selection.model)])
        screen.print(f"golive run {run_id}: target {wanted.name} ({path}), seed {number}, clock {clock.iso()}")
        began, started_at, commit = time.monotonic(), common.wall_clock_iso(), common.commit_here()
        with terminal.Progress(screen) as progress:
            session = ScenarioRun(
                wanted, clock=clock, seed=number, folder=folder, watcher=progress, reproduce=again, engine=parts
            )
            try:
                session.collect(selection)
                if expression or last_failed or part:  # a selection may be empty: nobody waits for a stack to hear it
                    session.chosen(selection)
                planned = session.plan(selection) if part else ()
            except UsageError:
                session.stop()
                shutil.rmtree(folder)  # a folder without a report would look like a run
                raise
            findings = observe(session, selection)
            if keep:
                progress.phase(_where(session.stack))
                _until_ctrl_c()
            session.stop()
        duration_s = time.monotonic() - began
        session.keep_durations(duration_s)
        judged = partial(
            judge,
            findings,
            run_id=run_id,
            seed=number,
            clock=clock,
            target=TargetInfo(name=wanted.name, commit=common.commit_since(commit)),
            command=again
            + (" --all" if everything else "")
            + "".join(f" --suite {one}" for one in suite or ())
            + (f" -k {shlex.quote(expression)}" if expression else "")
            + (f" --shard {part}" if part else ""),
            options=common.target_option(target, allow_host) + common.engine_option(engine),
            machine="; ".join(filter(None, [common.machine_here(), parts.note])),
            whole=everything and not (expression or last_failed or stop or part),
            shard=_shard_info(part, selection, planned, findings),
            started_at=started_at,
            duration_s=duration_s,
        )
        record = judged()
        common.publish(record, folder)
        if session.hunt_reports():
            # What we have told leaks: that is told as well.
            record = judged()
            common.publish(record, folder)
        terminal.show(record, folder, screen, not_applicable=len(findings.not_applicable))
        terminal.annotate(record, path)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        raise typer.Exit(record.exit_code)


def _about_the_model(examples: int | None, steps: int | None, replay: list[Path]) -> tuple[str, ...]:
    told = [f"--model-examples={examples}"] if examples else []
    told += [f"--model-steps={steps}"] if steps else []
    return (*told, *(f"--model-replay={path.resolve()}" for path in replay))


def _part(shard: str, *, seed: int | None, last_failed: bool) -> Shard | None:
    if not shard:
        return None
    if last_failed:
        raise UsageError("--last-failed and --shard do not go together: each machine remembers its own failures.")
    if seed is None:
        raise UsageError("--shard wants --seed too, the same on every machine: the parts are to be one run.")
    return Shard.parse(shard)


def _shard_info(
    part: Shard | None, selection: Selection, planned: tuple[Planned, ...], findings: Findings
) -> ShardInfo | None:
    if part is None:
        return None
    return ShardInfo(
        index=part.index,
        count=part.count,
        selection=" ".join([_as_asked(selection), *selection.model]).strip(),
        planned=planned,
        not_applicable=tuple(findings.not_applicable),
    )


def _as_asked(selection: Selection) -> str:
    chosen = "" if selection.everyday or selection.suites or selection.expression else " --all"
    chosen += "".join(f" --suite {one}" for one in selection.suites)
    return chosen + (f" -k {shlex.quote(selection.expression)}" if selection.expression else "")


def _known_suites(chosen: list[str]) -> None:
    known = suites()
    for name in chosen:
        if name not in known:
            raise UsageError(f"No suite is called {name!r}.{common.nearest(name, known)} Known: {', '.join(known)}.")


def observe(session: ScenarioRun, selection: Selection) -> Findings:
    """Run that selection to its end, and hunt; what was seen, with what went wrong in it.

    Raises:
        UsageError: it holds nothing.
    """
    try:
        session.start()
        session.run(selection)
        if not session.findings.harness_errors:
            session.look_once_more()
            session.hunt()
    except PromiseBroken as error:
        session.findings.broken.append(str(error))
    except UsageError:
        session.stop()
        raise
    except HarnessError as error:
        session.findings.harness_errors.append(str(error))
    except BaseException:
        session.stop()
        raise
    return session.findings


def judge(
    findings: Findings,
    *,
    run_id: str,
    seed: int,
    clock: RunClock,
    target: TargetInfo,
    command: str,
    options: str,
    machine: str,
    whole: bool,
    started_at: str,
    duration_s: float,
    shard: ShardInfo | None,
) -> RunRecord:
    """The record of a run, or of one that was merged from its parts."""
    scenarios = tuple(sorted(findings.scenarios, key=lambda one: (_place(one.suite), one.suite, one.id)))
    stories, checklist = rows.judge(
        rows.load(),
        scenarios,
        (),
        left_out=findings.left_out,
        reproduce=command,
        benchmarks=common.benchmarks_of(target),
    )
    plan = (*stories, *checklist)
    judged = decide(
        harness_errors=findings.harness_errors,
        broken=findings.broken,
        scenarios=scenarios,
        left_out=findings.left_out,
        ledger=findings.ledger(),
        privacy=findings.privacy,
        slo=(),
        plan=plan,
        required=required_of(scenarios, findings.left_out),
        options=options,
        whole=whole,
    )
    return RunRecord(
        run_id=run_id,
        kind="run",
        seed=seed,
        target=target,
        clock_origin=clock.iso(),
        started_at=started_at,
        duration_s=round(duration_s, 2),
        machine=machine,
        command=command,
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=judged.headline,
        reasons=judged.reasons,
        not_observed=judged.not_observed,
        next_steps=judged.next_steps,
        harness_errors=tuple(findings.harness_errors),
        broken=tuple(findings.broken),
        scenarios=scenarios,
        left_out=tuple(findings.left_out),
        ledger=findings.ledger(),
        privacy=findings.privacy,
        alarms=tuple(findings.alarms),
        dashboard=tuple(findings.dashboard),
        saboteurs=last_proof(common.OUT / PROOF, commit=target.commit),
        stories=stories,
        checklist=checklist,
        timings={name: round(seconds, 2) for name, seconds in findings.timings.items()},
        shard=shard,
    )


def _place(suite: str) -> int:
    """Where a suite stands: what comes early in the pipeline is told first, for it explains what comes after."""
    return _SUITES.index(suite) if suite in _SUITES else len(_SUITES)


def _where(stack: Stack) -> str:
    target = stack.target
    return f"kept: {target.base_url}  Meta {stack.meta_url}  {target.env.get('DATABASE_URL', '')}  Ctrl-C ends it"


def _until_ctrl_c() -> None:
    with suppress(KeyboardInterrupt):
        signal.pause()
