"""The `golive` command inside the test's own process.

Starting Python and importing golive costs about a second of processor time, most commands a few milliseconds. So what
a command answers is asked here. Exit codes as the shell sees them, signals and child processes are asked of the real
command, in the test files that say so.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import typer
from typer.testing import CliRunner

import harness.cli
from harness.cli import main


@cache
def _application() -> typer.Typer:
    """`golive` with all its commands."""
    for module in pkgutil.iter_modules(harness.cli.__path__):
        if module.name.startswith(main.PREFIX):
            importlib.import_module(f"{harness.cli.__name__}.{module.name}").register(main.app)
    return main.app


def golive(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `golive WORDS` in this process.

    Args:
        words: The command line after `golive`.
        cwd: Where it is called; the working folder of this process is put back afterwards.
        env: Environment variables to add for the length of the call.

    Returns:
        Exit code, standard output and standard error, as subprocess.run returns them.

    Raises:
        Exception: Whatever the command did not turn into an exit code; as a process it would end in a stack trace.
    """
    handler = signal.getsignal(signal.SIGTERM)  # a command replaces it for the rest of its process
    try:
        with contextlib.chdir(cwd or Path.cwd()):
            result = CliRunner().invoke(_application(), words, prog_name="golive", env=env, catch_exceptions=False)
    finally:
        signal.signal(signal.SIGTERM, handler)
    return subprocess.CompletedProcess(["golive", *words], result.exit_code, result.stdout, result.stderr)
