"""R-60  An experiment: sales go on through faults on a timeline, and every one is counted once.

Given  sales at a steady rate
When   faults begin and end as the experiment's file says
Then   what the file expects has come true, and Meta counts each sale once
"""

from pathlib import Path

import pytest

from harness.testing import Pipeline, experiments, run_experiment


@pytest.mark.scenario("R-60", proves=("011.3/retry",), guards="faults that come together")
@pytest.mark.parametrize("path", experiments(Path(__file__).parent / "experiments"), ids=lambda path: path.stem)
@pytest.mark.exclusive
def test_experiment(pipeline: Pipeline, path: Path) -> None:
    run_experiment(pipeline, path)
