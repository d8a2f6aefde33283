"""`golive load`: send a profile's webhooks when they are due, judge the raw samples, write the run."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.checks import knee, load, load_series
from harness.checks.verdict import decide
from harness.cli import common, terminal
from harness.cli.load_profile import Profile, profile_named
from harness.cli.load_search import KneeHunt
from harness.cli.load_session import LoadFindings, LoadSession
from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.readiness import rows
from harness.records import Ledger, LoadKnee, LoadResult, PrivacyResult, RunRecord, SloResult, TargetInfo, Verdict

EXAMPLES = """
[bold]Examples[/]

  golive load baseline                          the plan's average day, six minutes, judged
  golive load smoke                             ten seconds: does it work at all (too short to judge)
  golive load launch                            an average day, twenty times that for a minute, an average day
  golive load outage                            Meta is gone for a minute
  golive load stress                            the highest rate inside every service level, found three times
  golive load baseline --rate 100 --duration 60 --processes 2
  golive load baseline --target ../mine/golive.toml --json

Raw samples are kept beside the report: samples-0.csv …, one line for each request.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load", epilog=EXAMPLES)(load_profile)


def load_profile(
    profile: Annotated[str, typer.Argument(help="A section of load/profiles.toml: smoke, baseline, launch …")],
    target: Annotated[
        str | None, typer.Option(help="A target file; without one golive.toml, else the reference.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Webhooks a second, instead of the profile's.")] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds, instead of the profile's; of stress: what all steps may take.")
    ] = None,
    times: Annotated[float | None, typer.Option(help="Of launch: how many times the rate the spike is.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Locust processes that share the schedule.")] = 1,
    seed: Annotated[int | None, typer.Option(help="The schedule and every buyer follow from it.")] = None,
    out: Annotated[Path | None, typer.Option(help="A new folder for the report.")] = None,
    allow_host: Annotated[
        str | None, typer.Option(help="Permit load on this host, where the target is not on this machine.")
    ] = None,
    engine: common.ENGINE = common.LOCAL_ENGINE,
    expect_undecided: Annotated[
        bool, typer.Option("--expect-undecided", help="Exit 0 when the run is too short to decide (INCONCLUSIVE).")
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option(help="Where runs leave their line for the trend; else reports/out/benchmarks/history.jsonl."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json to standard output.")] = False,
) -> None:
    """Load a target in an open model and judge the plan's service levels on raw samples.

    Exit code: 0 go · 1 no go · 2 usage or harness error · 3 inconclusive.
    """
    with common.exit_codes():
        asked = profile_named(profile, rate_per_s=rate, duration_s=duration, times=times)
        path, wanted = common.find_target(target)
        common.check_host(wanted.base_url, allow_host, what="Load is sent")
        clock, number = common.clock_of(None), common.seed_of(seed)
        screen = terminal.console()
        parts = common.engine_named(engine, wanted, screen)
        run_id, folder = common.new_run_folder(out)
        told = {
            "--rate": rate,
            "--duration": duration,
            "--times": times,
            "--target": target,
            "--allow-host": allow_host,
        }
        command = _command(profile, told, processes, number) + common.engine_option(engine)
        screen.print(f"golive load {run_id}: {profile} ({asked.title}), target {wanted.name} ({path}), seed {number}")
        screen.print(
            f"{_offered(asked)}; "
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
                engine=parts,
            )
            hunt = KneeHunt(session, asked, seed=number, folder=folder, watcher=progress) if asked.search else None
            findings = _observe(session, hunt)
        seen = findings.seen
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
            machine="; ".join(filter(None, [common.machine_here(), parts.note])),
            slo=hunt.results if hunt else load.judge(seen, seed=number) if seen else (),
        )
        common.publish(record, folder, load_history=history)
        terminal.show(record, folder, screen)
        terminal.annotate(record, path)
        if as_json:
            terminal.print_json(json.dumps(record.to_json(), ensure_ascii=False, indent=2))
        undecided = expect_undecided and record.verdict is Verdict.INCONCLUSIVE
        raise typer.Exit(0 if undecided else record.exit_code)


