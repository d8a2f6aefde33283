"""Which click a purchase came from: last touch inside the window, by the surest identifier; and who refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reference_impl.domain.conversion import Trail
from reference_impl.domain.matching import Candidate, Contact, Match, best_match, contact_after, denied
from tests.rows import each_row

PAID_S = 1_772_366_400
DAY_S = 86_400
WINDOW_S = 7 * DAY_S
EM, PH, FBCLID = "e" * 64, "f" * 64, "IwAR0aBcDeFgHiJkLmNoPqRs"


def click(name: str, *, ago_s: float = 3600, **identifiers: Any) -> Candidate:
    return Candidate(click_id=name, clicked_at_s=PAID_S - ago_s, **identifiers)


def match(*candidates: Candidate, **changes: Any) -> tuple[str, str] | None:
    """(click id, method) for a purchase that knows all four identifiers, unless told otherwise."""
    asked: dict[str, Any] = {
        "paid_at_s": PAID_S, "paid_within_s": 1, "window_s": WINDOW_S,
        "trail": Trail(click_id="named", fbclid=FBCLID), "em": EM, "ph": PH,
    }  # fmt: skip
    found = best_match(candidates, **asked | changes)
    return None if found is None else (found.candidate.click_id, found.method)


BY_PHONE, BY_MAIL = click("phone", ago_s=10, ph=PH), click("mail", ago_s=100, em=EM)
BY_FBCLID, BY_ID = click("fb", ago_s=1000, fbclid=FBCLID), click("named", ago_s=10_000)


@each_row(
    ("candidates", "found"),
    [
        ((BY_PHONE, BY_MAIL, BY_FBCLID, BY_ID), ("named", "click_id")),
        ((BY_PHONE, BY_MAIL, BY_FBCLID), ("fb", "fbclid")),
        ((BY_PHONE, BY_MAIL), ("mail", "email")),
        ((BY_PHONE,), ("phone", "phone")),
        ((), None),
    ],
)
def test_the_surest_identifier_wins(candidates: tuple[Candidate, ...], found: tuple[str, str] | None) -> None:
    """Though its click be the oldest."""
    assert match(*candidates) == match(*reversed(candidates)) == found


def test_of_several_clicks_the_last_one_wins() -> None:
    """Last touch, in whatever order they come."""
    clicks = [click(str(ago_s), ago_s=ago_s, em=EM) for ago_s in (50, 5, 500)]
    assert match(*clicks) == match(*reversed(clicks)) == ("5", "email")


@each_row(
    ("ago_s", "within_s", "found"),
    [
        (WINDOW_S, 1, True),
        (WINDOW_S + 0.001, 1, False),
        (0, 1, True),
        (-0.999, 1, True),  # the same second: the payment's fraction is cut off
        (-1, 1, False),
        (-59.9, 60, True),  # the same minute at Kiwify's
        (-59.9, 1, False),
        (-60, 60, False),
        (-DAY_S, 60, False),
    ],
)
def test_a_click_counts_from_the_window_to_the_payment(ago_s: float, within_s: float, found: bool) -> None:
    """Not older, and not after the payment, which was somewhere in the second or minute that the gateway tells."""
    assert (match(click("c", ago_s=ago_s, em=EM), paid_within_s=within_s) is not None) is found


def test_outside_the_window_a_weaker_identifier_may_still_tell() -> None:
    """The named click is too old; the e-mail's is not."""
    assert match(replace(BY_ID, clicked_at_s=PAID_S - WINDOW_S - 1), BY_MAIL) == ("mail", "email")


@each_row("nothing", [None, ""])
def test_an_absent_identifier_matches_nobody(nothing: Any) -> None:
    """None is not None's likeness, nor one empty text another's."""
    nobody = Candidate(click_id="c", clicked_at_s=PAID_S - 1, fbclid=nothing, em=nothing, ph=nothing)
    assert match(nobody, trail=Trail(click_id=nothing, fbclid=nothing), em=nothing, ph=nothing) is None


def test_click_ids_are_case_sensitive() -> None:
    """An fbclid in small letters is another one."""
    assert match(click("c", fbclid=FBCLID.lower())) is None
    assert match(click("NAMED")) is None


clicks = st.lists(
    st.builds(
        Candidate,
        click_id=st.sampled_from(["a", "b", "named"]),
        clicked_at_s=st.floats(PAID_S - 2 * WINDOW_S, PAID_S + DAY_S),
        fbclid=st.sampled_from([None, FBCLID, "other"]),
        em=st.sampled_from([None, EM, "other"]),
        ph=st.sampled_from([None, PH, "other"]),
        consent=st.sampled_from(["granted", "denied", "unknown"]),
    ),
    max_size=8,
)


