"""Stories are files: what is written is read again; what is no story is refused, with the nearest that would be one."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.model import steps, world
from harness.model.steps import KINDS, MOST_BYTES, MOST_STEPS, Step, Story
from tests.rows import each_row

STORY = Story(
    name="found-1",
    found='s1 "ist" counted\n\x7f\U0001f600',
    steps=[
        Step(
            "sell", {"sale": "s1", "gateway": "stripe", "tenant": 1, "event": "approved", "old": False, "click": True}
        ),
        Step("settle"),
    ],
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "story.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_story_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert steps.read(written(tmp_path, STORY.to_toml())) == STORY


@each_row(
    ("text", "told"),
    [
        ("", "holds no story"),
        ("step = 1", "holds no story"),
        ("[[step]]", "step 1 does not say what is done"),
        ('[[step]]\ndo = "setle"', "Did you mean 'settle'?"),
        ('[[step]]\ndo = "kill"\nrolle = "web"', "Did you mean 'role'?"),
        ('[[step]]\ndo = "kill"', "kill needs role"),
        ('[[step]]\ndo = "kill"\nrole = 1', "role must be of type str"),
        ('[[step]]\ndo = "well"\ntenant = true', "tenant must be of type int"),
        ("= no", "is not TOML"),
        ("#" * (MOST_BYTES + 1), "more than 64 KB"),
        ('[[step]]\ndo = "settle"\n' * (MOST_STEPS + 1), "1 to 200"),
    ],
)
def test_what_is_no_story_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        steps.read(written(tmp_path, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        steps.read(tmp_path / "none.toml")


@each_row("do", KINDS)
def test_the_world_can_do_every_step(do: str) -> None:
    assert callable(getattr(world.World, f"_{do}"))


def test_every_fault_of_the_fake_is_known_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    world.check_registry()
    monkeypatch.setattr(world, "FAULTS", {**world.FAULTS, "brand_new": object})
    with pytest.raises(Exception, match="brand_new"):
        world.check_registry()
