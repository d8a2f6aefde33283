"""Runs a page of documentation: its files are written, its commands executed, what it shows is looked for.

Fences say by their first line what they are:

    ```sh                     each line is a command; `# exit 1`, `# exit 0 or 3` at its end: how it may end (else 0)
    ```text                   each line stands in what the command before has said
    ```LANGUAGE file=NAME     a file, written there
    ```LANGUAGE replace=NAME  above `---` what stands in the file (once), below it what comes in its place
    ```toml check             words of a target file: added to a least one, it can be loaded
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.target import Target

LIMIT_S = 180
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)(?: or (\d+))?$")
LEAST: dict[str, Any] = {"name": "page", "base_url": "http://127.0.0.1:1", "tenants": {"provision": ["true"]}}


@dataclass(frozen=True, slots=True)
class Block:
    """One fence of a page."""

    language: str
    about: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Every fence, in the page's order."""
    for language, about, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        yield Block(language, about.strip(), text)


def run(page: Path, folder: Path) -> list[str]:
    """Do what the page says, in that folder; the commands that were executed.

    Raises:
        AssertionError: a command ended otherwise than the page says, or did not say what it shows.
    """
    done, said = [], ""
    for block in blocks(page):
        kind, _, name = block.about.partition("=")
        if kind == "file":
            (folder / name).write_text(block.text, encoding="utf-8")
        elif kind == "replace":
            _replace(folder / name, block.text)
        elif kind == "check":
            Target.model_validate(_merged(LEAST, tomllib.loads(block.text)["target"]))
        elif block.language == "sh":
            for line in block.text.splitlines():
                said = _execute(line, folder)
                done.append(line)
        elif block.language == "text":
            for line in block.text.splitlines():
                assert line in said, f"{page.name} shows {line!r}, but {done[-1]!r} said:\n{said}"
        else:
            raise AssertionError(f"{page.name}: nobody runs a block {block.language} {block.about!r}")
    return done


def _execute(line: str, folder: Path) -> str:
    found = _EXIT.search(line)
    wanted = {int(code) for code in found.groups() if code} if found else {0}
    bin_folder = Path(sys.executable).parent
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GOLIVE_"))}
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**env, "PATH": f"{bin_folder}{os.pathsep}{env['PATH']}", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert ended.returncode in wanted, f"{line!r} ended with {ended.returncode}:\n{ended.stdout[-4000:]}"
    return ended.stdout


def _replace(path: Path, text: str) -> None:
    old, new = text.split("---\n")
    whole = path.read_text(encoding="utf-8")
    assert whole.count(old) == 1, f"{path.name} holds this {whole.count(old)} times:\n{old}"
    path.write_text(whole.replace(old, new), encoding="utf-8")


def _merged(least: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    found = dict(least)
    for key, value in more.items():
        found[key] = {**least.get(key, {}), **value} if isinstance(value, dict) else value
    return found
