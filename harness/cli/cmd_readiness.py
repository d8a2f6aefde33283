"""`golive readiness`: every line of the launch plan, and what the newest run knows of it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from harness.cli import common, readiness_session, terminal
from harness.errors import UsageError
from harness.readiness import (
    attestations,
    aws_checks,
    basis,
    database_checks,
    evidence,
    missing,
    qa_gate,
    rows,
    story_file,
)
from harness.records import RowState, RunRecord

_USER = re.compile(r"(?<=:)//[^/@\s]*@")
"""The user and password in a URL."""
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
        epilog="golive readiness   ·   golive readiness --run latest --commit $(git rev-parse HEAD) --json   ·   "
        "golive readiness --story 006.md --write   ·   golive readiness --attestations launch.toml   ·   "
        "golive readiness --aws-profile prod --database-url-env DATABASE_URL   ·   "
        "git rev-parse HEAD > qa/commit; golive readiness --qa qa",
    )(readiness)


def readiness(
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="A run to judge by: an id, a folder or latest. Repeatable: a run and a load. Without it: the newest "
            "of each. It counts if it tested the commit to be launched, with no file changed, and is recent.",
        ),
    ] = None,
    max_age_days: Annotated[
        float, typer.Option(help="A run that ended longer ago than this does not count.", min=0)
    ] = basis.OLDEST_DAYS,
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
        str,
        typer.Option(
            help="The commit to be launched; without it, the one that the ECS services' images are tagged with."
        ),
    ] = "",
    aws_profile: Annotated[str, typer.Option(help="Look into this profile's AWS account; reads only.")] = "",
    aws_endpoint: Annotated[str, typer.Option(help="Look into what answers there as AWS does; reads only.")] = "",
    aws_prefix: Annotated[str, typer.Option(help="Only AWS resources with this in their names are ours.")] = "",
    database_url: Annotated[
        str,
        typer.Option(
            help="Look into the PostgreSQL to be launched on; reads only. A password is better kept out of the shell's "
            "history: --database-url-env.",
            metavar="URL",
        ),
    ] = "",
    database_url_env: Annotated[
        str, typer.Option(help="The environment variable that holds its URL, as the target's own.", metavar="VARIABLE")
    ] = "",
    schema_head: Annotated[
        str, typer.Option(help="The newest migration's version; without it, what the target file says.")
    ] = "",
    target: Annotated[
        str | None, typer.Option(help="A target file: [target.migrations] says how migrated is seen.", metavar="FILE")
    ] = None,
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
        address = _address(database_url, database_url_env)
        said = _attestations(attestations_file, today) if attestations_file else None
        stories = _stories(story or [], write=write)
        found = [one for each in stories for one in evidence.of_story(each)]
        ask = aws_checks.clients(endpoint=aws_endpoint, profile=aws_profile) if aws_profile or aws_endpoint else None
        launched = commit or (_deployed(ask, aws_prefix) if ask else "")
        rest = readiness_session.rest_on(
            readiness_session.runs_named(run)
            if run
            else readiness_session.newest(or_none=bool(stories or said or qa or ask or address)),
            commit=launched,
            now=datetime.fromisoformat(common.wall_clock_iso()),
            max_age_days=max_age_days,
        )
        ran = rest.record.target
        if ask:
            found += aws_checks.look(ask, prefix=aws_prefix, commit=launched or ran.commit)
        if address:
            found += database_checks.look(address, _schema(schema_head, target, ran.name))
        case = readiness_session.Case(
            basis=rest,
            commit=launched or ran.commit,
            found=tuple(found),
            said=said,
            command=_command(
                {
                    "--run": run or [],
                    "--commit": commit,
                    "--max-age-days": "" if max_age_days == basis.OLDEST_DAYS else f"{max_age_days:g}",
                    "--story": [str(one) for one in story or []],
                    "--attestations": str(attestations_file or ""),
                    "--qa": str(qa or ""),
                    "--aws-profile": aws_profile,
                    "--aws-endpoint": aws_endpoint,
                    "--aws-prefix": aws_prefix,
                    "--database-url-env": database_url_env or ("VARIABLE" if database_url else ""),
                    "--schema-head": schema_head,
                    "--target": target or "",
                },
                rest.record.run_id,
            ),
        )
        gate = None
        if qa:
            case, gate = readiness_session.with_qa(case, qa)
        run_id, folder = common.new_run_folder(None)
        record = readiness_session.judge(case, run_id)
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


def _address(url: str, variable: str) -> str:
    """The database's address, from wherever it was said to be; empty: nobody asked for it to be looked at."""
    if url and variable:
        raise UsageError("--database-url and --database-url-env say the same thing twice. Give one of them.")
    if not variable:
        return url
    held = os.environ.get(variable, "")
    if not held:
        near = common.nearest(variable, (name for name in os.environ if "URL" in name or "DATABASE" in name))
        raise UsageError(f"The environment variable {variable} is not set, or empty.{near}")
    return held


def _schema(head: str, target: str | None, ran: str) -> database_checks.Schema:
    """What migrated means: the option, else the target file; another target's file says nothing of this one."""
    try:
        path, known = common.find_target(target)
    except UsageError:
        if target is not None:
            raise
        return database_checks.Schema(head=head)
    if target is None and ran not in (known.name, "unknown"):
        return database_checks.Schema(head=head)
    if target is not None and not (head or known.migrations.head):
        raise UsageError(f"{path} has no head in [target.migrations]. Add it, or give --schema-head.")
    return database_checks.Schema(head=head or known.migrations.head, version=known.migrations.version)


def _deployed(ask: aws_checks.Clients, prefix: str) -> str:
    """The commit that the ECS services run.

    Raises:
        UsageError: they run different ones.
    """
    tags = aws_checks.deployed(ask, prefix=prefix)
    if len(tags) > 1:
        raise UsageError(
            f"The ECS services run images of different commits: {', '.join(tags)}. Say with --commit which is launched."
        )
    return tags[0] if tags else ""


def _command(options: Mapping[str, str | Sequence[str]], judged: str) -> str:
    """What asks the same again. A URL's password is never in it."""
    words = ["golive readiness"]
    for name, given in options.items():
        for value in [given] if isinstance(given, str) else given:
            if value:
                words.append(f"{name} {shlex.quote(_USER.sub('//', value))}")
    return " ".join(words) + (f"  # judges {judged}" if "--run" not in " ".join(words) else "")


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
