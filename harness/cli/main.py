"""`golive`: the roof. One file per command, found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import version
from typing import Annotated

import typer

import harness.cli as home

app = typer.Typer(
    name="golive",
    help="Prove a conversion-tracking pipeline before it lets its first customer in.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

#: A command is a file `cmd_NAME.py` here with a function `register(app)`.
PREFIX = "cmd_"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"golive {version('golive')}")
        raise typer.Exit


@app.callback()
def golive(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which golive this is.")
    ] = False,
) -> None:
    """Prove a conversion-tracking pipeline before it lets its first customer in."""


def main() -> None:
    """The entry point of the `golive` command."""
    for module in pkgutil.iter_modules(home.__path__):
        if module.name.startswith(PREFIX):
            importlib.import_module(f"{home.__name__}.{module.name}").register(app)
    app()
