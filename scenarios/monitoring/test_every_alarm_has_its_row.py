"""W-09  Every alarm fires on its anomaly, is silent on the nearest healthy signal, pages once and resolves.

Given  the alarms of the template that is deployed, and for each the plan's own numbers as signals, minute by minute
When   its anomaly comes and goes, a signal stays just below it, comes for one minute too few, is an ordinary launch day
       with its noise, or dies
Then   it pages when the plan says and not otherwise, once, within five minutes of the moment when its condition is
       true; and it resolves
"""

import pytest

from harness.testing import Pipeline, alarms_table


@pytest.mark.scenario("W-09", proves=("011.5c/false-positives", "011.5c/alerted"))
def test_every_alarm_has_its_row(pipeline: Pipeline) -> None:
    rows = alarms_table(pipeline)
    assert len(rows) >= 8, f"the plan wants 8 alarms or more; the template has {len(rows)}"
    slowest = max(rows, key=lambda row: row["minutes_to_page"])
    pipeline.note(
        f"{len(rows)} alarms, each with its anomaly, its nearest healthy signals, two launch days and a dead metric; "
        f"the slowest, {slowest['name']}, pages {slowest['minutes_to_page']:g} min after its condition is true."
    )
