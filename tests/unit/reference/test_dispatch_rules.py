"""The rules of dispatch that need no wire: what an answer means, how long to wait, what travels together."""

import json
import random
from dataclasses import dataclass

import pytest

from reference_impl.dispatch.backoff import full_jitter_s
from reference_impl.dispatch.batches import SUSPECT_AFTER, halve, plan
from reference_impl.dispatch.classify import Answer, Kind, NoAnswer, classify
from tests.rows import each_row


def _answer(status: int, document: object, **headers: str) -> Answer:
    return Answer(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(document).encode()
    )


def _error(code: int, subcode: int | None = None, *, status: int = 400, **headers: str) -> Answer:
    error = {"message": "egal", "type": "OAuthException", "code": code, "error_subcode": subcode, "fbtrace_id": "A"}
    return _answer(status, {"error": error}, **headers)


def test_only_a_full_count_is_a_success() -> None:
    """A 200 whose events_received equals what was sent is the one and only success."""
    full = {"events_received": 3, "messages": [], "fbtrace_id": "A"}
    assert classify(_answer(200, full), sent=3).kind is Kind.SENT


@each_row(
    "reply",
    [
        _answer(200, {"events_received": 2, "messages": [], "fbtrace_id": "A"}),
        _answer(200, {"events_received": "3"}),
        _answer(200, {}),
        _answer(200, [3]),
        _answer(202, {"events_received": 3}),
        Answer(200, {}, b'{"events_received": 3, "mess'),
        Answer(200, {}, b""),
        Answer(200, {}, b"[" * 100_000),
        Answer(502, {}, b"<html><h1>Bad Gateway</h1></html>"),
        _answer(500, {"error": {"message": "no code"}}),
        _answer(500, {"error": "text"}),
    ],
    ids=[
        "too few",
        "text",
        "empty object",
        "a list",
        "not 200",
        "cut off",
        "empty",
        "deep",
        "html",
        "no code",
        "no object",
    ],
)
def test_what_only_looks_like_an_answer_is_an_unknown_outcome(reply: Answer) -> None:
    """Whatever does not say plainly that all was received, or what was wrong, leaves the outcome unknown."""
    assert classify(reply, sent=3).kind is Kind.UNKNOWN


def test_one_received_is_not_the_same_as_true() -> None:
    """JSON's true equals 1 in Python, and is still no count of events."""
    assert classify(_answer(200, {"events_received": True}), sent=1).kind is Kind.UNKNOWN


@each_row(
    ("code", "subcode", "kind"),
    [
        (190, 463, Kind.TOKEN),
        (190, None, Kind.TOKEN),
        (102, None, Kind.TOKEN),
        (100, 33, Kind.ACCESS),
        (10, None, Kind.ACCESS),
        (200, None, Kind.ACCESS),
        (294, None, Kind.ACCESS),
        (2635, None, Kind.ACCESS),
        (100, 2804003, Kind.POISON),
        (100, 2804050, Kind.POISON),
        (100, None, Kind.POISON),
        (1, 99, Kind.RETRY),
        (2, None, Kind.RETRY),
        (-3, None, Kind.RETRY),
        (987654, None, Kind.RETRY),
        (4, 1504022, Kind.THROTTLED),
        (17, 2446079, Kind.THROTTLED),
        (613, None, Kind.THROTTLED),
        (80004, 2446079, Kind.THROTTLED),
    ],
)
@each_row("status", [200, 400, 401, 500])
def test_the_code_decides_whatever_the_http_status(code: int, subcode: int | None, kind: Kind, status: int) -> None:
    """A code means the same under every HTTP status, a 200 included."""
    outcome = classify(_error(code, subcode, status=status), sent=1)
    assert (outcome.kind, outcome.code, outcome.subcode, outcome.status) == (kind, code, subcode, status)


def test_a_request_that_never_left_is_no_unknown_outcome() -> None:
    """Nobody answered the connection: Meta has counted nothing, and the event is simply sent later."""
    assert classify(NoAnswer(left=False, reason="ConnectTimeout"), sent=1).kind is Kind.RETRY
    assert classify(NoAnswer(left=True, reason="ReadTimeout"), sent=1).kind is Kind.UNKNOWN


def test_only_an_ill_meta_may_trip_the_breaker() -> None:
    """A refused event, a dead token, a missing right and a throttle all prove that Meta works."""
    alive = {kind for kind in Kind if classify(_CASES[kind], sent=1).proves_meta_alive}
    assert alive == {Kind.SENT, Kind.POISON, Kind.TOKEN, Kind.ACCESS, Kind.THROTTLED}


