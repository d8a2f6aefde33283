"""The tokens of one process: who reads, when, and what a refusal means."""

import threading
from concurrent.futures import ThreadPoolExecutor

from reference_impl.dispatch.token import MetaToken, TokenBook


class _Store:
    """A secret store that counts its readers, and a clock that is turned by hand."""

    def __init__(self) -> None:
        self.token: MetaToken | None = MetaToken(value="EAA1", version="v1")
        self.reads = 0
        self.now_s = 1000.0
        self.book = TokenBook(self.read, monotonic_s=lambda: self.now_s, ttl_s=300, recheck_s=10, forgive_s=900)

    def read(self, tenant: str) -> MetaToken | None:
        assert tenant == "t1"
        self.reads += 1
        return self.token


def test_a_good_token_is_read_once_and_again_after_its_time() -> None:
    """The secret store is not asked for every batch, and a renewal is noticed without a refusal."""
    store = _Store()
    assert store.book.current("t1") == store.book.current("t1") == store.token
    assert store.reads == 1
    store.token = MetaToken(value="EAA2", version="v2")
    store.now_s += 301
    assert store.book.current("t1") == store.token


def test_a_refused_token_gives_way_to_a_newer_version() -> None:
    """On a refusal the secret is read again; a newer version is used at once."""
    store = _Store()
    old = store.book.current("t1")
    assert old is not None
    store.token = MetaToken(value="EAA2", version="v2")
    assert store.book.refused("t1", old) == store.token
    assert store.book.current("t1") == store.token


def test_a_refused_token_without_a_newer_one_is_used_no_more() -> None:
    """The same version again means: hold. The store is then looked at once for each recheck time, no more."""
    store = _Store()
    old = store.book.current("t1")
    assert old is not None
    assert store.book.refused("t1", old) is None
    assert [store.book.current("t1") for _ in range(5)] == [None] * 5
    assert store.reads == 2
    store.token = MetaToken(value="EAA2", version="v2")
    store.now_s += 10
    assert store.book.current("t1") == store.token


def test_a_refused_version_is_forgiven_in_time() -> None:
    """Some refusals heal by themselves, so the same version is tried again after a quarter of an hour."""
    store = _Store()
    old = store.book.current("t1")
    assert old is not None
    store.book.refused("t1", old)
    store.now_s += 899
    assert store.book.current("t1") is None
    store.now_s += 1
    assert store.book.current("t1") == old


def test_a_tenant_without_a_token_is_asked_about_again() -> None:
    """No secret yet: hold, look again after the recheck time, and find the one that has come."""
    store = _Store()
    store.token = None
    assert store.book.current("t1") is None
    assert store.book.current("t1") is None
    assert store.reads == 1
    store.token = MetaToken(value="EAA1", version="v1")
    store.now_s += 10
    assert store.book.current("t1") == store.token


def test_many_threads_refused_at_once_read_the_secret_once() -> None:
    """Eight threads bring the same bad news: one of them reads, all get what it found."""
    store = _Store()
    old = store.book.current("t1")
    assert old is not None
    store.token = MetaToken(value="EAA2", version="v2")
    together = threading.Barrier(8)

    def refused() -> MetaToken | None:
        together.wait(5)
        return store.book.refused("t1", old)

    with ThreadPoolExecutor(8) as pool:
        found = [one.result() for one in [pool.submit(refused) for _ in range(8)]]
    assert found == [store.token] * 8
    assert store.reads == 2


def test_a_token_shows_itself_nowhere() -> None:
    """Its text is in no repr, so in no traceback and no log line."""
    assert "EAA1" not in repr(MetaToken(value="EAA1", version="v1"))