def _offered(asked: Profile) -> str:
    """What will be sent, in one line."""
    if asked.search:
        steps = f"steps of at least {asked.search.samples} webhooks, from {asked.rate_per_s:g}/s"
        return f"{steps}, {asked.duration_s:g} s in all"
    rates = ", ".join(f"{rate:.4g}/s for {lasts:.4g} s" for rate, lasts in asked.pieces)
    return f"{asked.planned} requests: {rates}"


def _command(profile: str, told: Mapping[str, object], processes: int, seed: int) -> str:
    options = "".join(f" {name} {shlex.quote(str(value))}" for name, value in told.items() if value is not None)
    return f"golive load {profile}{options} --processes {processes} --seed {seed}"


def _observe(session: LoadSession, hunt: KneeHunt | None) -> LoadFindings:
    try:
        (hunt or session).run()
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
    machine: str,
    slo: Sequence[SloResult],
) -> RunRecord:
    seen = findings.seen
    book = findings.ledger or (seen.ledger if seen else Ledger())
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
        unknown=findings.unknown,
    )
    return RunRecord(
        run_id=run_id,
        kind="load",
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
        reasons=(*judged.reasons, *findings.explanations[:20]),
        not_observed=judged.not_observed,
        next_steps=(
            *_honest(seen, asked),
            *_again(findings.knee, asked),
            *(() if findings.knee else judged.next_steps),
        ),
        harness_errors=tuple(findings.harness_errors),
        broken=tuple(findings.broken),
        ledger=book,
        slo=tuple(slo),
        load=_result(findings, asked, profile),
        stories=stories,
        checklist=checklist,
        timings={name: round(seconds, 2) for name, seconds in findings.timings.items()},
    )


def _again(found: LoadKnee | None, asked: Profile) -> Iterator[str]:
    """What to do where a knee was looked for."""
    if found is not None:
        patient_s = round(3 * asked.duration_s)
        once_more = f"Search again where nothing else runs, with more time: `golive load stress --duration {patient_s}`"
        yield "Judge the plan's own day: `golive load baseline`" if found.decided else once_more


def _honest(seen: load.Seen | None, asked: Profile) -> Iterator[str]:
    """What to do where the generator could not offer what was planned."""
    lag_ms = load.percentile([one.lag_ms for one in seen.samples], 0.99) if seen else None
    if lag_ms is not None and lag_ms > load.LAG_MS and not asked.search:
        lower = ", or a lower `--times`" if max(times for times, _ in asked.shape) > 1 else ""
        yield f"Offer it honestly: a machine that is less busy, `--processes 2`{lower}"


def _result(findings: LoadFindings, asked: Profile, profile: str) -> LoadResult | None:
    """What was offered and how it was taken; of a search, that of its last step, at the claimed rate."""
    seen = findings.seen
    if seen is None:
        return _nothing_but_steps(findings, asked, profile) if findings.knee else None
    samples, readings = seen.samples, findings.readings
    webhooks = [one for one in samples if one.is_webhook]
    corrected = [one.corrected_ms for one in webhooks]
    uncorrected = load.uncorrected_ms(webhooks)
    lasts_s = max(samples[-1].due_s, *(one.sent_s for one in samples))
    planned_s = asked.duration_s if asked.search is None else lasts_s
    return LoadResult(
        profile=profile,
        planned_per_s=round(len(samples) / planned_s, 3),
        achieved_per_s=round(len(samples) / max(lasts_s, planned_s), 3),
        duration_s=round(planned_s, 2),
        requests=len(samples),
        failures=sum(not one.accepted for one in samples),
        scheduler_lag_p99_ms=round(load.percentile([one.lag_ms for one in samples], 0.99) or 0.0, 3),
        meta_latency_median_ms=asked.meta_median_ms,
        meta_latency_p95_ms=asked.meta_p95_ms,
        ack_p50_ms=_finite(load.percentile(corrected, 0.5)),
        ack_p95_ms=_finite(load.percentile(corrected, 0.95)),
        ack_p99_ms=_finite(load.percentile(corrected, 0.99)),
        uncorrected_p95_ms=_finite(load.percentile(uncorrected, 0.95)),
        uncorrected_p99_ms=_finite(load.percentile(uncorrected, 0.99)),
        facts=(*_pieces(asked, samples), *_storm(asked, samples), *findings.facts),
        marks=tuple(findings.marks),
        series=load_series.series(samples, seen.counted_at_s, queue=readings.queue, memory_mb=readings.memory_mb),
        distribution=load_series.distribution(samples),
        knee=findings.knee,
        cost=findings.cost,
    )