@given(clicks)
def test_whatever_is_found_shares_the_identifier_and_lies_in_the_window(candidates: list[Candidate]) -> None:
    """And nothing that is as sure and later was passed over, except what is somebody else's."""
    asked = {"click_id": "named", "fbclid": FBCLID, "email": EM, "phone": PH}
    fields = {"click_id": "click_id", "fbclid": "fbclid", "email": "em", "phone": "ph"}
    found = best_match(
        candidates, paid_at_s=PAID_S, paid_within_s=1, window_s=WINDOW_S,
        trail=Trail(click_id="named", fbclid=FBCLID), em=EM, ph=PH,
    )  # fmt: skip
    inside = [one for one in candidates if PAID_S - WINDOW_S <= one.clicked_at_s < PAID_S + 1]
    has_own = any(one.em == EM or one.ph == PH for one in inside)
    others = {("other", "other"), *({("other", None), (None, "other")} if has_own else ())}
    eligible = [one for one in inside if (one.em, one.ph) not in others]
    if found is None:
        assert not any(getattr(one, fields[method]) == asked[method] for one in eligible for method in asked)
        return
    assert found.candidate in eligible
    assert getattr(found.candidate, fields[found.method]) == asked[found.method]
    rivals = [one for one in eligible if getattr(one, fields[found.method]) == asked[found.method]]
    assert found.candidate.clicked_at_s == max(one.clicked_at_s for one in rivals)


OWN = click("own", ago_s=5000, em=EM, ph=PH)


@each_row(
    ("named", "candidates", "found"),
    [
        ({"em": "other", "ph": "other"}, (), None),
        ({"em": "other", "ph": "other"}, (OWN,), ("own", "email")),
        ({"em": "other", "ph": PH}, (OWN,), ("named", "click_id")),
        ({"em": "other"}, (), ("named", "click_id")),
        ({"em": "other"}, (OWN,), ("own", "email")),
        ({"ph": "other"}, (OWN,), ("own", "email")),
        ({}, (OWN,), ("named", "click_id")),
    ],
    ids=["both", "both, own", "e-mail changed", "one", "one, own", "phone, own", "unknown"],
)
def test_a_click_of_somebody_else_on_the_device_is_passed_over(
    named: dict[str, str], candidates: tuple[Candidate, ...], found: tuple[str, str] | None
) -> None:
    """By whom it was, not by whose browser carried it; one identifier that differs is no proof by itself."""
    assert match(click("named", ago_s=60, **named), *candidates) == found
    by_fbclid = match(click("x", ago_s=60, fbclid=FBCLID, **named), *candidates)
    assert by_fbclid == (found and (found[0].replace("named", "x"), found[1].replace("click_id", "fbclid")))


def test_who_is_outside_the_window_proves_nothing() -> None:
    """A click of one's own that is too old does not make another one a stranger's."""
    old = click("old", ago_s=WINDOW_S + 60, em=EM, ph=PH)
    assert match(click("named", ago_s=60, em="other"), old) == ("named", "click_id")


@each_row(
    ("known", "told", "after"),
    [
        ((None, None), ("a", None), ("a", None)),
        (("a", "1"), ("b", None), ("b", "1")),
        (("a", "1"), ("b", "1"), ("b", "1")),
        (("a", "1"), ("b", "2"), ("a", "1")),
        (("a", None), ("b", "2"), ("b", "2")),
        (("a", "1"), (None, None), ("a", "1")),
    ],
)
def test_a_contact_is_corrected_and_not_taken_over(known: Any, told: Any, after: Any) -> None:
    """Who differs in both is somebody else, and the click stays its visitor's."""
    assert contact_after(Contact(em=known[0], ph=known[1]), Contact(em=told[0], ph=told[1])) == Contact(
        em=after[0], ph=after[1]
    )


REFUSED = click("named", ago_s=30 * DAY_S, consent="denied")
OTHER_REFUSED = click("other", em=EM, consent="denied")
AGREED = click("mail", em=EM, consent="granted")


@each_row(
    ("candidates", "trail", "found", "answer"),
    [
        ([REFUSED, AGREED], Trail(click_id="named"), Match(candidate=AGREED, method="email"), True),
        ([REFUSED], Trail(click_id="named"), None, True),
        ([OTHER_REFUSED], Trail(), Match(candidate=OTHER_REFUSED, method="email"), True),
        ([OTHER_REFUSED, AGREED], Trail(), Match(candidate=AGREED, method="email"), False),
        ([REFUSED], Trail(), None, False),
        ([REFUSED, AGREED], Trail(click_id="mail"), Match(candidate=AGREED, method="click_id"), False),
        ([replace(AGREED, consent="unknown")], Trail(click_id="mail"), None, False),
        ([], Trail(click_id="named"), None, False),
    ],
    ids=[
        "the named click, though another matched",
        "the named click, long after the window",
        "the matched click",
        "somebody else's with the same e-mail, not matched",
        "a click that nobody names",
        "another was named",
        "unknown is no refusal",
        "no click at all",
    ],
)
def test_a_refusal_counts_for_the_click_that_is_named_or_matched(
    candidates: list[Candidate], trail: Trail, found: Match | None, answer: bool
) -> None:
    """And has no window."""
    assert denied(candidates, trail, found) is answer
