"""What touches other scenarios on the same stack is refused to those that are not alone on it."""

from types import SimpleNamespace
from typing import cast

import pytest

from harness.errors import HarnessError
from harness.testing.pipeline import Pipeline
from harness.testing.target import TargetView


def _scenario(*, alone: bool) -> tuple[Pipeline, list[str]]:
    asked: list[str] = []

    def call(operation: str, **given: str) -> dict[str, str]:
        asked.append(given.get("name", operation))
        return {}

    control = SimpleNamespace(call=call)
    pipeline = Pipeline.__new__(Pipeline)
    pipeline.scenario, pipeline.alone, pipeline._network = "D-33[stripe]", alone, None
    target = SimpleNamespace(actions={"redrive": "redrive"})
    pipeline.info = cast("object", SimpleNamespace(control=control, target=target, seed=1))  # type: ignore[assignment]
    return pipeline, asked


def test_a_redrive_takes_everybodys_letters() -> None:
    """Seen: another scenario's poison went in circles for 90 seconds, and its own scenario missed its letter."""
    pipeline, asked = _scenario(alone=False)
    with pytest.raises(
        HarnessError, match=r"D-33\[stripe\] redrives everybody's dead letters: mark it @pytest\.mark\.exclusive"
    ):
        TargetView(pipeline).redrive()
    assert asked == []
    pipeline, asked = _scenario(alone=True)
    TargetView(pipeline).redrive()
    assert asked == ["redrive"]


def test_toxics_stand_in_everybodys_way() -> None:
    pipeline, asked = _scenario(alone=False)
    with pytest.raises(HarnessError, match=r"toxics .*: mark it @pytest\.mark\.exclusive"):
        _ = pipeline.network
    assert asked == []
