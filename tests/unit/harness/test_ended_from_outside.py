"""A command that is ended from outside says so and exits with 130, wherever it is just then."""

import subprocess
import sys

from tests.rows import each_row

WITHIN_S = 60

#: Ends itself from within one of asyncio's tasks, as the kernel may: between any two of its instructions.
IN_A_TASK = """
import asyncio, os, signal
{before}
from harness.cli import common

async def busy():
    os.kill(os.getpid(), signal.{sign})
    for _ in range(1000):
        pass

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(busy())
        await asyncio.Event().wait()

def command():
    with common.exit_codes():
        {run}

import typer
app = typer.Typer()
app.command()(command)
app()
"""


IN_A_LOOP = "asyncio.run(main())"
ALONE = "os.kill(os.getpid(), signal.SIGTERM); signal.pause()"
IN_FRONT = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # wherever these tests were started
IN_THE_BACKGROUND = "signal.signal(signal.SIGINT, signal.SIG_IGN)"  # as a shell starts a job with `&`


@each_row(
    ("sign", "run", "before"),
    [
        ("SIGTERM", IN_A_LOOP, IN_FRONT),
        ("SIGINT", IN_A_LOOP, IN_FRONT),
        ("SIGTERM", IN_A_LOOP, IN_THE_BACKGROUND),
        ("SIGTERM", ALONE, IN_FRONT),
        ("SIGTERM", ALONE, IN_THE_BACKGROUND),
    ],
)
def test_it_is_ended_in_one_sentence(sign: str, run: str, before: str) -> None:
    code = IN_A_TASK.format(sign=sign, run=run, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=WITHIN_S)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "stopped; everything that was started has been ended" in done.stderr
