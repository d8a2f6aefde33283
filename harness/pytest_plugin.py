"""The pytest side of a run: what a scenario is, which tenants it has, and what is told of it.

In a `golive run` the plugin finds the stack by the file named in `GOLIVE_STACK`. The process that pytest was
started in (never an xdist worker) reports every scenario to the owner of the stack as it ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import samples
from harness.errors import HarnessError
from harness.readiness.rows import expand
from harness.sharding import Shard
from harness.target import Target
from harness.tenants import Tenant, make_tenant
from harness.testing import Model, ModelOptions, Pipeline, StackInfo, TravellingPipeline
from harness.testing.answers import not_declared
from harness.testing.travelling import Period, travelling_info

STACK_VARIABLE = "GOLIVE_STACK"

_STEP = re.compile(r"^(Given|When|Then)\s+(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `golive` itself asks of pytest."""
    parser.addoption("--golive-list", action="store_true", help="print every collected scenario as a JSON line")
    parser.addoption("--golive-lane", help="run only what no other lane has taken; the name of this one")
    parser.addoption("--golive-gateways", default="", help="with --golive-list: the gateways of a target, as JSON")
    parser.addoption("--golive-shard", default="", help="only this part of the scenarios, like 2/3")
    told = ModelOptions()
    parser.addoption("--model-examples", type=int, default=told.examples, help="stories that the model draws")
    parser.addoption("--model-steps", type=int, default=told.steps, help="the most steps of one story")
    parser.addoption("--model-found", type=Path, help="where a story that breaks a promise is kept")
    parser.addoption("--model-replay", type=Path, action="append", default=[], help="a story to be told again")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks that scenarios carry."""
    config.addinivalue_line("markers", "scenario(id, proves, tenants=1): a promise, and the plan's rows that it proves")
    config.addinivalue_line(
        "markers",
        "each_gateway(only=(), dialects=None, rather=None, can=()): run once for each gateway and dialect that the "
        "target speaks; with `rather` once for each gateway, in that dialect or its first; `can`: if it can tell that",
    )
    config.addinivalue_line(
        "markers",
        "any_gateway(like, dialect=None, can=()): any gateway will do; run for the liked ones that the target speaks "
        "in that dialect, and where it speaks none, once for another that can tell what is needed",
    )
    config.addinivalue_line(
        "markers", "exclusive: breaks a part that others share; runs alone on its stack, in a second pass"
    )
    config.addinivalue_line(
        "markers",
        "time_travel(day, days): uses `travelling_pipeline` or `monitored_pipeline`, on these days of its calendar "
        "(1: the day after the run's origin); needs `exclusive`, for there is one clock",
    )
    path = os.environ.get(STACK_VARIABLE)
    config.stash[_INFO] = StackInfo.read(Path(path)) if path else None


_INFO = pytest.StashKey[StackInfo | None]()
_RED = pytest.StashKey[bool]()
"""Of a scenario: it has failed, and what it used may be in any state."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spread a scenario over the gateways and dialects that the target speaks."""
    if "story" in metafunc.fixturenames:
        stories = metafunc.config.getoption("--model-replay") or sorted(
            (Path(str(metafunc.definition.path)).parent / "found").glob("*.toml")
        )
        metafunc.parametrize("story", stories, ids=[path.stem for path in stories])
    if (pairs := _variants(metafunc)) is None:
        return
    ids = [f"{name}-{dialect}" for name, dialect in pairs]
    # A target that speaks none of these gateways: one variant without a gateway. It is left out below, or where any
    # gateway would have done, says that there is none.
    metafunc.parametrize("_variant", [*pairs] or [None], ids=ids or ["none"], indirect=True)


def _variants(metafunc: pytest.Metafunc) -> list[samples.Spoken] | None:
    spoken = _spoken(metafunc.config)
    if (mark := metafunc.definition.get_closest_marker("any_gateway")) is not None:
        return samples.choose(samples.pairs(spoken), **mark.kwargs)
    if (mark := metafunc.definition.get_closest_marker("each_gateway")) is None:
        return None
    only, dialects = mark.kwargs.get("only") or tuple(spoken), mark.kwargs.get("dialects")
    pairs = samples.pairs(spoken, rather=mark.kwargs.get("rather"))
    return [
        (name, dialect)
        for name, dialect in samples.able(pairs, mark.kwargs.get("can", ()))
        if name in only and (dialects is None or dialect in dialects)
    ]


