"""Two pytest processes as two lanes over one small folder of scenarios: each is run once, by one of them."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.pytest_plugin import STACK_VARIABLE
from harness.stack.control import ControlServer
from harness.target import Target

LIMIT_S = 120
SCENARIOS = """
import pytest

@pytest.fixture
def travelling_pipeline():
    pass

@pytest.fixture
def monitored_pipeline():
    pass

@pytest.mark.scenario("R-90", proves=())
@pytest.mark.parametrize("number", range(6))
@pytest.mark.exclusive
def test_alone(number):
    assert number != 3, "this one is red"

@pytest.mark.scenario("R-91", proves=())
@pytest.mark.parametrize("number", range(3))
@pytest.mark.time_travel(day=1, days=1)
@pytest.mark.exclusive
def test_travels(travelling_pipeline, number):
    pass

@pytest.mark.scenario("R-92", proves=())
@pytest.mark.parametrize("number", range(3))
@pytest.mark.time_travel(day=1, days=1)
@pytest.mark.exclusive
def test_is_watched(monitored_pipeline, number):
    pass
"""


OTHERS = """
import pytest

@pytest.fixture(scope="module")
def of_this_file():
    yield

@pytest.mark.scenario("R-93", proves=())
@pytest.mark.parametrize("number", range(2))
@pytest.mark.exclusive
def test_others(of_this_file, number):
    pass
"""


class Owner:
    """In the place of the golive process: gives scenarios to lanes, and lets them meet before the first."""

    def __init__(self, folder: Path, *, lanes: int, taken: tuple[str, ...] = ()) -> None:
        self.claims: dict[str, str] = dict.fromkeys(taken, "another")
        self.asked: list[tuple[str, str]] = []
        self.finished: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._all_here = threading.Barrier(lanes)
        self._here: set[str] = set()
        operations = {
            "claim": self._claim,
            "provision": lambda _: None,
            "started": lambda _: None,
            "finished": lambda request: self.finished.append(request["result"]),
        }
        self.server = ControlServer(folder / "control", operations)
        target = Target.model_validate(
            {"name": "x", "base_url": "http://127.0.0.1:1", "tenants": {"provision": ["true"]}}
        )
        self.info = folder / "stack.json"
        self.info.write_text(
            json.dumps(
                {
                    "seed": 1,
                    "clock": {"origin_s": 0, "offset_s": 0},
                    "meta_url": "",
                    "control": str(folder / "control"),
                    "target": target.model_dump(),
                }
            )
        )

    def _claim(self, request: dict[str, Any]) -> bool:
        what, lane = request["what"], request["lane"]
        with self._lock:
            first = lane not in self._here
            self._here.add(lane)
        if first:
            self._all_here.wait(LIMIT_S)  # or a fast one would have run all before the other has collected
        with self._lock:
            self.asked.append((lane, what))
            return self.claims.setdefault(what, lane) == lane


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the scenarios in it."""
    (tmp_path / "test_small.py").write_text(SCENARIOS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --import-mode=importlib\n")
    return tmp_path


def lane(owner: Owner, folder: Path, name: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-P", "-m", "pytest", "-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "-q"]
    argv += ["-p", "harness.pytest_plugin", "-p", "no:cacheprovider", "--golive-lane", name, str(folder)]
    env = {**os.environ, STACK_VARIABLE: str(owner.info), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_each_scenario_is_run_once_and_each_clock_stays_in_one_lane(folder: Path) -> None:
    owner = Owner(folder, lanes=2)
    try:
        children = [lane(owner, folder, name) for name in ("1", "2")]
        told = [child.communicate(timeout=LIMIT_S)[0] for child in children]
    finally:
        owner.server.close()
    ran = Counter(one["nodeid"] for one in owner.finished)
    assert len(ran) == 12, told
    assert set(ran.values()) == {1}, "none twice"
    assert [one["nodeid"] for one in owner.finished if one["outcome"] == "failed"] == ["test_small.py::test_alone[3]"]
    assert sorted(child.returncode for child in children) == [0, 1], "red is the one that ran it"
    asked = {what for _, what in owner.asked}
    assert asked == {"travelling", "monitored", *(f"R-90[{number}]" for number in range(6))}


def test_a_file_that_cannot_be_read_ends_the_lane_before_it_takes_anything(folder: Path) -> None:
    (folder / "test_broken.py").write_text("import nothing_of_that_name")
    owner = Owner(folder, lanes=1)
    try:
        child = lane(owner, folder, "1")
        told, _ = child.communicate(timeout=LIMIT_S)
    finally:
        owner.server.close()
    assert child.returncode == 2, told
    assert owner.asked == [], "what was collected beside it must not look like all there is"


def test_what_another_lane_has_taken_is_no_reason_to_keep_a_file_set_up(folder: Path) -> None:
    """The last scenarios of a file are another lane's: it is torn down all the same before the next file's."""
    (folder / "test_others.py").write_text(OTHERS)
    (folder / "test_others_too.py").write_text(OTHERS.replace("R-93", "R-94"))
    owner = Owner(folder, lanes=1, taken=("R-93[1]", "R-90[5]", "travelling", "monitored"))
    try:
        child = lane(owner, folder, "1")
        told, _ = child.communicate(timeout=LIMIT_S)
    finally:
        owner.server.close()
    ran = {one["nodeid"]: one["outcome"] for one in owner.finished}
    assert [nodeid for nodeid, outcome in ran.items() if outcome != "passed"] == ["test_small.py::test_alone[3]"], told
    assert len(ran) == 8, "five of six, one of two, and two"