_CASES = {
    Kind.SENT: _answer(200, {"events_received": 1}),
    Kind.POISON: _error(100, 2804009),
    Kind.RETRY: _error(2, status=500),
    Kind.UNKNOWN: NoAnswer(left=True, reason="ReadTimeout"),
    Kind.THROTTLED: _error(4),
    Kind.TOKEN: _error(190),
    Kind.ACCESS: _error(10, status=403),
}


@each_row("kind", Kind)
def test_every_kind_can_happen(kind: Kind) -> None:
    """The example of each kind is read as that kind, and its reason says something."""
    outcome = classify(_CASES[kind], sent=1)
    assert outcome.kind is kind
    assert outcome.reason


def test_a_throttle_says_how_long() -> None:
    """The longest regain time of any business object counts, in minutes; Retry-After in seconds."""
    usage = {
        "1": [{"type": "ads_management", "estimated_time_to_regain_access": 2}],
        "2": [{"type": "ads_management", "estimated_time_to_regain_access": 19}, {"call_count": 3}],
    }
    assert classify(_error(80004, x_business_use_case_usage=json.dumps(usage)), sent=1).wait_s == 19 * 60
    assert classify(_error(4, retry_after="7"), sent=1).wait_s == 7
    assert classify(Answer(429, {"retry-after": "7"}, b"slow down"), sent=1).wait_s == 7


@each_row(
    "header", ["", "[]", "nonsense", '{"1": 5}', '{"1": [5]}', '{"1": [{"estimated_time_to_regain_access": -1}]}']
)
def test_a_throttle_header_that_says_nothing_is_survived(header: str) -> None:
    """A throttle without a readable wait leaves the wait to our own backoff."""
    outcome = classify(_error(4, x_business_use_case_usage=header, retry_after="soon"), sent=1)
    assert (outcome.kind, outcome.wait_s) == (Kind.THROTTLED, None)


def test_a_proxys_page_before_meta_is_a_plain_retry() -> None:
    """A 4xx page without JSON never reached Meta, so nothing can have been counted."""
    assert classify(Answer(403, {}, b"<html>blocked</html>"), sent=1).kind is Kind.RETRY
    assert classify(Answer(302, {"location": "https://x"}, b""), sent=1).kind is Kind.RETRY


def test_full_jitter_covers_the_whole_span_and_keeps_the_cap() -> None:
    """Waits are spread from zero to the doubled base, and never pass the maximum."""
    rng = random.Random(7)
    third = [full_jitter_s(3, base_s=0.5, max_s=60, rng=rng) for _ in range(2_000)]
    assert 0 <= min(third) < 0.1
    assert 1.9 < max(third) <= 2.0
    assert 0.9 < sum(third) / len(third) < 1.1
    assert max(full_jitter_s(5_000, base_s=0.5, max_s=60, rng=rng) for _ in range(200)) <= 60


@dataclass(frozen=True)
class _Tried:
    name: str
    attempts: int = 1


def test_a_plan_keeps_order_and_size() -> None:
    """Conversions go in batches of the given size, none missing, none twice, in order."""
    all_of_them = [_Tried(str(number)) for number in range(7)]
    assert plan(all_of_them, size=3) == [all_of_them[:3], all_of_them[3:6], all_of_them[6:]]
    assert plan([], size=3) == []


def test_a_suspect_travels_alone() -> None:
    """What was tried often without an end no longer shares a request with others."""
    suspect = _Tried("suspect", SUSPECT_AFTER)
    calm = [_Tried("a"), _Tried("b", SUSPECT_AFTER - 1)]
    assert plan([suspect, *calm], size=50) == [calm, [suspect]]


@each_row("size", [0, 1001])
def test_a_batch_has_metas_limits(size: int) -> None:
    """Sizes that Meta would refuse are refused here, by name."""
    with pytest.raises(ValueError, match="1 to 1000"):
        plan([_Tried("a")], size=size)


@each_row("size", [2, 3, 50, 1000])
def test_halving_loses_nothing(size: int) -> None:
    """Two halves make the whole again, and neither is empty."""
    whole = list(range(size))
    left, right = halve(whole)
    assert left + right == whole
    assert left
    assert right


def test_one_event_is_not_halved() -> None:
    """A batch of one is the bad event itself."""
    with pytest.raises(ValueError, match="bad one"):
        halve([1])
