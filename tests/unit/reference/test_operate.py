"""`python -m reference_impl operate`: every request line has one answer line, whatever comes of it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from reference_impl import operate, operations
from reference_impl.settings import Settings
from tests.rows import check_rows

SETTINGS = Settings(database_url="postgresql://127.0.0.1:1/nothing-listens-here")


def served(*lines: str) -> list[dict[str, Any]]:
    """The answers to these request lines, in the order in which they were written."""
    answers = io.BytesIO()
    assert operate.serve(SETTINGS, [line.encode() for line in lines], answers) == 0
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def request(number: int, action: str, **given: Any) -> str:
    return json.dumps({"id": number, "action": action, "input": given})


def test_a_line_that_is_no_request_is_answered_with_what_is_wanted() -> None:
    def check(line: str) -> None:
        assert served(line) == [{"id": None, "error": operate._WANTED}]

    check_rows(["", "{", "[]", "7", "null", "{}", '{"id": 1}', '{"action": "redrive"}', '"\\ud800"'], check)


def test_an_action_that_is_not_there_is_answered_with_those_that_are() -> None:
    (answer,) = served(request(3, "set_flags"))
    assert answer["id"] == 3
    assert answer["error"].startswith("There is no action 'set_flags'. Known: ")
    assert "set_flag," in answer["error"]


def test_a_refused_input_is_answered_with_the_field() -> None:
    assert served('{"id": 1, "action": "event_id", "input": [1]}') == [
        {"id": 1, "error": "The input must be a JSON object."}
    ]
    (answer,) = served(request(2, "set_flag", flag="maybe"))
    assert "flag: " in answer["error"]


def test_an_action_may_have_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(operations.ACTIONS, "echo", lambda given, _: given)
    assert served('{"id": "a", "action": "echo"}') == [{"id": "a", "output": {}}]


def test_an_unforeseen_failure_is_answered_without_its_text_and_the_next_action_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the answer nor the log has it: an exception's text may quote a row, and so a person."""

    def fail(given: Mapping[str, Any], _: operations.Resources) -> Mapping[str, Any]:
        raise {"key": KeyError, "database": psycopg.OperationalError}[given["how"]]("ana@canary.example")

    monkeypatch.setitem(operations.ACTIONS, "fail", fail)
    sale = {"tenant": "t", "gateway": "stripe", "sale_id": "1"}
    answers = {
        one["id"]: one
        for one in served(
            request(1, "fail", how="key"), request(2, "fail", how="database"), request(3, "event_id", **sale)
        )
    }
    assert answers[1]["error"] == "fail failed: KeyError"
    assert answers[2]["error"] == "fail failed: the database cannot be reached (OperationalError)"
    assert answers[3]["output"]["event_id"]
    assert "operate: fail failed: KeyError at fail:" in caplog.text
    assert "canary" not in caplog.text


def test_a_slow_action_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ends only when the second has been carried out."""
    second = threading.Event()

    def first(_: Mapping[str, Any], __: operations.Resources) -> Mapping[str, Any]:
        return {"second was carried out": second.wait(5)}

    def other(_: Mapping[str, Any], __: operations.Resources) -> Mapping[str, Any]:
        second.set()
        return {}

    monkeypatch.setitem(operations.ACTIONS, "first", first)
    monkeypatch.setitem(operations.ACTIONS, "second", other)
    answers = {one["id"]: one["output"] for one in served(request(1, "first"), request(2, "second"))}
    assert answers == {1: {"second was carried out": True}, 2: {}}
