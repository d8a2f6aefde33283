"""`golive load`: send a profile's webhooks when they are due, judge the raw samples, write the run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from harness.checks import load
from harness.checks.verdict import decide
from harness.cli import common, terminal
from harness.cli.load_session import LoadFindings, LoadSession, Profile, profile_named
from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.readiness import rows
from harness.records import Ledger, LoadResult, PrivacyResult, RunRecord, TargetInfo, Verdict

EXAMPLES = """
[bold]Examples[/]

  golive load baseline                          the plan's average day, six minutes, judged
  golive load smoke                             ten seconds: does it work at all (too short to judge)
  golive load baseline --rate 100 --duration 60 --processes 2
  golive load baseline --target ../mine/golive.toml --json

Raw samples are kept beside the report: samples-0.csv …, one line for each request.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load", epilog=EXAMPLES)(load_profile)


def load_profile(
    profile: Annotated[str, typer.Argument(help="A section of load/profiles.toml: baseline, smoke.")],
    target: Annotated[
        str | None, typer.Option(help="A target file; without one golive.toml, else the reference.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Webhooks a second, instead of the profile's.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds, instead of the profile's.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Locust processes that share the schedule.")] = 1,
    seed: Annotated[int | None, typer.Option(help="The schedule and every buyer follow from it.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder for the report.")] = None,
    allow_host: Annotated[
        str | None, typer.Option(help="Permit load on this host, where the target is not on this machine.")
    ] = None,
    expect_undecided: Annotated[
        bool, typer.Option("--expect-undecided", help="Exit 0 when the run is too short to decide (INCONCLUSIVE).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Load a target in an open model and judge the plan's service levels on raw samples.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        asked = profile_named(profile, rate_per_s=rate, duration_s=duration)
        path, wanted = common.find_target(target)
        common.check_host(wanted.base_url, allow_host, what="Load is sent")
        clock, number = common.clock_of(None), common.seed_of(seed)
        run_id, folder = common.new_run_folder(out)
        command = _command(profile, rate, duration, processes, number, target)
        screen = terminal.console()
        screen.print(f"golive load {run_id}: {profile} ({asked.title}), target {wanted.name} ({path}), seed {number}")
        screen.print(
            f"{asked.planned} requests in {asked.duration_s:g} s ({asked.rate_per_s:g}/s); "
            f"the fake Meta answers in {asked.meta_median_ms:g} ms (median), {asked.meta_p95_ms:g} ms (p95)"
        )
        began, started_at, commit = time.monotonic(), common.wall_clock_iso(), common.commit_here()
        with terminal.Progress(screen) as progress:
            session = LoadSession(
                wanted,
                asked,
                clock=clock,
                seed=number,
                folder=folder,
                processes=processes,
                watcher=progress,
            )
            findings = _observe(session)
        record = _judge(
            findings,
            asked,
            profile,
            run_id=run_id,
            seed=number,
            clock=clock,
            target=TargetInfo(name=wanted.name, commit=common.commit_since(commit)),
            command=command,
            started_at=started_at,
            duration_s=time.monotonic() - began,
        )
        common.publish(record, folder)
        terminal.show(record, folder, screen)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        undecided = expect_undecided and record.verdict is Verdict.INCONCLUSIVE
        raise typer.Exit(0 if undecided else record.exit_code)


def _command(
    profile: str, rate: float | None, duration: float | None, processes: int, seed: int, target: str | None
) -> str:
    options = {"--rate": rate, "--duration": duration, "--target": target}
    told = "".join(f" {name} {value}" for name, value in options.items() if value is not None)
    return f"golive load {profile}{told} --processes {processes} --seed {seed}"


def _observe(session: LoadSession) -> LoadFindings:
    try:
        session.run()
    except PromiseBroken as error:
        session.findings.broken.append(str(error))
    except UsageError:
        raise
    except HarnessError as error:
        session.findings.harness_errors.append(str(error))
    finally:
        session.stop()
    return session.findings


def _judge(
    findings: LoadFindings,
    asked: Profile,
    profile: str,
    *,
    run_id: str,
    seed: int,
    clock: RunClock,
    target: TargetInfo,
    command: str,
    started_at: str,
    duration_s: float,
) -> RunRecord:
    seen = findings.seen
    slo = load.judge(seen, seed=seed) if seen else ()
    book = seen.ledger if seen else Ledger()
    plan = rows.load()
    stories, checklist = rows.judge(plan, (), slo, reproduce=command, benchmarks=common.benchmarks_of(target))
    judged = decide(
        harness_errors=findings.harness_errors,
        broken=findings.broken,
        ledger=book,
        privacy=PrivacyResult(),
        slo=slo,
        plan=(*stories, *checklist),
        required=rows.required_by(plan, slo),
    )
    return RunRecord(
        run_id=run_id,
        kind="load",
        seed=seed,
        target=target,
        clock_origin=clock.iso(),
        started_at=started_at,
        duration_s=round(duration_s, 2),
        machine=common.machine_here(),
        command=command,
        verdict=judged.verdict,
        exit_code=judged.exit_code,
        headline=judged.headline,
        reasons=(*judged.reasons, *findings.explanations[:20]),
        not_observed=judged.not_observed,
        next_steps=judged.next_steps,
        harness_errors=tuple(findings.harness_errors),
        broken=tuple(findings.broken),
        ledger=book,
        slo=slo,
        load=_result(seen, asked, profile) if seen else None,
        stories=stories,
        checklist=checklist,
        timings={name: round(seconds, 2) for name, seconds in findings.timings.items()},
    )


def _result(seen: load.Seen, asked: Profile, profile: str) -> LoadResult:
    samples = seen.samples
    corrected = [one.corrected_ms for one in samples if one.status is not None]
    uncorrected = [one.uncorrected_ms for one in samples if one.status is not None]
    spread_s = max(one.sent_s for one in samples)
    return LoadResult(
        profile=profile,
        planned_per_s=asked.rate_per_s,
        achieved_per_s=round(len(samples) / max(spread_s, asked.duration_s), 3),
        duration_s=asked.duration_s,
        requests=len(samples),
        failures=sum(not one.accepted for one in samples),
        scheduler_lag_p99_ms=round(load.percentile([one.lag_ms for one in samples], 0.99) or 0.0, 3),
        meta_latency_median_ms=asked.meta_median_ms,
        meta_latency_p95_ms=asked.meta_p95_ms,
        ack_p50_ms=load.percentile(corrected, 0.5),
        ack_p99_ms=load.percentile(corrected, 0.99),
        uncorrected_p95_ms=load.percentile(uncorrected, 0.95),
    )
