"""Accepted is any 2xx, refused any 4xx; what the target wrote can be anything, and is quoted in 200 characters."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PromiseBroken
from harness.probes.meta import MetaProbe, hashes_of, summary
from harness.target import Answers, Refusal
from harness.target_json import target_json
from harness.testing import Answer, must_accept, must_refuse
from tests.rows import each_row

DECLARED = Answers(accepted=202, bad_signature=401, too_large=413)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@each_row("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_accepted_whatever_is_declared(status: int) -> None:
    """The declared code is a promise of its own, G-63."""
    must_accept(Answer(status=status, declared=DECLARED))


@each_row("status", [None, 199, 302, 400, 404, 422, 500, 503])
def test_what_is_no_2xx_is_quoted(status: int | None) -> None:
    answer = Answer(status=status, text='{"detail":\n "no"}' + "x" * 500)
    with pytest.raises(PromiseBroken) as broken:
        must_accept([Answer(status=200), answer], "a sale must be accepted")
    said = "nothing" if status is None else str(status)
    assert str(broken.value).startswith(f'a sale must be accepted; it was answered with {said} {{"detail": "no"}}')
    assert len(str(broken.value)) < 280


@each_row(
    ("kind", "status", "is_refused"),
    [
        ("bad_signature", 401, True),
        ("bad_signature", 400, False),
        ("too_large", 413, True),
        ("too_large", 400, False),
        ("malformed", 400, True),
        ("malformed", 418, True),
        ("malformed", 200, False),
        ("malformed", 302, False),
        ("malformed", 500, False),
        ("malformed", None, False),
    ],
)
def test_any_4xx_is_refused_unless_another_is_declared(kind: Refusal, status: int | None, is_refused: bool) -> None:
    answer = Answer(status=status, declared=DECLARED)
    if is_refused:
        must_refuse(answer, kind, "it must be refused")
    else:
        with pytest.raises(PromiseBroken, match="it must be refused"):
            must_refuse(answer, kind, "it must be refused")


@each_row("text", ["", "<html>", "[]", "3", "null", '"ok"', "{", "[" * 100_000, "\ud800"])
def test_what_is_no_object_is_a_broken_promise(text: str) -> None:
    with pytest.raises(PromiseBroken, match="a JSON object was wanted"):
        Answer(status=200, text=text).json()


def test_a_member_that_is_missing_is_a_broken_promise() -> None:
    """At any depth, with the names of those that are there."""
    answer = Answer(status=200, text='{"a": [{"b": 1}]}').json()
    assert answer["a"][0]["b"] == 1
    assert answer.get("x") is None
    with pytest.raises(PromiseBroken, match="'c' is missing in what the target wrote, which has b"):
        answer["a"][0]["c"]


class Inbox(MetaProbe):
    """A pixel's inbox that holds one call with this event."""

    def __init__(self, event: Any) -> None:
        super().__init__("http://127.0.0.1:1", "1")
        self.event = event

    def _call(self, method: str, path: str, **options: Any) -> Any:
        call = {"seq": 1, "status": 200, "at_s": 1.0, "source": "server", "events": [self.event]}
        return {"calls": [call] if options["params"]["after"] == 0 else [], "dropped": 0}


@given(user_data=anything, custom_data=anything, em=anything)
def test_any_event_can_be_looked_into(user_data: Any, custom_data: Any, em: Any) -> None:
    """What a target sends as one may have every member of the wrong kind."""
    for event in ({"user_data": user_data, "custom_data": custom_data}, {"user_data": {"em": em, "ph": em}}):
        (call,) = Inbox({**event, "verdict": "refused"}).calls()
        (found,) = call["events"]
        assert isinstance(hashes_of(found), tuple)
        assert summary(call)
        assert isinstance(found.get("custom_data") or {}, dict)
        assert len(Inbox({**event, "verdict": "counted"}).arrivals()) == 1


@given(anything)
def test_reading_changes_no_value(value: Any) -> None:
    assert json.dumps(target_json(value)) == json.dumps(value)
