"""What other tools have written of one commit, read for the QA gate: bounded, and never believed of another commit.

A folder holds them under these names, each of which may be absent:

    commit                        the commit that all of it was made from: `git rev-parse HEAD > qa/commit`
    junit.xml                     the test report: `pytest --junitxml`, contract tests among it
    coverage.xml, coverage.json   `coverage xml`, `coverage json`
    *.sarif                       a code scan; it names its own commit (versionControlProvenance), or `commit` does
    import-contracts.txt          what `lint-imports` printed
    docs/                         the documentation, or a link to it
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from harness.errors import UsageError
from harness.readiness.evidence import Found
from harness.records import RowState

SIZE_LIMIT = 50_000_000
TESTS_OF_THE_PLAN = 73
COVERAGE_OF_THE_PLAN = 85.0

_HEX = re.compile(r"[0-9a-f]{7,40}$")
_CONTRACTS = re.compile(r"Contracts: (\d+) kept, (\d+) broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the folder knows of the plan's rows, and what is no failure but worth a word."""

    found: tuple[Found, ...]
    concerns: tuple[str, ...]


class _Unreadable(Exception):
    """A file is not what its name says."""


def same_commit(one: str, other: str) -> bool:
    """Whether two names mean one commit; a tree with changes is no commit, and fewer than 7 digits say nothing."""
    one, other = one.strip().casefold(), other.strip().casefold()
    short, long = sorted((one, other), key=len)
    return bool(_HEX.match(short) and _HEX.match(long)) and long.startswith(short)


