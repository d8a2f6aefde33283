"""One line of JSON for each thing worth saying, on standard error. Nobody's data, and no secret, goes in.

An exception's text may quote what it choked on: a row (`Key (em)=(…) already exists`), a body, an address with a token
in it. So of an exception its type and place are told, never its text, whoever logs it and also where nobody has caught
it; and of a library's message the words that it was written with, not what was filled in.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

_OURS = "reference_impl"
_write = json.JSONEncoder(ensure_ascii=False).encode
"""`json.dumps` makes an encoder for each call that is not its own kind."""
log = logging.getLogger(__name__)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage() if _is_ours(record) else _of_a_library(record),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = place(record.exc_info[1])
        return _write(line)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == _OURS or record.name.startswith(f"{_OURS}.")


def _of_a_library(record: logging.LogRecord) -> str:
    """Its template with numbers and types filled in; what came ready-made is withheld, and its place is told."""
    if not record.args or not isinstance(record.msg, str):
        return f"(text withheld) {record.module}:{record.lineno}"
    given = record.args if isinstance(record.args, tuple) else (record.args,)
    try:
        return record.msg % tuple(_harmless(one) for one in given)
    except (TypeError, ValueError):
        return record.msg


def _harmless(value: object) -> object:
    if isinstance(value, int | float):
        return value
    return type(value).__name__


def place(error: BaseException) -> str:
    """An exception's type and where it was raised; no text of it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"


def set_up(level: str) -> None:
    """Send everything from `level` up to standard error, libraries' warnings and what nobody caught included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level.upper())
    # Nothing of these is told, and each is asked for with every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # A line that cannot be written must not be answered with a traceback that quotes it.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, _: TracebackType | None) -> None:
    log.critical("nobody caught %s", place(error) if error else kind.__name__)
