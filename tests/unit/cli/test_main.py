"""The command line imports the command that is called, and of the others knows name and summary."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from typing import Any

import typer
from typer.testing import CliRunner

import harness.cli as home
from harness.cli.main import COMMANDS, application, called_command
from tests.rows import check_rows, each_row

#: None of these is needed to say what there is.
HEAVY = ("pytest", "boto3", "botocore", "locust", "faker", "requests", "psycopg", "pydantic", "hypothesis", "jinja2")


def registered(app: typer.Typer) -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def test_every_command_file_is_in_the_table_and_adds_the_commands_that_it_says() -> None:
    files = {one.name for one in pkgutil.iter_modules(home.__path__) if one.name.startswith("cmd_")}
    assert {one.module for one in COMMANDS.values()} == files
    assert set(registered(application("*"))) == set(COMMANDS)


def test_summaries_are_the_first_lines_of_the_docstrings() -> None:
    commands = registered(application("*"))

    def check(name: str) -> None:
        first = commands[name].help.strip().partition("\n\n")[0].replace("\n", " ")
        assert first == COMMANDS[name].summary

    check_rows(COMMANDS, check)


def test_order_is_the_same_whichever_command_is_called() -> None:
    def check(called: str | None) -> None:
        assert list(registered(application(called))) == list(COMMANDS)

    check_rows([None, *COMMANDS], check)


@each_row(
    ("arguments", "called"),
    [(["run", "--suite", "smoke"], "run"), (["--version"], None), ([], None), (["-h", "list"], "list")],
)
def test_called_command_is_the_first_word(arguments: list[str], called: str | None) -> None:
    assert called_command(arguments) == called


def test_wrong_command_gets_the_nearest_one() -> None:
    result = CliRunner().invoke(application("rum"), ["rum"])
    assert result.exit_code == 2
    assert "Did you mean 'run'?" in result.output


def imported_by(code: str) -> list[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def after_golive(*arguments: str) -> list[str]:
    code = f"sys.argv = {['golive', *arguments]!r}\nfrom harness.cli.main import main\n"
    return imported_by(f"{code}try: main()\nexcept SystemExit: pass")


def test_help_imports_little_more_than_typer_and_rich() -> None:
    """A ratio of counts in one run: the CPU is measured by `make bench-run`."""
    alone = imported_by("import typer, typer.rich_utils, rich.console")
    ours = after_golive("--help")
    assert not set(HEAVY) & set(ours)
    assert len(ours) < 1.5 * len(alone), sorted(set(ours) - set(alone))


def test_called_command_alone_is_imported() -> None:
    commands = {one for one in after_golive("init", "--help") if one.startswith("harness.cli.cmd_")}
    assert commands == {"harness.cli.cmd_init"}


def test_run_imports_no_test_framework_and_no_server() -> None:
    """They are the affair of the processes that it starts."""
    ours = set(imported_by("import harness.cli.cmd_run"))
    assert not ours & {"pytest", "hypothesis", "faker", "aiohttp", "uvicorn", "starlette", "boto3", "locust"}
