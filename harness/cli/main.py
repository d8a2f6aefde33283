"""`golive`: the command line. One file per command, imported when that command is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, NamedTuple

import typer


class Command(NamedTuple):
    """Where a command is, and what `golive --help` says of it: the first line of its docstring (a test compares)."""

    module: str
    """Of this package; its `register(app)` adds the command."""
    summary: str


#: Every command, in the order of `golive --help`.
COMMANDS: Mapping[str, Command] = {
    "run": Command("cmd_run", "Run scenarios against a target and say whether it may go live."),
    "load": Command("cmd_load", "Load a target in an open model and judge the plan's service levels on raw samples."),
    "readiness": Command(
        "cmd_readiness",
        "Say of every line of the launch plan whether it is met; what nobody has looked at is never a pass.",
    ),
    "drill": Command(
        "cmd_drill",
        "Break something on a pipeline of its own, wait for the page, follow the runbook, and see it recover.",
    ),
    "prove": Command("cmd_prove", "Break the reference in every known way and see that the scenarios notice."),
    "init": Command("cmd_init", "Write a commented target file to start from, and say what comes next."),
    "doctor": Command(
        "cmd_doctor", "Say what this machine lacks, and what golive can and cannot see of a target. Starts nothing."
    ),
    "list": Command("cmd_list", "Show what can be run, sent and broken."),
    "up": Command(
        "cmd_up",
        "Start the fakes on stable ports, and a page that shows what they send and receive. Ctrl-C ends it all.",
    ),
    "status": Command("cmd_up", "Show what `golive up` runs, and where."),
    "down": Command("cmd_up", "End what `golive up` has started, and wait until it is gone."),
    "trigger": Command("cmd_trigger", "Send signed payment webhooks to any address and count what it answers."),
    "meta-check": Command(
        "cmd_meta_check",
        "Ask the real Meta whether it takes your token and answers as our fake does: four calls, one test event.",
    ),
    "report": Command("cmd_report", "Render a run again and show its closing table."),
    "compare": Command(
        "cmd_compare", "Say what became better or worse beyond noise: verdict, scenarios, rows, numbers, durations."
    ),
    "merge": Command(
        "cmd_merge", "Judge the parts of a run as the one run that they are; a part that is missing was not observed."
    ),
}


def application(called: str | None = None) -> typer.Typer:
    """The command line.

    Args:
        called: The command that is wanted: it alone is imported. Of the others there are names and summaries.
            None: no command; `*`: all of them.
    """
    app = typer.Typer(
        name="golive",
        help="Prove a conversion-tracking pipeline before it lets its first customer in.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )
    app.callback()(golive)
    registered = set()
    wanted = {one.module for name, one in COMMANDS.items() if called in (name, "*")}
    for name, command in COMMANDS.items():
        if command.module not in wanted:
            app.command(name, help=command.summary)(_not_imported)
        elif command.module not in registered:
            registered.add(command.module)
            importlib.import_module(f"harness.cli.{command.module}").register(app)
    return app


def _not_imported() -> None:
    """In the place of a command that was not called."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"golive {version('golive')}")
        raise typer.Exit


def golive(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which golive this is.")
    ] = False,
) -> None:
    """Prove a conversion-tracking pipeline before it lets its first customer in."""


def called_command(arguments: Sequence[str]) -> str | None:
    """The command among the words behind `golive`; None where there is none."""
    return next((word for word in arguments if not word.startswith("-")), None)


def main() -> None:
    """The entry point of the `golive` command."""
    # What the shell's completion has so far, like `golive run --s`: bash says it in another variable than the others.
    completed = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS")
    arguments = sys.argv[1:] if completed is None else completed.split()[1:]
    application(called_command(arguments))()
