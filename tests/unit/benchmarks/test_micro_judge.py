"""The gate's rule: noise is not called, +30 % is, and what cannot be told is neither a pass nor a failure."""

import random
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "micro"))
import micro_judge
from micro_judge import Judged, Repeat

from tests.rows import each_row


def measured(ratio: float, *, noise: float, seed: int, repeats: int = 5, blocks: int = 8) -> Sequence[Repeat]:
    """Repeats as a machine of that noise would give them: a process has its own luck, and so has a block."""
    draw = random.Random(seed)
    luck = [1 + draw.gauss(0, noise) for _ in range(repeats)]
    return [[ratio * one * (1 + abs(draw.gauss(0, noise))) for _ in range(blocks)] for one in luck]


def judged(change: float, *, noise: float, seed: int, repeats: int = 5) -> Judged:
    now = measured(5.0 * change, noise=noise, seed=seed, repeats=repeats)
    return micro_judge.judge("verify stripe", now, measured(5.0, noise=noise, seed=seed + 10_000, repeats=10))


@each_row("repeats", [3, 5])
def test_the_same_code_is_never_called_slower_under_the_noise_that_was_measured_here(repeats: int) -> None:
    assert states_of(1.0, repeats, seeds=range(10)) == {"same"}


@each_row("repeats", [3, 5])
def test_thirty_percent_more_is_always_called(repeats: int) -> None:
    assert states_of(1.3, repeats, seeds=range(10)) == {"slower"}


@pytest.mark.nightly  # thirty draws of the noise; the two tests above make the first ten of them
@each_row(("change", "state"), [(1.0, "same"), (1.3, "slower")])
@each_row("repeats", [3, 5])
def test_thirty_draws_of_the_noise_change_no_verdict(change: float, state: str, repeats: int) -> None:
    assert states_of(change, repeats, seeds=range(30)) == {state}


def states_of(change: float, repeats: int, *, seeds: range) -> set[str]:
    """Every verdict on code that became so much slower."""
    return {judged(change, noise=0.02, seed=seed, repeats=repeats).state for seed in seeds}


def test_a_machine_too_noisy_to_catch_thirty_percent_has_measured_nothing() -> None:
    found = judged(1.0, noise=0.25, seed=1, repeats=3)
    assert found.state == "undecided"
    assert micro_judge.exit_code([found]) == 2


def test_what_lies_beyond_the_threshold_but_may_be_noise_is_no_pass() -> None:
    """Three processes of five were slower, and two were not."""
    found = micro_judge.judge("x", [[1.0], [1.0], [1.3], [1.3], [1.3]], [[1.0]] * 5)
    assert (found.state, micro_judge.exit_code([found])) == ("undecided", 2)


def test_faster_is_told_and_is_no_failure() -> None:
    found = micro_judge.judge("x", [[0.7]] * 3, [[1.0]] * 3)
    assert (found.state, micro_judge.exit_code([found])) == ("faster", 0)
    assert "became 30 % faster" in found.sentence()


def test_the_sentence_says_what_became_slower_and_by_how_much() -> None:
    found = micro_judge.judge("verify stripe", [[6.8]] * 5, [[5.1]] * 5)
    wanted = (
        "verify stripe became 33 % slower against the floor: ratio 5.1 -> 6.8 (interval of the change 1.33 to 1.33)"
    )
    assert found.sentence() == wanted


def test_what_has_no_baseline_or_was_not_measured_is_not_judged() -> None:
    new, gone = micro_judge.judge("a", [[1.0]], []), micro_judge.judge("b", [], [[1.0]])
    assert (new.state, gone.state) == ("new", "gone")
    assert [micro_judge.exit_code(one) for one in ([new], [gone], [])] == [2, 2, 2]
    assert "--update" in new.sentence()
    assert "--update" in gone.sentence()


def test_slower_is_louder_than_undecided() -> None:
    slower, new = micro_judge.judge("a", [[2.0]] * 3, [[1.0]] * 3), micro_judge.judge("b", [[1.0]], [])
    assert micro_judge.exit_code([new, slower]) == 1


def test_a_block_takes_the_least_of_each_side() -> None:
    """One round that was interrupted changes nothing, on either side."""
    assert micro_judge.blocks([9.0, 4.0, 5.0, 4.5, 6.0], [2.0, 2.5, 7.0, 2.0, 3.0]) == [2.0]
    assert micro_judge.blocks([1.0] * 12, [1.0] * 11) == [1.0, 1.0]


def test_the_same_numbers_give_the_same_interval() -> None:
    one, other = (judged(1.1, noise=0.02, seed=5) for _ in range(2))
    assert one == other


def test_an_update_says_what_changed() -> None:
    told = micro_judge.changes({"a": 1.0, "b": 2.0}, {"a": 1.5, "c": 3.0})
    assert told == ["a: ratio 1 -> 1.5", "c: new, ratio 3", "b: no longer measured"]


@each_row(
    ("states", "code"),
    [
        (["same"] * 3 + ["undecided"], 0),
        (["same"] * 2 + ["undecided"], 2),
        (["same"] * 9 + ["undecided", "slower"], 1),
        (["same"] * 9 + ["undecided", "gone"], 2),
        ([], 2),
    ],
)
def test_on_a_machine_that_nobody_chose_a_few_may_drown_in_noise(states: list[str], code: int) -> None:
    """Only noise is forgiven, and only some: never what is slower, and never a gate that sees little."""
    judged = [SimpleNamespace(state=one) for one in states]
    assert micro_judge.exit_code(judged, expect_undecided=True) == code  # type: ignore[arg-type]  # a state is all it reads
    assert micro_judge.exit_code(judged) == (1 if "slower" in states else 2)  # type: ignore[arg-type]
