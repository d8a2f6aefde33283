"""What a collected pytest item says of its scenario: its name, its variant, its tenants, its specification."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from harness import tenants
from harness.scenario_events import CollectedScenario, Instance
from harness.tenants import Tenant
from harness.testing import StackInfo
from harness.testing.travelling import Period

_STEP = re.compile(r"^(Given|When|Then)\s+(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


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
    """The days that a scenario takes on an instance with a clock of its own; None: it uses none."""
    mark = item.get_closest_marker("time_travel")
    return Period(day=mark.kwargs["day"], days=mark.kwargs["days"]) if mark else None


def instance_of(item: pytest.Item) -> Instance:
    """The instance with a clock of its own that a scenario uses; empty: none."""
    if period_of(item) is None:
        return ""
    fixtures = getattr(item, "fixturenames", ())
    return next((name for name in get_args(Instance) if name and f"{name}_pipeline" in fixtures), "travelling")


def is_exclusive(item: pytest.Item) -> bool:
    """Whether the scenario must be alone on its stack."""
    return item.get_closest_marker("exclusive") is not None


def tenants_of(item: pytest.Item, info: StackInfo) -> list[Tenant]:
    """The tenants that a scenario will use on that stack."""
    scenario = describe(item)
    return tenants.tenants_of(
        info.seed, scenario.key, count=scenario.tenants, dialect=scenario.dialect, supported=info.target.gateways
    )


def describe(item: pytest.Item) -> CollectedScenario:
    """A scenario in words: what `golive list` shows and a report repeats."""
    text = _specification(item)
    steps = {name.lower(): " ".join(step.split()) for name, step in _STEP.findall(text)}
    first = text.strip().splitlines()[0] if text.strip() else item.name
    variant = variant_of(item)
    period = period_of(item)
    mark = item.get_closest_marker("scenario")
    return CollectedScenario(
        key=scenario_key(item),
        title=first.partition("  ")[2].strip() or first,
        suite=Path(str(item.path)).parent.name,
        proves=_claims(item),
        gateway=variant[0] if variant else None,
        dialect=variant[1] if variant else None,
        tenants=mark.kwargs.get("tenants", 1) if mark else 1,
        exclusive=is_exclusive(item),
        instance=instance_of(item),
        day=period.day if period else 0,
        **{name: steps.get(name, "") for name in ("given", "when", "then")},
    )


def _claims(item: pytest.Item) -> tuple[str, ...]:
    mark = item.get_closest_marker("scenario")
    claims = tuple(mark.kwargs.get("proves", ())) if mark else ()
    if item.get_closest_marker("any_gateway") and variant_of(item) is None:
        # It is run for no gateway, so it proves no gateway's story.
        return tuple(one for one in claims if not one.startswith("gateway/"))
    return claims


def _specification(item: pytest.Item) -> str:
    """The Given/When/Then: of the test function where it has its own, else of its file."""
    function, module = getattr(item, "function", None), getattr(item, "module", None)
    return inspect.cleandoc(getattr(function, "__doc__", None) or getattr(module, "__doc__", None) or "")
