"""Over all saboteurs: each still finds what it wants to break, claims what there is, and stands in the docs."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.cli.cmd_list import collected
from harness.cli.cmd_prove import DOCS, page
from harness.runs.saboteurs import registry, unknown_claims
from harness.runs.scenario_runner import scenarios_home
from scenarios.saboteurs import _patching

ROOT = Path(__file__).parents[2]
ALL = registry(scenarios_home() / "saboteurs")

EACH_IN_A_CHILD = """
import importlib, os, sys
from scenarios.saboteurs._patching import load_reference
load_reference()
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            importlib.import_module("scenarios.saboteurs." + name.replace("-", "_")).patch()
        except BaseException as error:
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 40


def test_each_finds_what_it_wants_to_break() -> None:
    """A refactoring of the reference must not disarm a saboteur in silence."""
    command = [sys.executable, "-c", EACH_IN_A_CHILD, *(one.name for one in ALL)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == ""


def test_each_claims_scenarios_that_there_are() -> None:
    assert unknown_claims(ALL, (one["key"] for one in collected())) == []


def test_the_docs_hold_the_registry() -> None:
    """`make docs-saboteurs` writes it."""
    text = (ROOT / DOCS).read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE) == [one.name for one in ALL]
    assert text == page(ALL)


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    start = ["-c", code, *arguments] if code else ["-m", "scenarios.saboteurs", *arguments]
    return subprocess.run([sys.executable, *start], capture_output=True, text=True, check=False, cwd=ROOT)


def test_an_unknown_name_ends_with_a_sentence() -> None:
    done = run("nobody", "--", "event-id")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no saboteur 'nobody'" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_gone_ends_the_process_before_it_starts() -> None:
    """The reference without the attribute: exit 3, and the name of what was looked for."""
    code = (
        "import sys, reference_impl.domain.door as door; del door.stricter\n"
        "import types; sys.modules['reference_impl.db.tenants'] = types.ModuleType('reference_impl.db.tenants')\n"
        "from scenarios.saboteurs import __main__ as front\n"
        "front.load_reference = lambda: None\n"
        "sys.argv = ['saboteurs', 'flag-ignored', '--', 'web']; sys.exit(front.main())"
    )
    done = run(code=code)
    assert done.returncode == 3, done.stderr
    assert "flag-ignored is disarmed" in done.stderr
    assert "reference_impl.domain.door has no 'stricter'" in done.stderr


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Two modules of a reference: one defines, the other has imported by name."""
    home, user = ModuleType("reference_impl.planted"), ModuleType("reference_impl.planted_user")
    home.answer, home.LIMIT = lambda: 1, 100  # type: ignore[attr-defined]
    user.renamed, user.LIMIT, user.other = home.answer, home.LIMIT, 100  # type: ignore[attr-defined]
    for one in (home, user):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    return home


def test_swap_reaches_whoever_imported_the_name(module: ModuleType) -> None:
    _patching.swap(module, "answer", lambda old: lambda: old() + 1)
    user = sys.modules["reference_impl.planted_user"]
    assert (module.answer(), user.renamed()) == (2, 2)  # type: ignore[attr-defined]


def test_swap_replaces_a_constant_by_name_only(module: ModuleType) -> None:
    _patching.swap(module, "LIMIT", lambda old: old + 1)
    user = sys.modules["reference_impl.planted_user"]
    assert (module.LIMIT, user.LIMIT, user.other) == (101, 101, 100)  # type: ignore[attr-defined]


def test_what_is_not_there_is_said_loudly(module: ModuleType) -> None:
    with pytest.raises(_patching.Gone, match="has no 'question'"):
        _patching.swap(module, "question", lambda _: None)
    with pytest.raises(_patching.Gone, match="does not hold"):
        _patching.rewrite(module, "LIMIT", "WHERE", "", used_by="answer")
    with pytest.raises(_patching.Gone, match="table has no entry"):
        _patching.entry({}, "key", lambda _: None, where="table")


def test_a_bite_is_one_line_for_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_patching.BITES, str(tmp_path / "bites"))
    monkeypatch.setattr(_patching, "_bitten", [])
    broken = _patching.returning(7)(None)
    assert not (tmp_path / "bites").exists()
    assert (broken(), broken("x")) == (7, 7)
    lines = (tmp_path / "bites").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [str(os.getpid())]


def test_each_module_has_a_patch_that_says_what_it_does() -> None:
    for one in ALL:
        patch = importlib.import_module(f"scenarios.saboteurs.{one.name.replace('-', '_')}").patch
        assert patch.__doc__, one.name
