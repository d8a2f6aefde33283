"""What a target file lets golive see, read from the scenarios' own words."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import harness.testing
from harness.readiness import observable
from harness.readiness.observable import Variant, has, needs_of, view, what_to_add
from harness.target import Paths, Probes, Target
from tests.rows import each_row

ROOT = Path(__file__).parents[3]
NEEDS = needs_of(ROOT / "scenarios")


def target(**more: Any) -> Target:
    return Target.model_validate(
        {"name": "t", "base_url": "http://127.0.0.1:1", "tenants": {"provision": ["x"]}, **more}
    )


REFERENCE = Target.load(ROOT / "reference_impl" / "target.toml")


def test_the_reference_lets_everything_be_seen() -> None:
    """Its file is the whole one: were something lacking there, a need would be misread."""
    lacking = {name: [need for need in needs if not has(REFERENCE, need)] for name, needs in NEEDS.items()}
    assert {name: some for name, some in lacking.items() if some} == {}


@each_row(
    ("scenario", "needs"),
    [
        ("G-01", set()),
        ("P-01", {"probes.database_url"}),
        ("S-02", {"paths.click", "probes.match_method", "probes.database_url"}),
        ("G-09", {"actions.event_id"}),
        ("D-04", {"actions.set_meta_token"}),
    ],
)
def test_a_scenarios_words_are_its_needs(scenario: str, needs: set[str]) -> None:
    assert needs <= NEEDS[scenario]
    assert needs or not NEEDS[scenario]


def test_every_need_is_known_and_can_be_added() -> None:
    """No need that no target file could meet, and none without a line that says how."""
    for need in {need for needs in NEEDS.values() for need in needs}:
        assert what_to_add(need)
        has(target(), need)


def test_every_word_that_can_leave_a_scenario_out_is_read() -> None:
    """Whoever adds a `not_declared(...)` to harness.testing says in observable.py by which word scenarios reach it."""
    told = {*observable._WORDS, *observable._TOLD, "fault", "run"}
    for path in Path(next(iter(harness.testing.__path__))).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]:
            calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
            leaves_out = any(getattr(one.func, "id", "") == "not_declared" for one in calls)
            if leaves_out and not function.name.startswith("_"):
                known = function.name in told or function.name in {"travelling_info", "not_declared"}
                assert known, f"{path.name}: {function.name}"


@each_row("name", [*Probes.model_fields])
def test_a_probe_that_is_named_is_had(name: str) -> None:
    value: Any = ["public.t"] if name == "may_hold_secrets" else "x"
    assert not has(target(), f"probes.{name}")
    assert has(target(probes={name: value, "aws_url": "http://a"}), f"probes.{name}")


def test_paths_actions_keeps_and_roles() -> None:
    assert [has(target(), f"paths.{name}") for name in ("click", "dashboard")] == [False, False]
    assert has(target(paths={**Paths().model_dump(), "click": "/c/{tenant}"}), "paths.click")
    assert has(target(actions={"redrive": ["x"]}), "actions.redrive")
    assert has(target(keeps={"hashes_days": 3}), "keeps.hashes_days")
    assert has(target(start={"web": ["x"]}), "start.web")
    assert not has(target(start={"web": ["x"]}), "start.consumer")
    assert not has(target(start={"web": ["x"]}), "own.clock"), "one port for two instances"
    assert has(target(base_url="http://127.0.0.1:${port}", start={"web": ["x"]}), "own.clock")
    assert not has(target(base_url="http://127.0.0.1:${port}", start={"web": ["x"]}, meta_port=8790), "own.clock")


def test_a_row_is_whole_only_if_all_that_proves_it_can_run() -> None:
    can = Variant(key="A", suite="s", rows=frozenset({"1", "2"}), needs=frozenset())
    cannot = Variant(key="B", suite="s", rows=frozenset({"2", "3"}), needs=frozenset({"probes.queue"}))
    seen = view([can, cannot], target())
    assert (seen.whole, seen.part, seen.none) == ({"1"}, {"2"}, {"3"})
    assert seen.unseen == {"B": ("probes.queue",)}


def test_what_a_page_promises_is_a_need() -> None:
    """docs/bring-your-own.md names probes; each is one that scenarios look at."""
    page = (ROOT / "docs" / "bring-your-own.md").read_text(encoding="utf-8")
    for name in re.findall(r"^(conversions|breaker|match_method) =", page, re.MULTILINE):
        assert any(f"probes.{name}" in needs for needs in NEEDS.values())
