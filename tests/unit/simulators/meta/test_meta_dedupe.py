"""The same event_id and event_name at the same pixel count once within 48 hours."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.meta.dedupe import WINDOW_S, Dedupe
from tests.rows import each_row

NOW_S = 1_772_366_400.0


@each_row(
    ("pixel", "event_id", "event_name", "after_s", "counts"),
    [
        ("1", "a", "Purchase", 0.0, False),
        ("1", "a", "Purchase", WINDOW_S - 1, False),
        ("1", "a", "Purchase", WINDOW_S, True),
        ("2", "a", "Purchase", 0.0, True),
        ("1", "b", "Purchase", 0.0, True),
        ("1", "a", "Lead", 0.0, True),
        ("1", "a", "purchase", 0.0, True),
        ("1", None, "Purchase", 0.0, True),
        ("1", "", "Purchase", 0.0, True),
    ],
)
def test_what_counts_after_a_purchase(
    pixel: str, event_id: str | None, event_name: str, after_s: float, counts: bool
) -> None:
    """Pixel, id and name together make the key; the window ends after 48 hours to the second."""
    dedupe = Dedupe()
    assert dedupe.counts("1", "a", "Purchase", NOW_S)
    assert dedupe.counts(pixel, event_id, event_name, NOW_S + after_s) is counts


@each_row("event_id", [None, ""])
def test_without_an_id_everything_counts(event_id: str | None) -> None:
    """Such events are not remembered either."""
    dedupe = Dedupe(capacity=1)
    assert all(dedupe.counts("1", event_id, "Purchase", NOW_S) for _ in range(3))
    assert dedupe.forgotten == 0


def test_a_duplicate_does_not_prolong_the_window() -> None:
    """The 48 hours run from what counted, and a second window from what counted then."""
    dedupe = Dedupe()
    hours = [0, 47, 48, 49, 95, 96]
    found = [dedupe.counts("1", "a", "Purchase", NOW_S + hour * 3600) for hour in hours]
    assert found == [True, False, True, False, False, True]


def test_want_of_room_is_told() -> None:
    """The oldest go first and are counted as forgotten; those over their 48 hours are not."""
    dedupe = Dedupe(capacity=2)
    assert all(dedupe.counts("1", key, "Purchase", NOW_S) for key in "abc")
    assert [dedupe.counts("1", key, "Purchase", NOW_S) for key in "abc"] == [False] * 3
    assert dedupe.forgotten == 0
    assert dedupe.counts("1", "d", "Purchase", NOW_S)
    assert dedupe.forgotten == 2
    assert [dedupe.counts("1", key, "Purchase", NOW_S) for key in "cda"] == [False, False, True]
    late = Dedupe(capacity=2)
    assert all(late.counts("1", key, "Purchase", NOW_S + number * WINDOW_S) for number, key in enumerate("abcdef"))
    assert late.forgotten == 0


@settings(deadline=None, derandomize=True)
@given(capacity=st.integers(1, 6), keys=st.lists(st.integers(0, 20), max_size=60))
def test_at_least_so_many_are_remembered_and_at_most_twice_as_many(capacity: int, keys: list[int]) -> None:
    """Whatever came between: the last ones that counted are known, and none is that came long before."""
    dedupe, order = Dedupe(capacity=capacity), list[int]()
    for key in keys:
        known = not dedupe.counts("1", str(key), "Purchase", NOW_S)
        assert known or key not in order[-capacity:]
        assert not known or key in order[-2 * capacity :]
        if not known:
            order.append(key)


@settings(deadline=None, derandomize=True)
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from("12"), st.sampled_from("abc"), st.sampled_from(["Purchase", "Lead"]), st.integers(0, 30)
        ),
        max_size=40,
    )
)
def test_it_agrees_with_the_rule_written_down_naively(calls: list[tuple[str, str, str, int]]) -> None:
    """For any order of arrivals: first of its key, or 48 hours after the last that counted."""
    dedupe, counted, now_s = Dedupe(), dict[tuple[str, str, str], float](), NOW_S
    for pixel, event_id, event_name, hours in calls:
        now_s += hours * 3600
        key = (pixel, event_id, event_name)
        expected = key not in counted or now_s - counted[key] >= WINDOW_S
        if expected:
            counted[key] = now_s
        assert dedupe.counts(pixel, event_id, event_name, now_s) is expected
