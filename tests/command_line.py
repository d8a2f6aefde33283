"""The commands `golive` and `python -m reference_impl` inside the test's own process, and the real ones beside them.

Starting Python and importing what a command needs costs about a second of processor time, most commands a few
milliseconds. So what a command answers is asked in this process. Exit codes as a shell sees them, signals and child
processes are asked of the real command.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.cli import main

#: The installed command.
GOLIVE = str(Path(sys.executable).parent / "golive")


@cache
def _application() -> typer.Typer:
    """`golive` with all its commands."""
    return main.application("*")


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


def golive_process(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, within_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the real `golive WORDS`, without a terminal, to its end.

    Args:
        words: The command line after `golive`.
        cwd: Where it is called.
        env: Environment variables to add.
        within_s: How long it may take.

    Raises:
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    return subprocess.run(
        [GOLIVE, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=within_s,
    )


@contextlib.contextmanager
def logging_put_back(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the reference set up its logging for this process, and put back what was there before."""
    root, ours = logging.getLogger(), logging.getLogger("reference_impl")
    before = (root.handlers[:], root.level, ours.level)
    for name in ("raiseExceptions", "logThreads", "logProcesses", "logMultiprocessing"):
        patch.setattr(logging, name, getattr(logging, name))
    for where, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        patch.setattr(where, name, getattr(where, name))
    try:
        yield
    finally:
        root.handlers[:], root.level, ours.level = before


def reference(*words: str, given: str = "", env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `python -m reference_impl WORDS` in this process.

    Args:
        words: The command and its arguments.
        given: Its standard input.
        env: Environment variables to add for the length of the call.

    Returns:
        Exit code, standard output and standard error, as subprocess.run returns them.
    """
    import boto3

    from reference_impl import __main__ as command

    with pytest.MonkeyPatch.context() as patch, logging_put_back(patch):
        for name, value in env.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["reference_impl", *words])
        patch.setattr(sys, "stdin", io.StringIO(given))
        patch.setattr(sys, "stdout", stdout := io.StringIO())
        patch.setattr(sys, "stderr", stderr := io.StringIO())
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the environment of the first call
        try:
            code = command.main()
        except SystemExit as ended:  # argparse
            code = ended.code if isinstance(ended.code, int) else 1
    return subprocess.CompletedProcess(["reference_impl", *words], code, stdout.getvalue(), stderr.getvalue())


def reference_process(*words: str, given: str = "", env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the real `python -m reference_impl WORDS` to its end, with these environment variables added."""
    return subprocess.run(
        [sys.executable, "-m", "reference_impl", *words],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
        timeout=60,
    )
