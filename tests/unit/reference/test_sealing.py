"""What cannot be hashed is sealed."""

from types import SimpleNamespace
from typing import Any

import pytest

from reference_impl.sealing import Keyring, NoDataKey, Sealer, new_key
from reference_impl.secrets import SecretStore
from tests.rows import each_row


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


@each_row("damaged", ["", "nonsense", "é", "gAAAA"])
def test_what_no_key_opens_is_none(damaged: str) -> None:
    """A lost key or a damaged row is no error: the buyer's address is a help, not a need."""
    assert Sealer([new_key()]).open(damaged) is None
    assert Sealer([new_key()]).open(Sealer([new_key()]).seal("x")) is None


@each_row("keys", [[], ["too short"]])
def test_no_key_or_a_bad_one_is_said(keys: list[str]) -> None:
    """Nothing is ever sealed with nothing."""
    with pytest.raises(ValueError, match=r"key"):
        Sealer(keys)


class Keys:
    """Secrets Manager's part."""

    def __init__(self) -> None:
        self.keys = [new_key()]
        self.reads = 0
        self.clock_s = 0.0
        self.ring = Keyring(self.read, monotonic_s=lambda: self.clock_s, ttl_s=300, reread_s=1)

    def read(self) -> list[str]:
        self.reads += 1
        return self.keys


def test_a_running_process_opens_what_a_newer_key_has_sealed() -> None:
    """Also in the moment after it has read the keys; afterwards it knows them."""
    keys = Keys()
    keys.ring.seal("x")
    keys.keys = [new_key(), *keys.keys]
    sealed = Sealer(keys.keys[:1]).seal("y")
    assert [keys.ring.open(sealed) for _ in range(3)] == ["y"] * 3
    assert keys.reads == 2


def test_what_nobody_can_open_costs_one_look_a_second() -> None:
    """A damaged row comes back with every try."""
    keys = Keys()
    keys.ring.seal("x")
    assert [keys.ring.open("damaged") for _ in range(50)] == [None] * 50
    assert keys.reads == 2
    keys.clock_s = 1
    keys.ring.open("damaged")
    assert keys.reads == 3


def test_a_running_process_seals_under_the_new_key_before_long() -> None:
    """So that a replaced key is really out of use."""
    keys = Keys()
    keys.ring.seal("x")
    keys.keys = [new_key(), *keys.keys]
    keys.clock_s = 299
    assert Sealer(keys.keys[:1]).open(keys.ring.seal("y")) is None
    keys.clock_s = 300
    assert Sealer(keys.keys[:1]).open(keys.ring.seal("y")) == "y"


def test_opening_first_reads_the_keys_once() -> None:
    """A consumer never seals."""
    keys = Keys()
    sealed = Sealer(keys.keys).seal("x")
    assert [keys.ring.open(sealed), keys.ring.open(sealed)] == ["x", "x"]
    assert keys.reads == 1


def test_before_there_is_a_key_it_is_said() -> None:
    """And the next try looks again."""
    keys = Keys()
    made, keys.keys = keys.keys, []
    with pytest.raises(NoDataKey):
        keys.ring.seal("x")
    keys.keys = made
    assert keys.ring.open(keys.ring.seal("x")) == "x"


class _Missing(Exception):
    pass


class SecretsManager:
    """As much of its client as a store of one secret needs."""

    exceptions = SimpleNamespace(ResourceNotFoundException=_Missing, ResourceExistsException=_Missing)

    def __init__(self) -> None:
        self.text: str | None = None

    def get_secret_value(self, **_: object) -> dict[str, str]:
        if self.text is None:
            raise _Missing
        return {"SecretString": self.text, "VersionId": "v"}

    def create_secret(self, **given: str) -> None:
        self.text = given["SecretString"]


def test_a_key_stays_as_long_as_what_it_sealed() -> None:
    """However often keys are replaced; after that it goes."""
    client: Any = SecretsManager()
    store = SecretStore(client)
    for at_s in (0, 10, 20, 30):
        store.add_data_key(f"key-{at_s}", now_s=at_s, keep_s=100)
    assert list(store.data_keys()) == ["key-30", "key-20", "key-10", "key-0"]
    assert store.add_data_key("key-115", now_s=115, keep_s=100) == 4
    assert list(store.data_keys()) == ["key-115", "key-30", "key-20", "key-10"]


def test_keys_without_times_are_kept_a_while_longer() -> None:
    """As the version before wrote them."""
    client: Any = SecretsManager()
    client.text = '{"keys": ["newer", "older"]}'
    store = SecretStore(client)
    store.add_data_key("newest", now_s=1000, keep_s=100)
    assert list(store.data_keys()) == ["newest", "newer", "older"]
