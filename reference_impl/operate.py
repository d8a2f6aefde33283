"""`python -m reference_impl operate`: all of an operator's actions in one process, a JSON request a line.

    {"id": 7, "action": "set_flag", "input": {"tenant": "t-9f2c", "flag": "hold"}}
    {"id": 7, "output": {"flag": "hold", "released": 0}}        or {"id": 7, "error": "There is no tenant 't-9f2c'."}

An action that fails is answered with a sentence and never ends the process. Several run at a time, so that a redrive
does not hold up a flag; answers come in the order in which they are ready.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, BinaryIO

from pydantic_core import from_json

from reference_impl import complaints, logs, operations
from reference_impl.operations import Resources
from reference_impl.provisioning import NotProvisioned
from reference_impl.settings import Settings

log = logging.getLogger(__name__)

_THREADS = 4
_WANTED = 'No request. Wanted on one line: {"id": 7, "action": "set_flag", "input": {…}}.'


def serve(settings: Settings, requests: Iterable[bytes], answers: BinaryIO) -> int:
    """Answer every request, until there are no more; what has been asked for by then is still answered."""
    writing = threading.Lock()
    with closing(Resources(settings)) as resources, ThreadPoolExecutor(_THREADS, "action") as pool:

        def respond(line: bytes) -> None:
            text = json.dumps(answer(line, resources)).encode() + b"\n"
            with writing:
                answers.write(text)
                answers.flush()

        for line in requests:
            pool.submit(respond, line)
    return 0


def answer(line: bytes, resources: Resources) -> dict[str, Any]:
    """Carry out the action that a line asks for, and return what is answered."""
    try:
        request = from_json(line)
        number, name, given = request["id"], request["action"], request.get("input", {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"id": None, "error": _WANTED}
    try:
        return {"id": number, "output": operations.carry_out(str(name), given, resources)}
    except NotProvisioned as error:
        return {"id": number, "error": str(error)}
    except Exception as error:  # noqa: BLE001 -- the next action must find a process that answers
        log.error("operate: %s failed: %s", name, logs.place(error))
        return {"id": number, "error": f"{name} failed: {complaints.sentence(error)}"}
