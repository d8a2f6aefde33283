"""What can be done to a pipeline, one step at a time, and stories: lists of steps in a file that people can read.

A step names its sale by a word of the story's own (`s1`), so that a story from which steps were taken away can still be
told: what nobody has introduced is passed over.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError

Value = str | int | bool

#: What can be done, and the arguments of each: name and type.
KINDS: Mapping[str, Mapping[str, type]] = {
    "sell": {"sale": str, "gateway": str, "tenant": int, "event": str, "old": bool, "click": bool},
    "tell": {"sale": str, "event": str, "how": str},
    "elsewhere": {"sale": str, "of": str},
    "withdraw": {"sale": str},
    "fault": {"tenant": int, "fault": str, "strikes": int},
    "ill": {"tenant": int, "fault": str},
    "well": {"tenant": int},
    "poison": {"sale": str, "gateway": str, "tenant": int},
    "token_dies": {"tenant": int},
    "token_renewed": {"tenant": int},
    "hold": {"tenant": int, "gateway": str},
    "release": {"tenant": int, "gateway": str},
    "kill": {"role": str},
    "start": {"role": str},
    "die_in_call": {"sale": str, "tenant": int, "counted": bool},
    "die_after_answer": {"sale": str, "gateway": str, "tenant": int},
    "crash_database": {},
    "jump": {"hours": int},
    "settle": {},
}

#: A story is written by us or by a person; whatever is longer is neither.
MOST_BYTES = 64 * 1024
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done: its kind, and the arguments that `KINDS` names for it."""

    do: str
    args: Mapping[str, Value] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """An argument that is a text."""
        return str(self.args[name])

    def number(self, name: str) -> int:
        """An argument that is a number, or true or false as 1 or 0."""
        return int(self.args[name])

    def __str__(self) -> str:
        told = " ".join(f"{name}={_toml(value)}" for name, value in self.args.items())
        return f"{self.do} {told}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Steps with a name, and what came of them when they were found."""

    name: str
    steps: Sequence[Step]
    found: str = ""
    """The broken promise, in a sentence."""

    def to_toml(self) -> str:
        """As a file, for `read`."""
        lines = [f"name = {_toml(self.name)}", f"found = {_toml(self.found)}"]
        for step in self.steps:
            lines += ["", "[[step]]", f"do = {_toml(step.do)}"]
            lines += [f"{name} = {_toml(value)}" for name, value in step.args.items()]
        return "\n".join(lines) + "\n"


def read(path: Path) -> Story:
    """A story from its file.

    Raises:
        UsageError: it cannot be read, or holds a step that does not exist; with the nearest that does.
    """
    try:
        raw = path.read_bytes()
        if len(raw) > MOST_BYTES:
            raise UsageError(f"{path} is no story: it has more than {MOST_BYTES // 1024} KB.")
        told = tomllib.loads(raw.decode())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}. A story is a file that `golive run` left."
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    steps = told.get("step", [])
    if not isinstance(steps, list) or not 0 < len(steps) <= MOST_STEPS:
        raise UsageError(f"{path} holds no story: it needs 1 to {MOST_STEPS} tables [[step]].")
    return Story(
        name=str(told.get("name", path.stem)),
        found=str(told.get("found", "")),
        steps=[_step(one, f"{path}, step {number}") for number, one in enumerate(steps, start=1)],
    )


def _step(told: object, where: str) -> Step:
    if not isinstance(told, dict) or not isinstance(told.get("do"), str):
        raise UsageError(f'{where} does not say what is done, like do = "settle".')
    do = told["do"]
    if do not in KINDS:
        raise UsageError(f"{where}: nobody can {do!r}.{_nearest(do, KINDS)} Known: {', '.join(KINDS)}.")
    args = {name: value for name, value in told.items() if name != "do"}
    for name, value in args.items():
        if name not in KINDS[do]:
            known = ", ".join(KINDS[do]) or "nothing"
            raise UsageError(f"{where}: {do} takes no {name!r}.{_nearest(name, KINDS[do])} It takes: {known}.")
        if type(value) is not KINDS[do][name]:
            raise UsageError(f"{where}: {name} must be of type {KINDS[do][name].__name__}.")
    if missing := KINDS[do].keys() - args.keys():
        raise UsageError(f"{where}: {do} needs {', '.join(sorted(missing))}.")
    return Step(do, {name: args[name] for name in KINDS[do]})


def _nearest(name: str, known: Mapping[str, object]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _toml(value: Value) -> str:
    # A JSON string, number or boolean is a TOML one; beyond the BMP JSON would write surrogates, which TOML refuses.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
