"""Nothing that went wrong is quoted, whoever tells of it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from reference_impl import logs
from tests.rows import each_row

CANARY = "ana@canary.example"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error, with our logging over it; everything is put back afterwards."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root, ours = logging.getLogger(), logging.getLogger("reference_impl")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.set_up("INFO")
    yield stream
    root.handlers[:], root.level, ours.level, logging.raiseExceptions = before


def lines(said: io.StringIO) -> list[dict[str, str]]:
    text = said.getvalue()
    assert CANARY not in text
    return [json.loads(line) for line in text.splitlines()]


def test_an_exception_is_told_by_type_and_place(said: io.StringIO) -> None:
    """psycopg's quote whole rows."""
    try:
        raise ValueError(f"Key (em)=({CANARY}) already exists.")
    except ValueError:
        logging.getLogger("reference_impl.web").exception("it failed")
    (line,) = lines(said)
    assert line["message"] == "it failed"
    assert line["exception"].startswith("ValueError at test_an_exception")


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("error connecting in %r: %s", ("pool-1", ValueError(CANARY)), "error connecting in 'str': ValueError"),
        ("retrying in %d s (%(bad)", (3, CANARY), "retrying in %d s (%(bad)"),
        ("retrying in %.1f s", (3,), "retrying in 3.0 s"),
        ("%(who)s", ({"who": CANARY},), "%(who)s"),
        (f"ready-made {CANARY}", (), "(text withheld) test_logs:"),
    ],
)
def test_of_a_librarys_message_only_its_own_words(
    said: io.StringIO, message: str, arguments: tuple[object, ...], told: str
) -> None:
    """What was filled in may be anybody's."""
    logging.getLogger("some.library").warning(message, *arguments)
    (line,) = lines(said)
    assert line["message"].startswith(told)


@each_row("where", ["main", "thread", "finaliser"])
def test_what_nobody_caught_is_told_the_same_way(where: str) -> None:
    """Python's own traceback ends with the text."""
    code = f"""
import threading
from reference_impl import logs
logs.set_up("INFO")
def fail():
    raise ValueError("{CANARY}")
class Bad:
    def __del__(self):
        fail()
if "{where}" == "main":
    fail()
elif "{where}" == "thread":
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
else:
    Bad()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert CANARY not in done.stderr + done.stdout
    assert json.loads(done.stderr.splitlines()[0])["message"].startswith("nobody caught ValueError at fail:")
