"""Which tokens may write where, and how each dead one is told."""

import random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.meta.decode import Parameters
from simulators.meta.errors import GraphError
from simulators.meta.nodes import exchange
from simulators.meta.state import Meta
from simulators.meta.switches import Switches
from simulators.meta.tokens import STATES, Token, Tokens
from tests.rows import each_row

NOW_S = 1_795_500_000.0
TOKEN = "EAAgood7Qx1"


def tokens(*, switches: Switches | None = None, **changes: object) -> Tokens:
    """Pixel 1 and its one token."""
    known = Tokens(switches or Switches())
    known.register("1", [Token(**{"token": TOKEN, "issued_at_s": 0, **changes})])  # type: ignore[arg-type]
    return known


def refused(known: Tokens, token: str | None, *, now_s: float = NOW_S) -> GraphError:
    with pytest.raises(GraphError) as caught:
        known.check(token, now_s=now_s)
    return caught.value


def test_a_living_token_writes_to_its_pixels_only() -> None:
    """Another pixel and one that does not exist are told alike: 100/33."""
    known = tokens()
    known.register("2", [])
    token = known.check(TOKEN, now_s=NOW_S)
    known.check_access(token, "1", method="post")
    for pixel in ("2", "3"):
        with pytest.raises(GraphError) as caught:
            known.check_access(token, pixel, method="post")
        assert (caught.value.code, caught.value.subcode, caught.value.status) == (100, 33, 400)
        assert f"Unsupported post request. Object with ID '{pixel}'" in caught.value.message


@each_row(
    ("token", "code", "subcode", "status"),
    [
        (None, 104, None, 400),
        ("", 104, None, 400),
        ("IGAAgood", 190, None, 401),
        ("EAA with blanks", 190, None, 401),
        ("EAA", 190, None, 401),
        ("EAAunknown", 190, 463, 401),
        (TOKEN.lower(), 190, None, 401),
        (TOKEN + "x", 190, 463, 401),
    ],
)
def test_a_token_that_is_not_known(token: str | None, code: int, subcode: int | None, status: int) -> None:
    """None at all, one that cannot be parsed, one that nobody gave out."""
    error = refused(tokens(), token)
    assert (error.code, error.subcode, error.status) == (code, subcode, status)


@each_row(
    ("state", "subcode", "switchable"),
    [
        ("expired", 463, True),
        ("password_changed", 460, True),
        ("logged_out", 467, True),
        ("app_removed", 458, True),
        ("app_deleted", None, False),
        ("unparsable", None, False),
    ],
)
@each_row("auth_status", [400, 401])
def test_each_death_has_its_subcode(
    state: str, subcode: int | None, switchable: bool, auth_status: Literal[400, 401]
) -> None:
    """190 always; its status is a switch where both are on record; the token is not quoted."""
    error = refused(tokens(state=state, switches=Switches(auth_status=auth_status)), TOKEN)
    assert (error.code, error.subcode) == (190, subcode)
    assert not switchable or error.status == auth_status
    assert TOKEN not in str(error.envelope("A"))


def test_every_state_is_tested() -> None:
    """A new state needs a line above."""
    assert set(STATES) == {
        "valid", "expired", "password_changed", "logged_out", "app_removed", "app_deleted", "unparsable"
    }  # fmt: skip


def test_expiry_is_a_moment_on_the_clock() -> None:
    """Valid until a moment before, 463 from then on, and the sentence tells both times."""
    known = tokens(expires_at_s=NOW_S)
    assert known.check(TOKEN, now_s=NOW_S - 0.001).token == TOKEN
    assert refused(known, TOKEN, now_s=NOW_S).subcode == 463
    message = refused(known, TOKEN, now_s=NOW_S + 3600).message
    assert "Session has expired on Monday, 23-Nov-26 22:00:00 PST. " in message
    assert "The current time is Monday, 23-Nov-26 23:00:00 PST." in message


def test_registering_again_replaces() -> None:
    """A token left out loses this pixel and no other; one named again takes its new state."""
    known = tokens()
    known.register("2", [Token(token=TOKEN, issued_at_s=0)])
    known.register("1", [Token(token="EAAother", issued_at_s=0)])
    assert known.check(TOKEN, now_s=NOW_S).pixels == {"2"}
    assert known.check("EAAother", now_s=NOW_S).pixels == {"1"}
    known.register("1", [Token(token="EAAother", issued_at_s=0, state="logged_out")])
    assert refused(known, "EAAother").subcode == 467


def test_open_takes_any_pixel_and_any_token_that_looks_like_one() -> None:
    """Developer mode; what is registered keeps its rules."""
    known = tokens(switches=Switches(open=True))
    stranger = known.check("EAAstranger", now_s=NOW_S)
    for token, pixel in [(stranger, "9"), (stranger, "1"), (known.check(TOKEN, now_s=NOW_S), "9")]:
        known.check_access(token, pixel, method="post")
    known.register("2", [])
    with pytest.raises(GraphError):
        known.check_access(known.check(TOKEN, now_s=NOW_S), "2", method="post")
    assert refused(known, "stranger").code == 190
    assert (known.knows_pixel("9"), tokens().knows_pixel("9"), tokens().knows_pixel("1")) == (True, False, True)


def test_a_token_does_not_show_itself() -> None:
    """Neither in a repr nor in the id of its user, which is always the same."""
    one, again = Token(token=TOKEN, issued_at_s=0), Token(token=TOKEN, issued_at_s=9)
    assert TOKEN not in repr(one)
    assert one.user_id == again.user_id != Token(token="EAAother", issued_at_s=0).user_id
    assert one.user_id.isdigit()


@settings(deadline=None, derandomize=True)
@given(text=st.text())
def test_any_text_is_a_token_or_a_refusal(text: str) -> None:
    """What was never given out is never taken, whatever it is."""
    error = refused(tokens(), text)
    assert error.code in {104, 190}
    assert not text or len(text) < 8 or text not in error.message


def test_a_fake_that_begins_anew_does_not_exchange_a_token_for_itself() -> None:
    """With the same seed, and the token that the first one gave out: else a renewal would change nothing."""

    def renewed(old: str) -> str:
        meta = Meta(now_s=lambda: NOW_S, rng=random.Random(0))
        meta.tokens.register("900", [Token(token=old, issued_at_s=0)])
        values = {"client_id": "1", "client_secret": "s", "grant_type": "fb_exchange_token", "fb_exchange_token": old}
        answer = exchange(meta, Parameters(values, None))
        assert isinstance(answer, dict)
        return str(answer["access_token"])

    first = renewed("EAAfirst0000000")
    assert renewed("EAAfirst0000000") == first, "the same seed, the same token"
    assert renewed(first) != first
