"""Every block of every runbook is executed once, as it stands there, against a pipeline that is well.

In the very condition that they are for, blocks are executed by the drills: tests/integration/test_golive_drill.py.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import runbooks
from harness.clock import RunClock
from harness.runbooks import Part
from harness.stack.monitoring import MonitoredStack
from harness.stack.processes import Death
from harness.target import Target
from harness.tenants import make_tenant

pytestmark = pytest.mark.nightly

HOME = Path(__file__).parents[2]
PAGES = [runbooks.read(one) for one in sorted((HOME / "docs" / "runbooks").glob("*.md")) if one.name != "README.md"]
BLOCKS = [pytest.param(page, part, id=f"{page.path.stem}-{part.title}") for page in PAGES for part in page.parts]
MINUTES = 4
"""A heartbeat's alarm wants three."""

#: What a page leaves open, and how processes are started where there is no systemd.
GIVEN = {
    "NEW_TOKEN": "EAAanewtokenforthisverytenant",
    "NEW_SECRET": "a-new-secret-of-the-vendors",
    "APPLICATION": "somebody-else",
    "RESTART": "true",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredStack]:
    """The reference with its alarms, some minutes old, with the tenant that the pages name."""
    target = Target.load(HOME / "reference_impl" / "target.toml")
    logs, deaths = tmp_path_factory.mktemp("logs"), list[Death]()
    running = MonitoredStack(target, clock=RunClock.starting_now(), seed=1, logs=logs, on_death=deaths.append)
    try:
        running.start()
        first = make_tenant(1, "runbooks", dialect="vendor", supported=target.gateways)
        running.provision([replace(first, tenant="first")])
        next_s = running.begin()["next_s"]
        for _ in range(MINUTES):
            running.travel(next_s)
            running.minute(())
            next_s += 60
        yield running
    finally:
        running.stop()
    assert deaths == []


@pytest.mark.parametrize(("page", "part"), BLOCKS)
def test_every_command_of_every_page_works(stack: MonitoredStack, page: runbooks.Runbook, part: Part) -> None:
    given = {name: value for name, value in GIVEN.items() if name in page.variables}
    done = stack.shell(page.script(part, given))
    assert done["code"] == 0, done["said"]
    if part.kind == "see":
        assert re.search(r"golive-staging-\S+\s+(OK|INSUFFICIENT_DATA)\s", done["said"]), done["said"]
    if part.kind == "know":
        assert done["said"].rstrip().endswith("OK"), done["said"]


def test_the_pages_processes_see_the_pipelines_time(stack: MonitoredStack) -> None:
    """Else a page's `10 minutes ago` would be years away from what the pipeline has told."""
    said = stack.shell(f"{sys.executable} -c 'import time; print(time.time())'")["said"]
    assert float(said) == pytest.approx(stack.travelling.now_s(), abs=30)


def test_a_block_that_hangs_is_ended(stack: MonitoredStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it has started."""
    monkeypatch.setattr("harness.stack.stack.COMMAND_LIMIT_S", 1)
    assert stack.shell("echo begun; sleep 600 & wait") == {"code": 124, "said": "begun\n"}
