"""The pytest side of a run: the marks and fixtures of scenarios, and what is kept of each when it has ended.

In a `golive run` this process collects the scenarios, says so over the socket named in `GOLIVE_RUN`, and then forks
the workers that run them (`harness.pytest_workers`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness import samples
from harness.checks import privacy
from harness.errors import HarnessError
from harness.pytest_workers import DETAILS, RED, STACK, serve
from harness.readiness.rows import expand
from harness.scenario_events import RUN_VARIABLE, CollectedScenario, to_json
from harness.scenario_items import describe, instance_of, is_exclusive, period_of, scenario_key, tenants_of, variant_of
from harness.stack.control import Control
from harness.target import Target
from harness.testing import Model, ModelOptions, Pipeline, TravellingPipeline
from harness.testing.answers import not_declared
from harness.testing.travelling import travelling_info


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `golive` itself asks of pytest."""
    parser.addoption("--golive-list", action="store_true", help="print every collected scenario as a JSON line")
    parser.addoption("--golive-gateways", default="", help="the gateways and dialects of the target, as JSON")
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
    path = os.environ.get(RUN_VARIABLE)
    config.stash[_RUN] = Control(Path(path)) if path else None
    config.stash[STACK] = None


_RUN = pytest.StashKey[Control | None]()
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
    if named := config.getoption("--golive-gateways"):
        told: dict[str, list[str]] = json.loads(named)
        return told
    default: dict[str, list[str]] = Target.model_fields["gateways"].get_default(call_default_factory=True)
    return default


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the target's gateways have no part in."""
    out = [item for item in items if item.get_closest_marker("each_gateway") and variant_of(item) is None]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k 'S-07[hotmart-plan]'` choose a scenario by the name that reports call it."""
    if item.get_closest_marker("scenario"):
        item.extra_keyword_matches.add(scenario_key(item))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say which scenarios there are: to the owner of the run, or, for `golive list`, as lines of JSON."""
    scenarios = [_checked(item) for item in session.items]
    if session.config.getoption("--golive-list"):
        for one in scenarios:
            print(json.dumps(to_json(one), ensure_ascii=False))  # noqa: T201 -- `golive list` reads it
    elif (run := session.config.stash[_RUN]) is not None and not session.testsfailed:
        run.call("collected", scenarios=[to_json(one) for one in scenarios])


def _checked(item: pytest.Item) -> CollectedScenario:
    """A claim on a row that is not there ends the run before its first scenario, not at its report."""
    scenario = describe(item)
    try:
        for claim in scenario.proves:
            expand(claim, scenario.gateway)
    except HarnessError as error:
        raise pytest.UsageError(f"{scenario.key}: {error}") from None
    return scenario


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In a run: fork the workers that the owner of the run asks for."""
    run = session.config.stash[_RUN]
    if run is None or session.config.option.collectonly:
        return None
    if session.testsfailed:
        raise session.Interrupted("a file of scenarios could not be read")
    serve(session, run)
    return True


@pytest.fixture
def _variant(request: pytest.FixtureRequest) -> tuple[str, str] | None:
    return getattr(request, "param", None)


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, _variant: tuple[str, str] | None) -> Iterator[Pipeline]:
    """The running target, as this scenario's own tenant sees it."""
    info = request.config.stash[STACK]
    if info is None:
        pytest.fail("scenarios need a stack: run them with `golive run`")
    _none_will_do(request, _variant)
    item = request.node
    running = Pipeline(
        info,
        tenants_of(item, info),
        scenario=scenario_key(item),
        gateway=_variant[0] if _variant else None,
        alone=is_exclusive(item),
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
    info, item = request.config.stash[STACK], request.node
    if info is None:
        pytest.fail("scenarios need a stack: run them with `golive run`")
    _none_will_do(request, variant)
    period = period_of(item)
    if period is None or not is_exclusive(item):
        raise HarnessError(f"{item.nodeid} travels without its marks: exclusive and time_travel(day=…, days=…)")
    there = travelling_info(info, instance)
    others = [one for one in request.session.items if instance_of(one) == instance]
    there.control.call("provision", tenants=[one.to_json() for each in others for one in tenants_of(each, there)])
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """After the scenario's own words: nothing may be on its way, and the ledger must close."""
    pipeline = _pipeline_of(item)
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


def _pipeline_of(item: pytest.Item) -> Pipeline | None:
    used = getattr(item, "funcargs", {})
    names = ("pipeline", "travelling_pipeline", "monitored_pipeline")
    return next((used[name] for name in names if name in used), None)


def _keep_details(item: pytest.Item, pipeline: Pipeline, *, skipped: bool) -> None:
    digest = hashlib.sha256("\n".join(one.wire_sha256 for one in pipeline.deliveries).encode()).hexdigest()
    mask = privacy.Mask(pipeline.canaries() if pipeline.evidence else ())
    details: dict[str, Any] = {
        "kept": pipeline.kept,
        "failing": pipeline.failing,
        "concerns": [asdict(one) for one in pipeline.concerns],
        "evidence": [mask.text(sentence) for sentence in pipeline.evidence],
        "timeline": pipeline.timeline,
        "wire_sha256": digest if pipeline.deliveries else "",
    }
    try:
        if item.stash.get(_RED, False):
            details["evidence"] += pipeline.shown_wire()
        if not skipped:  # what was not observed may have stopped half-way: it says nothing of what was lost
            details["ledger"] = asdict(pipeline.ledger().ledger)
            details["counted"] = pipeline.counted_by_pixel()
            details["told"] = pipeline.told_by_pixel()
        canaries = [[one.kind, one.text] for one in pipeline.canaries()]
        pipeline.info.control.call("canaries", canaries=canaries)
    except HarnessError as error:
        details["harness_error"] = str(error)
    item.user_properties.append((DETAILS, details))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say whose fault a red scenario is, and why."""
    report = yield
    if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        owner, sentence = blame(call.excinfo, scenarios=item.config.rootpath)
        if (pipeline := _pipeline_of(item)) is not None:
            sentence = privacy.Mask(pipeline.canaries()).text(sentence)
        report.user_properties.append((RED, [owner, sentence]))
    return report


#: What reading a value of another kind than was expected ends in.
_UNREADABLE = (TypeError, AttributeError, ValueError, LookupError, ArithmeticError)


def blame(error: pytest.ExceptionInfo[BaseException], *, scenarios: Path) -> tuple[str, str]:
    """Whose fault it is that a scenario is red, `target` or `harness`, and a sentence.

    A broken promise is the target's. So is a value that a scenario could not read: all that scenarios read is what the
    target wrote. Everything else is golive's own.

    Args:
        error: What was raised.
        scenarios: The folder of the scenarios.
    """
    if error.errisinstance(AssertionError):
        return "target", str(error.value).strip() or error.exconly()
    if error.errisinstance(HarnessError):
        return "harness", str(error.value).strip() or error.exconly()
    place = error.traceback[-1]
    if error.errisinstance(_UNREADABLE) and Path(place.path).is_relative_to(scenarios):
        where = f"{Path(place.path).name}:{place.lineno + 1}"
        return "target", f"what the target wrote cannot be read as it should be ({where}): {error.exconly()}"
    return "harness", error.exconly()
