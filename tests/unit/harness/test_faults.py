"""Faults by their name: what they ask of the owner of the stack, and that they are always taken away."""

from typing import Any

import pytest

from harness.errors import HarnessError, UsageError
from harness.faults import names
from harness.faults.base import NothingToBreak, Reach, in_place
from tests.rows import each_row


class Owner:
    """Writes down what it is asked for; `nothing` is none of its own."""

    def __init__(self, *, nothing: bool = False, failing: str = "") -> None:
        self.asked: list[str] = []
        self._nothing = nothing
        self._failing = failing

    def call(self, operation: str, **arguments: Any) -> Any:
        self.asked.append(" ".join([operation, *(str(one) for one in arguments.values())]))
        if operation == self._failing:
            raise HarnessError("it would not")
        if self._nothing:
            return None
        return {"id": "a1", "struck": 3} if operation == "aws_faults" else True


class Meta:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def arm(self, fault: str, **parameters: Any) -> None:
        self.asked.append(f"arm {fault} {parameters}")

    def disarm(self) -> None:
        self.asked.append("disarm")

    def expire_token(self) -> None:
        self.asked.append("expire")

    def renew_token(self) -> None:
        self.asked.append("renew")


def reach(owner: Owner, meta: Meta | None = None, **changes: Any) -> Reach:
    given = {"roles": ("web", "consumer"), "seed": 7, "stop_s": 5.0, **changes}
    return Reach(control=owner, meta=meta or Meta(), **given)


@each_row(
    ("name", "parameters", "begins", "ends"),
    [
        ("process.kill", {"role": "web"}, ["kill web"], ["start web"]),
        ("process.pause", {"role": "web"}, ["pause web"], ["resume web"]),
        ("process.terminate", {"role": "web"}, ["terminate web"], ["ended web 5.0", "start web"]),
        ("database.down", {}, ["stop_database"], ["start_database"]),
        ("database.read_only", {}, ["database_read_only True"], ["database_read_only False"]),
        (
            "aws.gone",
            {},
            ["aws_faults PUT /listening {'listening': False}"],
            ["aws_faults PUT /listening {'listening': True}"],
        ),
        (
            "aws.late_delivery",
            {"delay_s": 2, "strikes": 4},
            [
                "aws_faults POST /faults "
                "{'fault': 'late_delivery', 'strikes': 4, 'probability': 1.0, 'seed': 7, 'delay_s': 2}"
            ],
            ["aws_faults DELETE /faults/a1"],
        ),
    ],
)
def test_a_fault_begins_and_ends(name: str, parameters: dict[str, Any], begins: list[str], ends: list[str]) -> None:
    owner = Owner()
    with in_place(names.make(name, parameters), reach(owner)):
        assert owner.asked == begins
    assert owner.asked == begins + ends


@each_row("name", ["database.down", "database.read_only", "aws.gone", "aws.cut"])
def test_what_is_not_ours_is_not_broken(name: str) -> None:
    with pytest.raises(NothingToBreak, match="not one that the harness started"):
        names.make(name, {}).begin(reach(Owner(nothing=True)))


def test_a_role_that_is_not_started_is_told_with_the_nearest_guess() -> None:
    with pytest.raises(NothingToBreak, match="did you mean 'consumer'"):
        names.make("process.kill", {"role": "consumers"}).begin(reach(Owner()))


def test_meta_is_armed_and_healed() -> None:
    meta = Meta()
    with in_place(names.make("meta.throttle", {"code": 4, "probability": 0.5}), reach(Owner(), meta)):
        assert meta.asked == ["arm throttle {'strikes': None, 'probability': 0.5, 'code': 4}"]
    with in_place(names.make("meta.token_dead", {}), reach(Owner(), meta)):
        pass
    assert meta.asked[1:] == ["disarm", "expire", "renew"]


def test_a_fault_ends_when_its_block_fails_and_the_first_error_is_told() -> None:
    owner = Owner(failing="start")
    with (
        pytest.raises(AssertionError, match="the promise") as error,
        in_place(names.make("process.kill", {"role": "web"}), reach(owner)),
    ):
        raise AssertionError("the promise")
    assert owner.asked == ["kill web", "start web"]
    assert "could not be taken away: it would not" in error.value.__notes__[0]


def test_who_may_not_become_ready_is_not_waited_for() -> None:
    owner = Owner()
    with in_place(names.make("process.kill", {"role": "web"}), reach(owner, wait_ready=False)):
        pass
    assert owner.asked == ["kill web", "launch web"]


def test_a_fault_that_never_struck_proves_nothing() -> None:
    class Idle(Owner):
        def call(self, operation: str, **arguments: Any) -> Any:
            return {"id": "a1", "struck": 0}

    with in_place(names.make("aws.cut", {}), reach(Idle())) as placed:
        pass
    with pytest.raises(HarnessError, match="never struck"):
        placed.must_have_struck()
    with in_place(names.make("aws.cut", {}), reach(Owner())) as placed:
        pass
    assert placed.must_have_struck() == 3


@each_row(
    ("name", "parameters", "said"),
    [
        ("aws.throtling", {}, "Did you mean 'aws.throttling'"),
        ("process.kill", {}, "needs role"),
        ("process.kill", {"role": 3}, "needs role"),
        ("database.down", {"role": "web"}, "takes no parameters"),
        ("aws.late_delivery", {"delay": 3}, "did you mean 'delay_s'"),
        ("meta.throttle", {"code": 5}, "code is one of"),
        ("meta.refusal", {}, "needs: error"),
        ("aws.cut", {"strikes": True}, "strikes is a whole number"),
    ],
)
def test_what_is_no_fault_is_told_with_the_nearest_guess(name: str, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        names.make(name, parameters)


def test_every_fault_says_what_happens() -> None:
    known = names.known()
    assert {"process.kill", "database.down", "aws.gone", "aws.cut", "meta.brown_out", "meta.token_dead"} <= set(known)
    assert all(len(one) > 20 for one in known.values())
