"""A process's cache of gateway secrets: never behind for long, never hammered."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import EndpointConnectionError

from reference_impl.secrets import GatewaySecret, GatewaySecrets


class Store:
    """Secrets Manager's part. `gate`, where set, is waited for inside each read."""

    def __init__(self) -> None:
        self.secret = GatewaySecret(values=("old",))
        self.reads = 0
        self.error: Exception | None = None
        self.gate: threading.Event | None = None
        self.reading = threading.Event()

    def gateway_secrets(self, _: str) -> Mapping[str, GatewaySecret]:
        self.reads += 1
        self.reading.set()
        if self.gate:
            assert self.gate.wait(10)
        if self.error:
            raise self.error
        return {"stripe": self.secret}


class World:
    def __init__(self) -> None:
        self.store = Store()
        self.clock_s = 1000.0
        self.now_s = 1_800_000_000.0
        store: object = self.store
        self.cache = GatewaySecrets(
            store,  # type: ignore[arg-type]
            ttl_s=60,
            monotonic_s=lambda: self.clock_s,
            now_s=lambda: self.now_s,
            reread_s=1,
            patience_s=5,
        )

    def of(self, version: int = 0) -> tuple[str, ...]:
        return tuple(self.cache.of("t1", "stripe", version=version))

    def newer(self, than: tuple[str, ...] = ("old",)) -> tuple[str, ...]:
        return tuple(self.cache.newer("t1", "stripe", than))


@pytest.fixture
def world() -> World:
    return World()


def away() -> Exception:
    return EndpointConnectionError(endpoint_url="http://x")


def test_a_rotation_of_ours_is_felt_at_once(world: World) -> None:
    """The version comes with the account; a new one means that what is cached is out of date."""
    assert world.of() == ("old",)
    world.store.secret = GatewaySecret(values=("new",))
    assert world.of(version=0) == ("old",)
    assert world.of(version=1) == ("new",)
    assert world.of(version=0) == ("new",), "a request that began before the rotation must not bring the old one back"
    assert world.store.reads == 2


def test_a_revoked_secret_is_not_believed_because_its_end_cannot_be_read(world: World) -> None:
    """Of a new version nothing is known, and the old one's may be what leaked."""
    world.of()
    world.store.error = away()
    with pytest.raises(EndpointConnectionError):
        world.of(version=1)


def test_a_rotation_past_us_is_found_by_its_first_webhook(world: World) -> None:
    """Also in the same second in which the secret was read."""
    world.of()
    world.store.secret = GatewaySecret(values=("new", "old"))
    assert world.newer() == ("new", "old")
    assert world.of() == ("new", "old")


def test_forgeries_cost_one_read_a_second_and_tenant(world: World) -> None:
    """However many there are."""
    world.of()
    assert [world.newer() for _ in range(100)] == [()] * 100
    assert world.store.reads == 2
    world.clock_s += 1
    world.newer()
    assert world.store.reads == 3


def test_many_at_once_share_one_read(world: World) -> None:
    """And all are told what it found, however long it took."""
    world.of()
    world.store.secret = GatewaySecret(values=("new",))
    world.store.gate = threading.Event()
    world.store.reading.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(world.newer) for _ in range(8)]
        assert world.store.reading.wait(10)
        world.clock_s += 2
        world.store.gate.set()
        assert [one.result() for one in asked] == [("new",)] * 8
    assert world.store.reads == 2


def test_an_old_secret_is_used_while_the_store_is_away(world: World) -> None:
    """Secrets Manager being down refuses no webhook of a tenant that is known; it is asked once a second."""
    world.of()
    world.store.error = away()
    world.clock_s += 3600
    assert [world.of() for _ in range(10)] == [("old",)] * 10
    assert world.store.reads == 2
    assert world.newer() == ()
    world.store.error, world.store.secret = None, GatewaySecret(values=("new",))
    world.clock_s += 1
    assert world.of() == ("new",)


def test_while_one_reads_again_the_others_go_on(world: World) -> None:
    """A slow store slows one request, not all."""
    world.of()
    world.clock_s += 60
    world.store.gate = threading.Event()
    world.store.reading.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(world.of)
        assert world.store.reading.wait(10)
        assert world.of() == ("old",)
        world.store.gate.set()
        assert slow.result() == ("old",)


def test_the_one_before_ends_at_its_time(world: World) -> None:
    """By the clock, without anybody doing anything; the current one does not."""
    world.store.secret = GatewaySecret(values=("new", "old"), previous_until_s=world.now_s + 10)
    assert world.of() == ("new", "old")
    world.now_s += 10
    assert world.of() == ("new",)
    assert world.store.reads == 1


def test_no_secret_is_shown() -> None:
    """In no log and no traceback."""
    assert "old" not in repr(GatewaySecret(values=("old",)))