def read(folder: Path, commit: str) -> Sources:
    """Read all that is there. `commit` is the one that is to be launched.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}. `golive readiness --help` says what belongs into one for --qa.")
    given = _commit_of(folder)
    found: list[Found] = []
    concerns: list[str] = []
    readers: tuple[tuple[str, str, Callable[[str], tuple[RowState, str]]], ...] = (
        ("junit.xml", "011.3/unit-tests", _tests),
        ("junit.xml", "pipeline/contract-tests", _contract_tests),
        ("coverage.xml", "011.3/coverage", _coverage_xml),
        ("coverage.json", "011.3/coverage", _coverage_json),
        ("import-contracts.txt", "011.3/di", _contracts),
    )
    for name, row, reader in readers:
        if (folder / name).exists():
            found.append(_judged(folder / name, row, given, commit, reader))
    for path in sorted(folder.glob("*.sarif"))[:20]:
        found.append(_scan(path, given, commit, concerns))
    if (folder / "docs").is_dir():
        state, said = _documentation(folder / "docs")
        found.append(Found(row="011.3/documentation", state=state, evidence=said))
    return Sources(found=tuple(found), concerns=tuple(concerns))


def _commit_of(folder: Path) -> str:
    try:
        return _text(folder / "commit").strip()
    except _Unreadable:
        return ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _Unreadable(error.strerror or "it cannot be read") from None
    if len(content) > SIZE_LIMIT:
        raise _Unreadable(f"it has more than {SIZE_LIMIT:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable("it is not UTF-8 text") from None


def _other_commit(given: str, wanted: str) -> str:
    """Why what was made from `given` says nothing of `wanted`; empty: it is the same."""
    if not given:
        return "nothing says of which commit it is: `git rev-parse HEAD > commit` beside it does"
    return "" if same_commit(given, wanted) else f"it is of commit {given[:12]}, and {wanted[:18]} is to be judged"


def _judged(path: Path, row: str, given: str, wanted: str, reader: Callable[[str], tuple[RowState, str]]) -> Found:
    other = _other_commit(given, wanted)
    if other:
        return Found(row=row, state=RowState.NOT_OBSERVED, evidence=f"{path}: {other}.")
    try:
        state, said = reader(_text(path))
    except (_Unreadable, ET.ParseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Found(row=row, state=RowState.NOT_OBSERVED, evidence=f"{path} cannot be read: {error}.")
    return Found(row=row, state=state, evidence=f"{path}: {said}.")


# -- one reader for each kind of file ------------------------------------------------------------------------------


def _xml(text: str) -> ET.Element:
    if "<!DOCTYPE" in text and "<!ENTITY" in text:
        raise _Unreadable("it declares entities")  # which can grow without bound
    return ET.fromstring(text)  # noqa: S314 -- entities are refused above, the size is bounded


def _tests(text: str) -> tuple[RowState, str]:
    root = _xml(text)
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    tests, bad, skipped = 0, 0, 0
    for one in suites:
        tests += int(one.attrib["tests"])
        bad += int(one.attrib["failures"]) + int(one.attrib["errors"])
        skipped += int(one.attrib.get("skipped", "0"))
    ran = tests - skipped
    said = f"{ran} tests ran, {bad} failed, {skipped} were skipped"
    if not ran:
        return RowState.NOT_OBSERVED, said
    if bad or ran < TESTS_OF_THE_PLAN:
        return RowState.NOT_MET, f"{said}; the plan has {TESTS_OF_THE_PLAN}, all passing"
    return RowState.MET, said


def _contract_tests(text: str) -> tuple[RowState, str]:
    """Those with `contract` in the name of their class or file."""
    cases = [
        one
        for one in _xml(text).iter("testcase")
        if "contract" in f"{one.get('classname', '')} {one.get('file', '')}".casefold()
    ]
    bad = sum(one.find("failure") is not None or one.find("error") is not None for one in cases)
    ran = sum(one.find("skipped") is None for one in cases)
    said = f"{ran} contract tests ran, {bad} failed (those with `contract` in the name of their class or file)"
    if not ran:
        return RowState.NOT_OBSERVED, said
    return (RowState.NOT_MET if bad else RowState.MET), said


def _coverage_xml(text: str) -> tuple[RowState, str]:
    root = _xml(text)
    valid, covered = int(root.attrib["lines-valid"]), int(root.attrib["lines-covered"])
    return _coverage(covered, valid)


def _coverage_json(text: str) -> tuple[RowState, str]:
    totals = json.loads(text)["totals"]
    return _coverage(int(totals["covered_lines"]), int(totals["num_statements"]))


def _coverage(covered: int, valid: int) -> tuple[RowState, str]:
    if valid <= 0 or not 0 <= covered <= valid:
        return RowState.NOT_OBSERVED, f"{covered} of {valid} lines is no coverage"
    percent = 100 * covered / valid
    state = RowState.MET if percent > COVERAGE_OF_THE_PLAN else RowState.NOT_MET
    # Cut, not rounded: 84.9996 % must not be told as 85.00 %.
    said = f"{int(percent * 100) / 100:.2f} % of {valid:,} lines, target over {COVERAGE_OF_THE_PLAN:g} %"
    return state, said


def _contracts(text: str) -> tuple[RowState, str]:
    found = _CONTRACTS.findall(text)
    if not found:
        raise _Unreadable("the line “Contracts: … kept, … broken.” of lint-imports is not in it")
    kept, broken = map(int, found[-1])
    if not kept and not broken:
        return RowState.NOT_OBSERVED, "there is no import contract"
    return (RowState.NOT_MET if broken else RowState.MET), f"{kept} import contracts kept, {broken} broken"


def _scan(path: Path, given: str, wanted: str, concerns: list[str]) -> Found:
    try:
        log = json.loads(_text(path))
        runs = log["runs"]
        named = {one["revisionId"] for run in runs for one in run.get("versionControlProvenance", [])}
        levels = [level for run in runs for level in _levels(run)]
    except (_Unreadable, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Found(row="011.3/scan", state=RowState.NOT_OBSERVED, evidence=f"{path} is no SARIF file: {error}.")
    for name in named or {given}:
        other = _other_commit(str(name), wanted)
        if other:
            return Found(row="011.3/scan", state=RowState.NOT_OBSERVED, evidence=f"{path}: {other}.")
    if not runs:
        return Found(row="011.3/scan", state=RowState.NOT_OBSERVED, evidence=f"{path}: no scan ran.")
    errors, warnings = levels.count("error"), levels.count("warning")
    if warnings and not errors:
        concerns.append(f"the code scan has {warnings} warnings ({path})")
    state = RowState.NOT_MET if errors else RowState.MET
    return Found(row="011.3/scan", state=state, evidence=f"{path}: {errors} errors, {warnings} warnings.")


def _levels(run: Mapping[str, Any]) -> Iterator[str]:
    """The level of each result that nobody has suppressed; SARIF's default comes from its rule, else `warning`."""
    driver = run["tool"]["driver"]
    rules = {one["id"]: one.get("defaultConfiguration", {}).get("level", "warning") for one in driver.get("rules", [])}
    for one in run.get("results", []):
        if one.get("kind", "fail") == "fail" and not one.get("suppressions"):
            yield one.get("level") or rules.get(one.get("ruleId"), "warning")


def _documentation(folder: Path) -> tuple[RowState, str]:
    pages = [path for path in sorted(folder.rglob("*.md"))[:2_000] if path.is_file() and path.stat().st_size > 200]
    runbooks = [path for path in pages if "runbook" in str(path.relative_to(folder)).casefold()]
    said = f"{folder}: {len(pages)} pages, {len(runbooks)} of them runbooks"
    if not runbooks or len(pages) == len(runbooks):
        return RowState.NOT_MET, f"{said}; wanted are pages of the phases and a runbook (`runbook` in its name)."
    return RowState.MET, f"{said}."
