"""A runbook as it is written: Markdown for a person, whose fenced commands a drill and the tests execute.

Fences say what they are for, and nothing else of the page is read:

    ```sh set             export NAME=value, a line each: what a person sets first; others may be given
    ```sh see             shows what is wrong
    ```sh do              mends it; `do=NAME` where there are several ways
    ```sh know            ends with 0 only if it worked
    ```sh undo            takes `do` back; `undo=NAME` likewise
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

KINDS = ("set", "see", "do", "know", "undo")
_FENCE = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"export ([A-Z][A-Z0-9_]*)=(.*)")
_TO_FILL = re.compile(r"<[^>]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One fence: `kind` is one of `KINDS`, `name` tells several of a kind apart."""

    kind: str
    name: str
    text: str

    @property
    def title(self) -> str:
        """As its fence says it."""
        return f"{self.kind}={self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One page."""

    path: Path
    variables: Mapping[str, str]
    """What the page sets, as it is written; `<…>` is to be filled in by whoever reads it."""
    parts: tuple[Part, ...]

    def part(self, kind: str, name: str = "") -> Part:
        """The one of that kind and name. Raises HarnessError: there is none."""
        for one in self.parts:
            if (one.kind, one.name) == (kind, name):
                return one
        known = ", ".join(one.title for one in self.parts)
        wanted = f"{kind}={name}" if name else kind
        raise HarnessError(f"{self.path} has no block `sh {wanted}`; it has {known}")

    def script(self, part: Part, given: Mapping[str, str]) -> str:
        """What a person would type: the variables, then the block; it ends at the first command that fails.

        Raises:
            HarnessError: the page has no such variable, or one that it leaves open was not given.
        """
        if unknown := set(given) - set(self.variables):
            raise HarnessError(f"{self.path} sets no {', '.join(sorted(unknown))}; the page and its drill have drifted")
        lines = ["set -euo pipefail"]
        for name, written in self.variables.items():
            if name in given:
                lines.append(f"export {name}={shlex.quote(given[name])}")
            elif not _TO_FILL.search(written):
                lines.append(f"export {name}={written}")
            elif f"${name}" in part.text or f"${{{name}" in part.text:
                raise HarnessError(f"{self.path} leaves {name} open, and nobody has given it")
        return "\n".join([*lines, part.text])


def read(path: Path) -> Runbook:
    """The page at that path.

    Raises:
        HarnessError: it is not there, or has a fence that nobody understands, or lacks see or know.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"the runbook {path} cannot be read: {error.strerror}") from None
    return parse(text, path)


def parse(text: str, path: Path) -> Runbook:
    """A page's text; raises as `read`."""
    variables: dict[str, str] = {}
    parts: list[Part] = []
    for one in _fences(text, path):
        if one.kind == "set":
            variables |= _variables(one.text, path)
        elif any((one.kind, one.name) == (other.kind, other.name) for other in parts):
            raise HarnessError(f"{path} has two blocks `sh {one.title}`")
        else:
            parts.append(one)
    if missing := {"see", "know"} - {one.kind for one in parts}:
        raise HarnessError(f"{path} has no block `sh {min(missing)}`")
    return Runbook(path=path, variables=variables, parts=tuple(parts))


def _fences(text: str, path: Path) -> Iterator[Part]:
    for language, about, body in _FENCE.findall(text):
        kind, _, name = about.strip().partition("=")
        if language != "sh" or kind not in KINDS:
            raise HarnessError(f"{path} has a block `{language} {about}`; known: sh {', sh '.join(KINDS)}")
        yield Part(kind=kind, name=name, text=body)


def _variables(text: str, path: Path) -> Iterator[tuple[str, str]]:
    for line in filter(None, map(str.strip, text.splitlines())):
        found = _EXPORT.fullmatch(line.partition("  #")[0].strip())
        if found is None:
            raise HarnessError(f"{path} sets its variables by `export NAME=value`, a line each; not by {line!r}")
        yield found[1], found[2]
