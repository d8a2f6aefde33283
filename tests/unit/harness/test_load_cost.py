"""What a load run costs is counted between begin and end, by part, children and all."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.load_cost import CostMeter
from harness.stack.processes import Child, Nursery
from harness.waiting import wait_until

#: Burns CPU until it is ended.
BURN = """
hold = bytearray(40_000_000)
while True:
    sum(range(1000))
"""


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery(lambda _: None)
    yield made
    made.stop_all()


def burner(nursery: Nursery, name: str, owner: str, folder: Path) -> Child:
    return nursery.start(name, [sys.executable, "-c", BURN], owner=owner, env={}, log=folder / "log")


def used(nursery: Nursery, name: str) -> float:
    import psutil

    times = psutil.Process(nursery.get(name).pid).cpu_times()
    return times.user + times.system


def test_cpu_and_memory_are_told_for_each_part_and_each_thousand(nursery: Nursery, tmp_path: Path) -> None:
    burner(nursery, "web", "target", tmp_path)
    wait_until(lambda: used(nursery, "web"), lambda s: s > 0.2, goal="the target has burnt before it", within_s=30)
    meter = CostMeter(nursery)
    meter.begin()
    before_s = used(nursery, "web")
    wait_until(lambda: used(nursery, "web"), lambda s: s > before_s + 0.3, goal="the target burns", within_s=30)
    meter.end()
    cost = meter.cost(500)
    assert cost is not None
    by_name = {one.name: one for one in cost.parts}
    assert set(by_name) == {"target", "golive"}
    assert 0.3 <= by_name["target"].cpu_s <= used(nursery, "web") - 0.15, "what was burnt before is not part of it"
    assert by_name["target"].cpu_s_per_1000 == pytest.approx(2 * by_name["target"].cpu_s, abs=0.002)
    assert by_name["target"].peak_memory_mb > 40
    assert cost.golive_percent is not None
    assert 0 <= cost.golive_percent < 100


def test_what_is_used_outside_of_begin_and_end_is_nobodys(nursery: Nursery, tmp_path: Path) -> None:
    burner(nursery, "web", "target", tmp_path)
    meter = CostMeter(nursery)
    meter.begin()
    meter.end()
    first = meter.cost(1000)
    now_s = used(nursery, "web")
    wait_until(lambda: used(nursery, "web"), lambda s: s > now_s + 0.3, goal="the target burns", within_s=30)
    meter.look()
    meter.end()
    assert meter.cost(1000) == first


def test_the_generator_is_apart_from_golives_share(nursery: Nursery, tmp_path: Path) -> None:
    """Were it counted, golive's share would fall with every generator that is added."""
    for name, owner in (("web", "target"), ("load generator 0", "harness"), ("fake meta", "harness")):
        burner(nursery, name, owner, tmp_path)
    meter = CostMeter(nursery)
    meter.begin()
    begun = {name: used(nursery, name) for name in ("web", "load generator 0", "fake meta")}
    for name, began_s in begun.items():
        wait_until(
            lambda name=name: used(nursery, name),
            lambda s, began_s=began_s: s > began_s + 0.3,
            goal=f"{name} burns",
            within_s=30,
        )
    meter.end()
    cost = meter.cost(1000)
    assert cost is not None
    spent = {one.name: one.cpu_s for one in cost.parts}
    own_s = spent["golive"] + spent["fakes"]
    assert cost.golive_percent == pytest.approx(100 * own_s / (own_s + spent["target"]), abs=0.2)
    assert spent["generator"] > 0.2


def test_without_processes_of_the_target_there_is_no_cost(nursery: Nursery) -> None:
    """A target that already runs elsewhere cannot be looked at, and a share of the rest would be a lie."""
    meter = CostMeter(nursery)
    meter.begin()
    meter.end()
    assert meter.cost(1000) is None


def test_nothing_sent_is_no_cost(nursery: Nursery, tmp_path: Path) -> None:
    burner(nursery, "web", "target", tmp_path)
    meter = CostMeter(nursery)
    meter.begin()
    meter.end()
    assert meter.cost(0) is None


def test_what_runs_in_containers_is_left_out_and_not_told_as_nothing(nursery: Nursery, tmp_path: Path) -> None:
    """What stands for a container here uses nothing; a database that costs 0 s would be a number nobody measured."""
    for name, owner in (("web", "target"), ("postgres", "harness"), ("aws", "harness")):
        burner(nursery, name, owner, tmp_path)
    meters = [CostMeter(nursery, in_sight=in_sight) for in_sight in (True, False)]
    for meter in meters:
        meter.begin()
    before_s = used(nursery, "web")
    wait_until(lambda: used(nursery, "web"), lambda s: s > before_s + 0.1, goal="the target burns", within_s=30)
    for meter in meters:
        meter.end()
    here, there = (meter.cost(100) for meter in meters)
    assert here is not None
    assert there is not None
    assert {one.name for one in here.parts} - {one.name for one in there.parts} == {"database", "AWS stand-in"}
    assert here.golive_percent is not None
    assert there.golive_percent is None
