"""Every `golive …` in the documentation is a command that there is, with options that it has."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import typer

import harness.cli as home
from tests.rows import each_row

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md"), ROOT / "reference_impl/README.md"]
)
_CODE = re.compile(
    r"`((?:[A-Z_]+=\S+ )?(?:\.venv/bin/)?golive [^`\n]+)`|^ {2,}((?:\.venv/bin/)?golive [^\n]+)$", re.MULTILINE
)
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


def commands() -> dict[str, set[str]]:
    """By name: the options of a command."""
    fresh = typer.Typer()
    for module in pkgutil.iter_modules(home.__path__):
        if module.name.startswith("cmd_"):
            importlib.import_module(f"{home.__name__}.{module.name}").register(fresh)
    group: Any = typer.main.get_command(fresh)
    found = {}
    for name, one in group.commands.items():
        found[name] = {option for parameter in one.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {name: {*options, "--help"} for name, options in found.items()}


COMMANDS = commands()


def said(page: Path) -> list[str]:
    """Every line or piece of code that begins with golive."""
    return [(inline or line).strip() for inline, line in _CODE.findall(page.read_text(encoding="utf-8"))]


def wrong_in(line: str) -> str:
    """What there is not, of a command line; empty if all of it is there."""
    line = line[line.index("golive ") :].split("   ", maxsplit=1)[0].split(" # ", maxsplit=1)[0]
    words = line.split()[1:]
    if not words or words[0].startswith("-") or not re.fullmatch(r"[a-z]+", words[0]):
        return ""
    if words[0] not in COMMANDS:
        return f"no command {words[0]}"
    unknown = set(_OPTION.findall(line)) - COMMANDS[words[0]]
    return f"golive {words[0]} has no {', '.join(sorted(unknown))}" if unknown else ""


@each_row("page", PAGES)
def test_what_a_page_says_can_be_typed(page: Path) -> None:
    assert [f"{line}: {wrong}" for line in said(page) if (wrong := wrong_in(line))] == []


def test_the_pages_say_something() -> None:
    """Were nothing found, nothing would be checked."""
    assert sum(len(said(page)) for page in PAGES) > 80


@each_row(
    ("line", "wrong"),
    [
        ("golive rnu", "no command rnu"),
        ("golive run --seeed 7", "golive run has no --seeed"),
        ("golive run -k 'S-01' --seed 7    two --words that are no options", ""),
        ("golive --version", ""),
    ],
)
def test_it_can_fail(line: str, wrong: str) -> None:
    assert wrong_in(line) == wrong
