"""The bell wakes the relays once for all who pull meanwhile, and outlives a database that is away."""

import threading

import psycopg

from reference_impl.web.bell import Bell

LIMIT_S = 10


class Relays:
    """Counts rings; each waits until it may end."""

    def __init__(self, *errors: Exception) -> None:
        self.rings = 0
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self._errors = list(errors)

    def __call__(self) -> None:
        self.rings += 1
        self.begun.release()
        assert self.may_end.acquire(timeout=LIMIT_S)
        if self._errors:
            raise self._errors.pop()


def test_who_pulls_while_it_rings_is_heard_once_more() -> None:
    """A hundred commits during a ring cost one more ring, and never none: their rows may be too young for this one."""
    relays = Relays()
    bell = Bell(relays)
    bell.pull()
    assert relays.begun.acquire(timeout=LIMIT_S)
    for _ in range(100):
        bell.pull()
    relays.may_end.release(2)
    assert relays.begun.acquire(timeout=LIMIT_S)
    bell.close()
    assert relays.rings == 2


def test_a_database_that_is_away_silences_it_for_one_ring_only() -> None:
    """The relays look by themselves; the next commit rings again."""
    relays = Relays(psycopg.OperationalError("canary"))
    bell = Bell(relays)
    for _ in range(2):
        bell.pull()
        relays.may_end.release()
        assert relays.begun.acquire(timeout=LIMIT_S)
    bell.close()
    assert relays.rings == 2


def test_nobody_pulls_nothing_rings_until_the_end() -> None:
    """An idle web process says nothing to the database."""
    relays = Relays()
    bell = Bell(relays)
    bell.close()
    assert relays.rings == 0
