"""`python -m scenarios.saboteurs NAME -- COMMAND …`: a command of the reference, broken as NAME breaks it.

`python -m scenarios.saboteurs --serve SOCKET`: the same commands for `golive prove`, each in a process that is forked
from this one.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from scenarios.saboteurs._fork_server import serve
from scenarios.saboteurs._patching import Gone, load_reference

#: A saboteur that cannot do its work must not look like one that was not caught.
_DISARMED = 3


def main() -> int:
    """Serve, or run one command."""
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        load_reference()
        serve(Path(sys.argv[2]), run)
    return run(sys.argv[1:])


def run(argv: list[str]) -> int:
    """Patch, then run the reference's own command line."""
    name, dashes, *command = argv if len(argv) > 2 else ("", "")
    if dashes != "--" or not name.replace("-", "").isalnum():
        return _complain("usage: python -m scenarios.saboteurs NAME -- COMMAND …; `golive list saboteurs` names them")
    try:
        saboteur = importlib.import_module(f"scenarios.saboteurs.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        return _complain(f"there is no saboteur {name!r} ({error})")
    except ImportError as error:
        return _complain(f"{name} is disarmed: the reference has changed: {error}")
    try:
        load_reference()
        saboteur.patch()
    except (Gone, ImportError, AttributeError) as error:
        return _complain(f"{name} is disarmed: the reference has changed: {error}")
    from reference_impl.__main__ import main as command_line  # noqa: PLC0415 -- it must come after the patch

    sys.argv = ["reference_impl", *command]
    return command_line()


def _complain(sentence: str) -> int:
    sys.stderr.write(f"saboteurs: {sentence}\n")
    return _DISARMED


if __name__ == "__main__":
    sys.exit(main())
