"""Runbooks are read as they are written; each alarm has one, and it uses only what on-call has."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from harness import runbooks
from harness.alarms import template
from harness.errors import HarnessError
from tests.rows import each_row

HOME = Path(__file__).parents[3]
TEMPLATE = HOME / "reference_impl" / "infra" / "pipeline.yaml"
FOLDER = HOME / "docs" / "runbooks"
PAGES = sorted(one for one in FOLDER.glob("*.md") if one.name != "README.md")
PAGE = """
# Title
```sh set
export NAME=first
export OPEN=<what the vendor shows>  # a word about it
```
```sh see
echo "$NAME"
```
```sh do=hold
echo "$NAME is $OPEN"
```
```sh know
true
```
"""
_WORDS = {"aws", "psql", "python", "printf", "echo", "for", "done", "eval", "do", "in"}


def parse(text: str = PAGE) -> runbooks.Runbook:
    return runbooks.parse(text, Path("page.md"))


def test_a_page_is_its_variables_and_its_blocks() -> None:
    page = parse()
    assert dict(page.variables) == {"NAME": "first", "OPEN": "<what the vendor shows>"}
    assert [one.title for one in page.parts] == ["see", "do=hold", "know"]


def test_a_block_is_executed_with_what_was_given_in_the_place_of_what_is_written() -> None:
    page = parse()

    def said(kind: str, name: str = "", **given: str) -> str:
        script = page.script(page.part(kind, name), given)
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.strip()

    assert said("see") == "first"
    assert said("see", NAME="a'b $(echo c)") == "a'b $(echo c)"
    assert said("do", "hold", OPEN="42") == "first is 42"


def test_a_block_ends_at_the_first_command_that_fails() -> None:
    page = parse(PAGE.replace("true", "false\ntrue"))
    assert subprocess.run(["bash", "-c", page.script(page.part("know"), {})], check=False).returncode == 1


def test_what_the_page_leaves_open_must_be_given() -> None:
    page = parse()
    with pytest.raises(HarnessError, match="leaves OPEN open"):
        page.script(page.part("do", "hold"), {})


def test_a_variable_that_the_page_does_not_set_means_that_the_drill_has_drifted() -> None:
    page = parse()
    with pytest.raises(HarnessError, match="sets no TENANT; the page and its drill have drifted"):
        page.script(page.part("see"), {"TENANT": "x"})


def test_a_block_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(HarnessError, match="has no block `sh do`; it has see, do=hold, know"):
        parse().part("do")


@each_row(
    ("old", "new", "complaint"),
    [
        ("sh know", "sh knows", "has a block `sh knows`"),
        ("sh know", "bash know", "has a block `bash know`"),
        ("sh know", "sh see", "two blocks `sh see`"),
        ("```sh know\ntrue\n```", "", "has no block `sh know`"),
        ("export NAME=first", "NAME=first", "sets its variables by `export NAME=value`"),
    ],
)
def test_what_is_wrong_in_a_page_is_said(old: str, new: str, complaint: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(complaint)):
        parse(PAGE.replace(old, new))


def test_a_page_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(HarnessError, match=r"the runbook nowhere\.md cannot be read: No such file"):
        runbooks.read(Path("nowhere.md"))


def test_every_alarm_has_its_page_and_every_page_its_alarm() -> None:
    named = {one.runbook for one in template.load(TEMPLATE, {}).alarms()}
    assert named == {f"docs/runbooks/{one.name}" for one in PAGES}


def test_the_index_names_every_alarm_and_links_every_page() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", index)) == {one.name for one in PAGES}
    for one in template.load(TEMPLATE, {}).alarms():
        short = one.alarm.name.removeprefix("golive-staging-")
        assert f"`{short}`" in index or f"`-{short.removeprefix('heartbeat-')}`" in index, short


@each_row("path", PAGES)
def test_a_page_says_everything_that_on_call_asks(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for wanted in (
        "**Symptoms.**",
        "## See it",
        "## Do",
        "## How you know that it worked",
        "## Undo",
        "## Whom to call",
    ):
        assert wanted in text, f"{path.name} lacks {wanted}"
    page = runbooks.read(path)
    alarms = [one.alarm.name for one in template.load(TEMPLATE, {}).alarms() if one.runbook.endswith(f"/{path.name}")]
    for part in (page.part("see"), page.part("know")):
        assert any(one.removeprefix("golive-staging-").partition("-")[0] in part.text for one in alarms)
    # It shows the state, whatever it is, and fails unless that is OK; `grep -x OK` said nothing at all.
    assert page.part("know").text.rstrip().endswith("""| awk '{print} END {exit $0 != "OK"}'""")
    asked = [line for part in page.parts for line in part.text.splitlines() if "psql " in line]
    assert all("-P pager=off" in line or "-Atc" in line for line in asked), "a pager swallows what is pasted after it"
    for link in re.findall(r"\]\(([^)h][^)]*\.md)\)", text):
        assert (path.parent / link).is_file(), f"{path.name} links {link}, which is not there"


@each_row("path", PAGES)
def test_a_page_uses_only_what_on_call_has(path: Path) -> None:
    """AWS's CLI, psql, and the pipeline's own commands."""
    for part in runbooks.read(path).parts:
        assert "golive " not in part.text
        for line in filter(None, part.text.splitlines()):
            first = line.split()[0]
            assert first in _WORDS, f"{path.name} begins a command with {first}"
            for command in re.findall(r"python (-\S+ \S+)", line):
                assert command.startswith(("-m reference_impl", "-c ")), f"{path.name} says python {command}"
            assert shlex.split(line, comments=False)
