"""The model of the pipeline, as a scenario uses it: draw stories, or tell one that was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, PromiseBroken
from harness.testing.answers import not_observable

if TYPE_CHECKING:
    from harness.testing.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """What the command line says about the model."""

    examples: int = 4
    """Stories to draw."""
    steps: int = 10
    """The most steps of one."""
    found: Path | None = None
    """Where a story that breaks a promise is kept; None: it is only told."""
    replay: tuple[Path, ...] = ()
    """Stories to be told, instead of those that the scenarios keep."""


class Model:
    """Drives the target through stories, and knows what must come of each sale."""

    def __init__(self, pipeline: Pipeline, options: ModelOptions) -> None:
        # Not at the top: the model is made of the words of this package.
        from harness.model.explore import Explorer  # noqa: PLC0415

        self._pipeline = pipeline
        self._options = options
        self._explorer = Explorer(pipeline)

    def explore(self) -> None:
        """Draw as many stories as the options say.

        Raises:
            PromiseBroken: one broke a promise; says which, with the shortest story that does and how to tell it again.
        """
        from harness.model import explore as exploring  # noqa: PLC0415 -- as above

        self._must_see()
        try:
            exploring.must_have_hypothesis()
        except HarnessError as error:
            not_observable(str(error))
        options = exploring.Options(
            examples=self._options.examples, steps=self._options.steps, seed=self._pipeline.info.seed
        )
        found = self._explorer.explore(options)
        if found is None:
            told = self._explorer
            self._pipeline.note(
                f"{told.examples} stories of {told.steps} steps about {told.sales} sales kept every promise"
            )
            return
        lines = [
            f"{found.story.found} (example {found.examples}; {len(found.story.steps)} of {found.steps_before} steps "
            f"are needed: {'; '.join(map(str, found.story.steps))})"
        ]
        if self._options.found is not None:
            path = exploring.save(found.story, self._options.found)
            lines.append(f"Tell it again: golive run -k M-02 --model-replay {path}")
        raise PromiseBroken(". ".join(lines))

    def tell(self, path: Path) -> None:
        """Tell the story of a file.

        Raises:
            PromiseBroken: it broke a promise.
        """
        from harness.model import steps  # noqa: PLC0415 -- as above

        self._must_see()
        story = steps.read(path)
        error = self._explorer.tell(story.steps)
        if error is not None:
            raise PromiseBroken(f"{story.name}: {error}")
        self._pipeline.note(f"{story.name}: {len(story.steps)} steps; found when: {story.found or 'written by hand'}")

    def _must_see(self) -> None:
        self._pipeline.database.conversions()
        self._pipeline.let_database_go()  # stories may crash it
