"""What cannot be hashed is sealed."""

import pytest

from reference_impl.sealing import Sealer, new_key


def test_what_is_sealed_opens_and_shows_nothing() -> None:
    """The text comes back, and does not stand in what is stored."""
    sealer = Sealer([new_key()])
    sealed = sealer.seal("203.0.113.7")
    assert "203.0.113.7" not in sealed
    assert sealer.open(sealed) == "203.0.113.7"


def test_two_seals_of_one_text_cannot_be_told_to_be_alike() -> None:
    """Or equal addresses could be found by looking."""
    sealer = Sealer([new_key()])
    assert sealer.seal("203.0.113.7") != sealer.seal("203.0.113.7")


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    """So keys can be replaced while what they sealed is needed."""
    old, new = new_key(), new_key()
    assert Sealer([new, old]).open(Sealer([old]).seal("x")) == "x"
    assert Sealer([new]).open(Sealer([new, old]).seal("x")) == "x"


@pytest.mark.parametrize("damaged", ["", "nonsense", "é", "gAAAA"])
def test_what_no_key_opens_is_none(damaged: str) -> None:
    """A lost key or a damaged row is no error: the buyer's address is a help, not a need."""
    assert Sealer([new_key()]).open(damaged) is None
    assert Sealer([new_key()]).open(Sealer([new_key()]).seal("x")) is None


@pytest.mark.parametrize("keys", [[], ["too short"]])
def test_no_key_or_a_bad_one_is_said(keys: list[str]) -> None:
    """Nothing is ever sealed with nothing."""
    with pytest.raises(ValueError, match=r"key"):
        Sealer(keys)
