"""Shards: a function of the name alone; together they are everything, once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.sharding import Shard, shard_of
from tests.rows import each_row


@given(key=st.text(min_size=1, max_size=40), count=st.integers(1, 50))
def test_every_scenario_has_one_shard(key: str, count: int) -> None:
    holders = [index for index in range(1, count + 1) if Shard(index, count).holds(key)]
    assert holders == [shard_of(key, count)]


def test_a_name_keeps_its_shard_for_ever() -> None:
    """Another machine, another golive: the parts must fit together."""
    assert [shard_of(key, 3) for key in ("S-01[hotmart-plan]", "G-07[stripe-vendor]", "R-60[bad_day]")] == PLACES


PLACES = [2, 3, 2]


@each_row("text", ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/3", "1/1001"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)


def test_a_shard_is_written_as_it_is_read() -> None:
    assert str(Shard.parse("2/3")) == "2/3"
