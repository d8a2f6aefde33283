"""The dashboard's pictures: each line where its numbers are, and in words for who has never opened CloudWatch."""

from typing import Any

from reports.dashboard import HEIGHT, WIDTH, draw


def widget(*lines: dict[str, Any], starts_s: int = 1_772_366_400) -> dict[str, Any]:
    return {"title": "Webhooks", "starts_s": starts_s, "step_s": 60, "lines": [*lines]}


def line(*values: float | None, name: str = "WebhookRequests", right: bool = False) -> dict[str, Any]:
    return {"name": name, "values": [*values], "right": right}


def test_a_gap_is_drawn_as_a_gap_and_a_value_alone_as_a_dot() -> None:
    """A minute without a word is what monitoring is about: no line may be drawn across it."""
    (curve,) = draw(widget(line(1, 2, None, 4, None, 3, 3))).curves
    assert [len(piece.split()) for piece in curve.pieces] == [2, 2]
    assert len(curve.dots) == 1
    assert (curve.last, curve.most) == ("3", "4")


def test_the_highest_value_of_a_side_reaches_the_top_and_all_stay_inside() -> None:
    picture = draw(widget(line(10, 5), line(2, 1), line(700, 350, right=True)))
    heights = [[float(point.split(",")[1]) for point in one.pieces[0].split()] for one in picture.curves]
    assert heights[0][0] == heights[2][0] == min(min(one) for one in heights), "each side has a scale of its own"
    assert heights[1][0] > heights[0][1], "two beside ten"
    places = [tuple(map(float, point.split(","))) for one in picture.curves for point in one.pieces[0].split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_lines_are_named_in_words() -> None:
    names = {
        "WebhookLatencyMs p95": "time to answer a webhook, ms: 95 of 100 were faster",
        "ApproximateAgeOfOldestMessage golive-staging-dispatch-dlq": (
            "age in seconds of the oldest message in golive-staging-dispatch-dlq"
        ),
        "ApproximateAgeOfOldestMessage": "age in seconds of the oldest message",
        "ApproximateNumberOfMessagesVisible": "messages that wait",
        "SomethingOfTheirOwn p95": "SomethingOfTheirOwn p95",
    }
    assert {one: draw(widget(line(1, 2, name=one))).curves[0].words for one in names} == names


def test_nothing_told_is_said() -> None:
    picture = draw(widget(line(None, None)))
    assert picture.silent
    assert picture.summary == "Webhooks. webhooks that came in: last nothing told, most nothing told"
    assert not draw(widget(line(None, 0.0))).silent, "zero is a number"


def test_hours_are_told_at_round_minutes() -> None:
    """Twenty minutes from 12:03: a tick every five, where that minute is."""
    picture = draw(widget(line(*[1.0] * 20), starts_s=1_772_366_400 + 180))
    assert [text for _, text in picture.ticks] == ["12:05", "12:10", "12:15", "12:20"]
    assert [x for x, _ in picture.ticks] == sorted(x for x, _ in picture.ticks)