def _nothing_but_steps(findings: LoadFindings, asked: Profile, profile: str) -> LoadResult:
    """A search that found nothing to claim: its steps are all that there is."""
    steps = findings.knee.steps if findings.knee else ()
    return LoadResult(
        profile=profile,
        planned_per_s=max((one.planned_per_s for one in steps), default=0.0),
        achieved_per_s=max((one.achieved_per_s for one in steps), default=0.0),
        duration_s=asked.duration_s,
        requests=sum(one.requests for one in knee.last_of_each(steps)),
        failures=sum(one.failures for one in knee.last_of_each(steps)),
        scheduler_lag_p99_ms=max((one.scheduler_lag_p99_ms for one in steps), default=0.0),
        meta_latency_median_ms=asked.meta_median_ms,
        meta_latency_p95_ms=asked.meta_p95_ms,
        facts=tuple(findings.facts),
        knee=findings.knee,
        cost=findings.cost,
    )


def _pieces(asked: Profile, samples: Sequence[load.Sample]) -> Iterator[str]:
    """Of a rate over time: what each piece asked for and got."""
    if len(asked.pieces) == 1 or asked.search:
        return
    began_s, base = 0.0, asked.rate_per_s
    for number, (rate_per_s, lasts_s) in enumerate(asked.pieces):
        storm = ", and the storm" if asked.storm and number == asked.storm[0] else ""
        within = [one for one in samples if began_s <= one.due_s < began_s + lasts_s]
        sent_s = max([one.sent_s - began_s for one in within] + [lasts_s])
        p95_ms = load.percentile([one.corrected_ms for one in within if one.is_webhook], 0.95)
        lag_ms = load.percentile([one.lag_ms for one in within], 0.99) or 0.0
        late = f", which is more than {load.LAG_MS:.0f}: it cannot honestly offer that" if lag_ms > load.LAG_MS else ""
        yield (
            f"From {began_s:.0f} to {began_s + lasts_s:.0f} s {len(within) / lasts_s:.4g}/s were planned "
            f"({rate_per_s / base:g} times {base:g}/s{storm}) and {len(within) / sent_s:.4g}/s sent; webhook p95 "
            f"{_ms(p95_ms)}; the generator was late by {_ms(lag_ms)} at p99{late}."
        )
        began_s += lasts_s


def _ms(value: float | None) -> str:
    if value is None or math.isinf(value):
        return "not known" if value is None else "unanswered"
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _storm(asked: Profile, samples: Sequence[load.Sample]) -> Iterator[str]:
    if asked.storm is None:
        return
    seen: set[str] = set()
    again = []
    for one in samples:
        if one.is_webhook:
            again += [one] if one.sale in seen else []
            seen.add(one.sale)
    accepted = sum(one.accepted for one in again)
    yield f"{len(again):,} deliveries came a second time, within {asked.storm[1]:g} s; {accepted:,} were accepted."


def _finite(value: float | None) -> float | None:
    """As JSON can hold it: what was never answered has no figure."""
    return None if value is None or math.isinf(value) else value
