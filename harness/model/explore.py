"""Looks for a story that breaks a promise, makes it short, and keeps it.

Hypothesis draws the stories; making one short is our own, because each try costs seconds and Hypothesis' shrinker has
no limit that could be set: here whole steps are left out, as long as the promise is still broken, within a time limit.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError, PromiseBroken
from harness.model import world as worlds
from harness.model.steps import Step, Story
from harness.model.world import World, tenants_for
from harness.testing import Pipeline

#: Tenants are made for so many stories at a time: one command, however many there are.
PROVISION_AHEAD = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How far to look. `shrink_s`: for how long a story may be made shorter, in seconds."""

    examples: int
    steps: int
    seed: int
    shrink_s: float = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A story that breaks a promise, as short as it became."""

    story: Story
    examples: int
    """In which example it was found, counted from 1."""
    steps_before: int
    """How many steps it had then."""


@dataclass(slots=True)
class Explorer:
    """Stories told to one target, each by tenants of its own; `main` is the scenario's own pipeline."""

    main: Pipeline
    told: int = 0
    """Stories so far."""
    examples: int = 0
    """Of these, drawn ones."""
    steps: int = 0
    sales: int = 0
    _provisioned: int = 0
    _broken: tuple[list[Step], PromiseBroken] | None = field(default=None)
    _skip: bool = False
    """Whether the next example is the simplest one, which is let pass."""
    _spoilt: BaseException | None = field(default=None)
    """What went wrong with us, and not with the target."""

    def explore(self, options: Options) -> Found | None:
        """Draw stories until one breaks a promise; None if none does.

        Raises:
            HarnessError: the target could not be driven: nothing can be said of it.
        """
        worlds.check_registry()
        self._draw(options)
        if self._broken is None:
            return None
        steps, error = self._broken
        short, sentence = self.shorten(steps, str(error), within_s=options.shrink_s)
        digest = hashlib.sha256("\n".join(map(str, short)).encode()).hexdigest()[:8]
        story = Story(name=f"found-{digest}", steps=short, found=sentence)
        return Found(story=story, examples=self.examples, steps_before=len(steps))

    def tell(self, steps: Sequence[Step]) -> PromiseBroken | None:
        """Tell one story; what it broke, if it did."""
        pipeline = self._next_pipeline()
        try:
            world = worlds.tell(pipeline, steps)
        except PromiseBroken as error:
            self._adopt(pipeline, ledger=False)
            return error
        self.steps += len(world.steps)
        self._adopt(pipeline, ledger=True)
        return None

    # -- drawing ---------------------------------------------------------------------------------------------

    def _draw(self, options: Options) -> None:
        import hypothesis  # noqa: PLC0415 -- an extra
        from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 -- the same

        from harness.model.machine import PipelineMachine  # noqa: PLC0415 -- the same

        machine = type(
            "Machine",
            (PipelineMachine,),
            {"begin": staticmethod(self._begin), "act": staticmethod(self._act), "end": staticmethod(self._end)},
        )
        settings = hypothesis.settings(
            max_examples=2,
            stateful_step_count=options.steps,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        # Hypothesis spends half of its examples on the simplest one and on variants of those before, which is right
        # where an example costs nothing. So each story is drawn for itself: the simplest is let pass, one is told.
        with _hypothesis_home():
            for number in range(options.examples):
                self._skip = True
                try:
                    run_state_machine_as_test(hypothesis.seed(f"{options.seed}/{number}")(machine), settings=settings)
                except Exception:
                    # Hypothesis tells a failing example once more before it raises; ours is remembered already.
                    if self._spoilt is not None:
                        raise self._spoilt from None
                    if self._broken is None:
                        raise
                if self._broken is not None:
                    return

    def _begin(self) -> World | None:
        if self._broken is not None or self._spoilt is not None:
            return None  # the example that failed, played again for Hypothesis: nothing is done a second time
        if self._skip:
            self._skip = False
            return None
        self.examples += 1
        return self._new_world()

    def _new_world(self) -> World:
        return World(self._next_pipeline())

    def _act(self, world: World | None, step: Step) -> None:
        if world is not None:
            self._guarded(world, lambda: world.do(step))
        elif self._spoilt is not None:
            raise self._spoilt
        elif self._broken is not None and step == self._broken[0][-1]:
            raise self._broken[1]

    def _end(self, world: World) -> None:
        if self._broken is not None or self._spoilt is not None:
            return
        self._guarded(world, world.finish)
        world.make_whole()
        self.steps += len(world.steps)
        self._adopt(world.pipeline, ledger=True)

    def _guarded(self, world: World, work: Callable[[], None]) -> None:
        try:
            work()
        except PromiseBroken as error:
            self._broken = (list(world.steps), error)
            world.make_whole()
            self._adopt(world.pipeline, ledger=False)
            raise
        except BaseException as error:
            self._spoilt = error
            world.make_whole()
            raise

    # -- making it short -------------------------------------------------------------------------------------

    def shorten(self, steps: Sequence[Step], sentence: str, *, within_s: float) -> tuple[list[Step], str]:
        """The steps without those that are not needed for a broken promise, and the promise that it breaks then."""
        deadline = time.monotonic() + within_s
        kept = list(steps)
        size = max(1, len(kept) // 2)
        while size:
            start, before = 0, len(kept)
            while start < len(kept):
                if time.monotonic() > deadline:
                    return kept, sentence
                fewer = kept[:start] + kept[start + size :]
                error = self.tell(fewer) if fewer else None
                if error is None:
                    start += size
                else:
                    kept, sentence = fewer, str(error)
            if len(kept) == before or size > 1:
                size //= 2
        return kept, sentence

    # -- tenants ---------------------------------------------------------------------------------------------

    def _next_pipeline(self) -> Pipeline:
        keys = [f"{self.main.scenario}/{number}" for number in range(self.told, self.told + PROVISION_AHEAD)]
        if self.told >= self._provisioned:
            tenants = [one.to_json() for key in keys for one in tenants_for(self.main.info, key)]
            self.main.info.control.call("provision", tenants=tenants)
            self._provisioned += PROVISION_AHEAD
        self.told += 1
        return Pipeline(self.main.info, tenants_for(self.main.info, keys[0]), scenario=keys[0], gateway=None)

    def _adopt(self, pipeline: Pipeline, *, ledger: bool) -> None:
        """What a story has invented and sent belongs to the scenario's own report; a broken one's ledger is open."""
        self.sales += len(pipeline.orders)
        self.main.adopt(pipeline, ledger=ledger)


@contextmanager
def _hypothesis_home() -> Iterator[None]:
    """Hypothesis writes what it learns into a folder; it is nobody's but ours."""
    from hypothesis.configuration import set_hypothesis_home_dir  # noqa: PLC0415 -- an extra

    with tempfile.TemporaryDirectory(prefix="golive-hypothesis-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def must_have_hypothesis() -> None:
    """Return if stories can be drawn here.

    Raises:
        HarnessError: the package is not installed.
    """
    try:
        import hypothesis  # noqa: F401, PLC0415 -- asked for, not used
    except ImportError:
        raise HarnessError("The model draws its stories with Hypothesis: install golive[model].") from None


def save(story: Story, folder: Path) -> Path:
    """Write a story into a folder, under its name; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{story.name}.toml"
    path.write_text(story.to_toml(), encoding="utf-8")
    return path
