"""`golive`: the roof. One file per command; each is imported only when it is called."""

from __future__ import annotations

import importlib
import pkgutil

import typer

import harness.cli as home

app = typer.Typer(
    name="golive",
    help="Prove a conversion-tracking pipeline before it lets its first customer in.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

#: A command is a file `cmd_NAME.py` here with a function `register(app)`.
PREFIX = "cmd_"


def main() -> None:
    """The entry point of the `golive` command."""
    for module in pkgutil.iter_modules(home.__path__):
        if module.name.startswith(PREFIX):
            importlib.import_module(f"{home.__name__}.{module.name}").register(app)
    app()
