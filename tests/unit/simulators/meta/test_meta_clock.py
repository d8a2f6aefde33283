"""The fake's clock jumps forward, and all that it judges by time jumps with it."""

import random

import pytest

from simulators.meta.errors import GraphError
from simulators.meta.state import Meta, NoWayBack
from simulators.meta.tokens import Token

NOW_S = 1_795_500_000.0
DAY_S = 86_400


@pytest.fixture
def meta() -> Meta:
    """A fake whose own clock stands still."""
    return Meta(now_s=lambda: NOW_S, rng=random.Random(0))


def test_jumps_add_up(meta: Meta) -> None:
    """A moment is a moment, however often the clock has jumped; the present itself is no way back."""
    for to_s in (NOW_S + DAY_S, NOW_S + 60 * DAY_S, NOW_S + 60 * DAY_S):
        assert meta.travel(to_s) == to_s
        assert meta.now_s() == to_s


def test_it_never_goes_back(meta: Meta) -> None:
    """Refused with how far back that is, and the clock stays."""
    meta.travel(NOW_S + DAY_S)
    with pytest.raises(NoWayBack, match="86400 s ago"):
        meta.travel(NOW_S)
    assert meta.now_s() == NOW_S + DAY_S


def test_a_token_ends_on_the_way(meta: Meta) -> None:
    """One that lives sixty days is dead after sixty, and is still told of as a token of its pixel."""
    token = Token(token="EAAgood7Qx1", issued_at_s=int(NOW_S), expires_at_s=NOW_S + 60 * DAY_S)
    meta.tokens.register("1", [token])
    meta.tokens.register("2", [Token(token="EAAother", issued_at_s=int(NOW_S))])
    meta.travel(NOW_S + 59 * DAY_S)
    meta.tokens.check(token.token, now_s=meta.now_s())
    meta.travel(NOW_S + 60 * DAY_S)
    with pytest.raises(GraphError):
        meta.tokens.check(token.token, now_s=meta.now_s())
    assert [one.state_at(meta.now_s()) for one in meta.tokens.of("1")] == ["expired"]
