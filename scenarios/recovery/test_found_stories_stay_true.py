"""M-02  A story that once broke a promise breaks none any more.

Given  a story that the model has found and made short (`scenarios/recovery/found/`, or `--model-replay FILE`)
When   it is told again
Then   each sale ends where it must
"""

from pathlib import Path

import pytest

from harness.testing import Model


@pytest.mark.scenario("M-02", proves=("011.3/retry",))
@pytest.mark.exclusive
def test_found_stories_stay_true(model: Model, story: Path) -> None:
    model.tell(story)