def _none_will_do(request: pytest.FixtureRequest, variant: samples.Spoken | None) -> None:
    """Where any gateway would have done, and the target speaks none that can what is needed: say so."""
    mark = request.node.get_closest_marker("any_gateway")
    if mark is not None and variant is None:
        not_declared(samples.lacking(mark.kwargs.get("can", ())))


def _spoken(config: pytest.Config) -> Mapping[str, Sequence[str]]:
    info = config.stash[_INFO]
    if info:
        return info.target.gateways
    if named := config.getoption("--golive-gateways"):
        told: dict[str, list[str]] = json.loads(named)
        return told
    default: dict[str, list[str]] = Target.model_fields["gateways"].get_default(call_default_factory=True)
    return default


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the target's gateways have no part in, and what another shard looks at."""
    shard = Shard.parse(text) if (text := config.getoption("--golive-shard")) else None
    out = [
        item
        for item in items
        if (item.get_closest_marker("each_gateway") and variant_of(item) is None)
        or (shard and not shard.holds(scenario_key(item)))
    ]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
    # The clock only goes forward: who travels comes last, in the order of their days.
    items.sort(key=lambda item: period.day if (period := period_of(item)) else 0)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k 'S-07[hotmart-plan]'` choose a scenario by the name that reports call it."""
    if item.get_closest_marker("scenario"):
        item.extra_keyword_matches.add(scenario_key(item))


def scenario_key(item: pytest.Item) -> str:
    """`S-07[hotmart-plan]`: names a scenario and its variant, and nothing of the machine."""
    mark = item.get_closest_marker("scenario")
    if mark is None:
        raise pytest.UsageError(f"{item.nodeid} has no @pytest.mark.scenario(id, proves=…)")
    bracket = item.name.partition("[")[2]
    return f"{mark.args[0]}[{bracket}" if bracket else str(mark.args[0])


def variant_of(item: pytest.Item) -> tuple[str, str] | None:
    """The gateway and dialect that this item is for."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("_variant") if callspec else None


def period_of(item: pytest.Item) -> Period | None:
    """The days that a scenario takes on the travelling instance; None: it does not travel."""
    mark = item.get_closest_marker("time_travel")
    return Period(day=mark.kwargs["day"], days=mark.kwargs["days"]) if mark else None


def tenants_of(item: pytest.Item, info: StackInfo) -> list[Tenant]:
    """The tenants that a scenario will use."""
    mark = item.get_closest_marker("scenario")
    count = mark.kwargs.get("tenants", 1) if mark else 1
    variant = variant_of(item)
    dialect = variant[1] if variant else "vendor"
    key = scenario_key(item)
    return [
        make_tenant(info.seed, f"{key}/{number}", dialect=dialect, supported=info.target.gateways)
        for number in range(count)
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have every tenant of every chosen scenario made at once: one command, however many there are."""
    for item in session.items:
        _check_claims(item)
    if session.config.getoption("--golive-list"):
        for item in session.items:
            print(json.dumps(describe(item), ensure_ascii=False))  # noqa: T201 -- `golive list` reads it
        return
    info = session.config.stash[_INFO]
    is_xdist_controller = session.config.pluginmanager.hasplugin("dsession")
    if info is None or is_xdist_controller or session.config.option.collectonly:
        return
    here = [item for item in session.items if period_of(item) is None]
    tenants = [tenant.to_json() for item in here for tenant in tenants_of(item, info)]
    if tenants:
        info.control.call("provision", tenants=tenants)


def _check_claims(item: pytest.Item) -> None:
    """A claim on a row that is not there ends the run before its first scenario, not at its report."""
    told = describe(item)
    try:
        for claim in told["proves"]:
            expand(claim, told["gateway"])
    except HarnessError as error:
        raise pytest.UsageError(f"{told['key']}: {error}") from None


@pytest.fixture
def _variant(request: pytest.FixtureRequest) -> tuple[str, str] | None:
    return getattr(request, "param", None)


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, _variant: tuple[str, str] | None) -> Iterator[Pipeline]:
    """The running target, as this scenario's own tenant sees it."""
    info = request.config.stash[_INFO]
    if info is None:
        pytest.fail("scenarios need a stack: run them with `golive run`")
    _none_will_do(request, _variant)
    item = request.node
    running = Pipeline(
        info,
        tenants_of(item, info),
        scenario=scenario_key(item),
        gateway=_variant[0] if _variant else None,
        alone=item.get_closest_marker("exclusive") is not None,
    )
    yield running
    running.close()


@pytest.fixture
def travelling_pipeline(
    request: pytest.FixtureRequest, _variant: tuple[str, str] | None
) -> Iterator[TravellingPipeline]:
    """The target on its second instance, whose clock jumps, on the first of the days that the mark names."""
    yield from _travelling(request, _variant, instance="travelling")


@pytest.fixture
def monitored_pipeline(
    request: pytest.FixtureRequest, _variant: tuple[str, str] | None
) -> Iterator[TravellingPipeline]:
    """The target on the instance that has its alarms; see `harness.testing.Alarms`. Its clock jumps, too."""
    for running in _travelling(request, _variant, instance="monitored"):
        try:
            yield running
        finally:  # what a red scenario leaves broken would page in the next one
            running.meta.disarm()
            running.target.restore()


def _travelling(
    request: pytest.FixtureRequest, variant: tuple[str, str] | None, *, instance: str
) -> Iterator[TravellingPipeline]:
    info, item = request.config.stash[_INFO], request.node
    if info is None:
        pytest.fail("scenarios need a stack: run them with `golive run`")
    _none_will_do(request, variant)
    period = period_of(item)
    if period is None or item.get_closest_marker("exclusive") is None:
        raise HarnessError(f"{item.nodeid} travels without its marks: exclusive and time_travel(day=…, days=…)")
    there = travelling_info(info, instance)
    fixture = f"{instance}_pipeline"
    travellers = [
        one for one in request.session.items if period_of(one) and fixture in getattr(one, "fixturenames", ())
    ]
    there.control.call("provision", tenants=[one.to_json() for each in travellers for one in tenants_of(each, there)])
    gateway = variant[0] if variant else None
    running = TravellingPipeline(
        there, tenants_of(item, there), scenario=scenario_key(item), gateway=gateway, period=period
    )
    yield running
    running.close()
    if item.stash.get(_RED, False):
        info.control.call("retire", instance=instance)


@pytest.fixture
def model(request: pytest.FixtureRequest, pipeline: Pipeline) -> Model:
    """The model of the pipeline, with what the command line says about it."""
    option = request.config.getoption
    options = ModelOptions(
        examples=option("--model-examples"),
        steps=option("--model-steps"),
        found=option("--model-found"),
        replay=tuple(option("--model-replay")),
    )
    return Model(pipeline, options)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In a lane: run what no other lane has taken. Who shares a clock that jumps stays together."""
    lane, info = session.config.getoption("--golive-lane"), session.config.stash[_INFO]
    if lane is None or info is None:
        return None
    if session.testsfailed:
        raise session.Interrupted("a file of scenarios could not be read")
    for item in session.items:
        what = _company(item) if period_of(item) else scenario_key(item)
        if info.control.call("claim", what=what, lane=lane):
            # Nobody knows who comes next, so everything is torn down each time.
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return True


def _company(item: pytest.Item) -> str:
    """Which travelling instance a scenario is on: those of one have one clock."""
    return "monitored" if "monitored_pipeline" in getattr(item, "fixturenames", ()) else "travelling"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """After the scenario's own words: nothing may be on its way, and the ledger must close."""
    used = getattr(item, "funcargs", {})
    names = ("pipeline", "travelling_pipeline", "monitored_pipeline")
    pipeline: Pipeline | None = next((used[name] for name in names if name in used), None)
    skipped = False
    try:
        yield
        if pipeline is not None:
            pipeline.settle()
    except pytest.skip.Exception:
        skipped = True
        if (
            pipeline is not None
        ):  # left half-way, with a Meta that is ill: a target that goes on trying meets others' faults
            for tenant in pipeline.tenants:
                pipeline.meta_of(tenant).disarm()
        raise
    except BaseException:
        item.stash[_RED] = True
        raise
    finally:
        if pipeline is not None:
            _keep_details(item, pipeline, skipped=skipped)


def _keep_details(item: pytest.Item, pipeline: Pipeline, *, skipped: bool) -> None:
    digest = hashlib.sha256("\n".join(one.wire_sha256 for one in pipeline.deliveries).encode()).hexdigest()
    details: dict[str, Any] = {
        "evidence": pipeline.evidence,
        "timeline": pipeline.timeline,
        "wire_sha256": digest if pipeline.deliveries else "",
    }
    try:
        if not skipped:  # what was not observed may have stopped half-way: it says nothing of what was lost
            details["ledger"] = asdict(pipeline.ledger().ledger)
            details["counted"] = pipeline.counted_by_pixel()
            details["told"] = pipeline.told_by_pixel()
        canaries = [[one.kind, one.text] for one in pipeline.canaries()]
        pipeline.info.control.call("canaries", canaries=canaries)
    except HarnessError as error:
        details["harness_error"] = str(error)
    item.user_properties.append(("golive", details))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say whose fault a red scenario is: a broken promise is the target's, everything else is ours."""
    report = yield
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        promised = call.excinfo.errisinstance(AssertionError)
        sentence = str(call.excinfo.value).strip() or call.excinfo.exconly()
        if not promised and not call.excinfo.errisinstance(HarnessError):
            sentence = call.excinfo.exconly()
        report.user_properties.append(("golive-red", ["target" if promised else "harness", sentence]))
    if report.when == "setup":
        report.user_properties.append(("golive-item", describe(item)))
    return report


def describe(item: pytest.Item) -> dict[str, Any]:
    """A scenario in words: what `golive list` shows and a report repeats."""
    text = _specification(item)
    steps = {name.lower(): " ".join(step.split()) for name, step in _STEP.findall(text)}
    first = text.strip().splitlines()[0] if text.strip() else item.name
    variant = variant_of(item)
    return {
        "key": scenario_key(item),
        "title": first.partition("  ")[2].strip() or first,
        "proves": _claims(item),
        "suite": Path(str(item.path)).parent.name,
        "gateway": variant[0] if variant else None,
        "dialect": variant[1] if variant else None,
        "exclusive": item.get_closest_marker("exclusive") is not None,
        **{name: steps.get(name, "") for name in ("given", "when", "then")},
    }


def _claims(item: pytest.Item) -> list[str]:
    mark = item.get_closest_marker("scenario")
    claims = list(mark.kwargs.get("proves", ())) if mark else []
    if (
        item.get_closest_marker("any_gateway") and variant_of(item) is None
    ):  # of no gateway: it proves no gateway's story
        return [one for one in claims if not one.startswith("gateway/")]
    return claims


def _specification(item: pytest.Item) -> str:
    """The Given/When/Then: of the test function where it has its own, else of its file."""
    function, module = getattr(item, "function", None), getattr(item, "module", None)
    return getattr(function, "__doc__", None) or getattr(module, "__doc__", None) or ""


class Reporter:
    """Tells the owner of the stack what begins and what has ended; lives in pytest's first process only."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._open: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A scenario begins."""
        self._open[nodeid] = {"outcome": "passed", "duration_s": 0.0, "nodeid": nodeid}
        self._info.control.call("started", nodeid=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of a scenario has ended; with the last one, tell."""
        result = self._open.setdefault(report.nodeid, {"outcome": "passed", "duration_s": 0.0, "nodeid": report.nodeid})
        result["duration_s"] += report.duration
        properties: dict[str, Any] = dict(report.user_properties)
        result.update(properties.get("golive-item", {}))
        if "golive" in properties:
            result["details"] = properties["golive"]
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            result.update(outcome="skipped", message=reason.removeprefix("Skipped: "))
        elif report.failed and result["outcome"] == "passed":
            blame, sentence = properties.get("golive-red") or ("harness", report.longreprtext or "its process died")
            result.update(outcome="failed" if blame == "target" else "error", blame=blame, message=sentence)
            result["trace"] = report.longreprtext[-4000:]
        if report.when not in ("setup", "call"):  # the teardown, or xdist's word for a worker that has died
            self._info.control.call("finished", result=self._open.pop(report.nodeid))

    def pytest_sessionfinish(self) -> None:
        """What began and never ended is told too: it must not be missing from the report as if it had not been."""
        for result in self._open.values():
            message = "it began and never ended; its process is gone"
            result.update(outcome="error", blame="harness", message=message)
            self._info.control.call("finished", result=result)
        self._open.clear()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the reporter, except in workers and in runs that are not golive's."""
    info = session.config.stash[_INFO]
    if info is not None and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Reporter(info), "golive-reporter")
