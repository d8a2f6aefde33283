"""Every scenario that travels has days of its own, so its bytes depend on nobody who travelled before it."""

import ast

from harness.runs.scenario_runner import scenarios_home
from harness.testing.travelling import Period, overlapping


def _periods() -> list[tuple[str, Period]]:
    found = []
    home = scenarios_home()
    for file in sorted([*home.rglob("test_*.py"), *home.rglob("drill_*.py")]):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.time_travel":
                days = {str(one.arg): ast.literal_eval(one.value) for one in node.keywords}
                found.append((file.name, Period(**days)))
    return found


def test_no_two_scenarios_share_a_day() -> None:
    """All scenarios there are, whichever a run selects."""
    periods = _periods()
    assert periods
    assert overlapping(periods) == []


def test_the_calendar_ends_before_clocks_of_32_bits_do() -> None:
    """2038 is twelve years away, and would be a finding of its own."""
    assert max(period.end for _, period in _periods()) < 10 * 365
