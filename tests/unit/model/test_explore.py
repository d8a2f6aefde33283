"""Drawing stories, and making a broken one short; against a world that is only a list."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import HarnessError, PromiseBroken
from harness.model.explore import Explorer, Options
from harness.model.steps import KINDS, Step


class ListWorld:
    """Breaks a promise when a bad step was done, or at its end when enough bad ones were."""

    def __init__(self, breaks: Any) -> None:
        self.steps: list[Step] = []
        self.pipeline = SimpleNamespace(orders=[])
        self._breaks = breaks

    def do(self, step: Step) -> None:
        self.steps.append(step)
        self._breaks(self.steps)

    def finish(self) -> None:
        return

    def make_whole(self) -> None:
        return


class ListExplorer(Explorer):
    """Tells its stories to nobody."""

    def __init__(self, breaks: Any) -> None:
        super().__init__(SimpleNamespace(scenario="M"))  # type: ignore[arg-type]
        self.breaks = breaks
        self.stories: list[list[Step]] = []
        self.tries = 0

    def _begin(self) -> Any:
        begun = super()._begin()
        if begun is not None:
            self.stories.append(begun.steps)
        return begun

    def _new_world(self) -> Any:
        return ListWorld(self.breaks)

    def _adopt(self, pipeline: Any, *, ledger: bool) -> None:
        return

    def tell(self, steps: Sequence[Step]) -> PromiseBroken | None:
        self.tries += 1
        try:
            world = self._new_world()
            for step in steps:
                world.do(step)
        except PromiseBroken as error:
            return error
        return None


def never(_: Sequence[Step]) -> None:
    return


def drawn(seed: int) -> list[list[Step]]:
    explorer = ListExplorer(never)
    assert explorer.explore(Options(examples=6, steps=8, seed=seed)) is None
    assert explorer.examples >= 6
    return explorer.stories


def test_the_same_seed_draws_the_same_stories_and_another_draws_others() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_stories_are_not_variants_of_one_another() -> None:
    stories = [tuple(map(str, one)) for one in drawn(3)]
    assert len(set(stories)) >= len(stories) - 1


def test_every_kind_of_step_is_drawn_in_time() -> None:
    explorer = ListExplorer(never)
    explorer.explore(Options(examples=120, steps=12, seed=1))
    seen = {step.do for story in explorer.stories for step in story}
    assert seen == set(KINDS) - {"jump"}  # the hook for time travel


def needs_two_faults(steps: Sequence[Step]) -> None:
    if sum(one.do == "fault" for one in steps) >= 2:
        raise PromiseBroken("two faults")


def test_a_broken_promise_ends_the_search_and_is_made_short() -> None:
    explorer = ListExplorer(needs_two_faults)
    found = explorer.explore(Options(examples=200, steps=10, seed=1))
    assert found is not None
    assert [one.do for one in found.story.steps] == ["fault", "fault"]
    assert found.story.found == "two faults"
    assert found.examples == len(explorer.stories) < 200
    assert found.steps_before == len(explorer.stories[-1])


def test_making_it_short_ends_in_time() -> None:
    explorer = ListExplorer(needs_two_faults)
    steps = [Step("settle")] * 20 + [Step("fault", {"tenant": 0, "fault": "reset", "strikes": 1})] * 2
    assert explorer.shorten(steps, "two faults", within_s=-1) == (steps, "two faults")
    assert explorer.tries == 0


def test_an_error_of_ours_is_no_story() -> None:
    def ours(_: Sequence[Step]) -> None:
        raise HarnessError("the fake is gone")

    with pytest.raises(HarnessError, match="the fake is gone"):
        ListExplorer(ours).explore(Options(examples=5, steps=5, seed=1))
