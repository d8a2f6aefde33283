"""Out of the dead letters, back into the outbox: an operator's command, run once whatever was wrong is mended.

A letter is deleted after the commit that puts its conversion back, so a crash leaves a letter too many, never one
too few. What Meta may have counted and has meanwhile forgotten stays, unless duplicates are accepted in words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from uuid import UUID

from reference_impl.dispatch import outbox, store
from reference_impl.dispatch.loops import Connection
from reference_impl.dispatch.queue import Message, Queue
from reference_impl.dispatch.sender import UNKNOWN_LIMIT_S

_HIDE_S = 60
"""Letters that stay are seen again after so long."""
_LOOKED_AT_S = 8
"""Who only looks at the letters hides them for a shorter time (strays.py): so long they are waited for."""

# A letter of a conversion that is still `queued` was put there by SQS, after too many crashes.
_BACK = """
WITH back AS (
    UPDATE conversions c
    SET state = 'pending', hold_reason = NULL, claimed_until = NULL,
        unknown_outcome = c.unknown_outcome AND NOT %(accept)s
    WHERE c.id = ANY(%(ids)s)
      AND (c.state = 'dead_lettered'
           OR (c.state IN ('pending', 'queued') AND (c.claimed_until IS NULL OR c.claimed_until <= now())
               AND NOT EXISTS (SELECT FROM outbox o WHERE o.conversion_id = c.id AND o.sent_at IS NULL)))
    RETURNING c.id, c.kind
)
INSERT INTO outbox (conversion_id, page) SELECT id, kind <> 'purchase' FROM back RETURNING conversion_id
"""
_DEAD = "SELECT id FROM conversions WHERE id = ANY(%s) AND state = 'dead_lettered'"


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of the letters."""

    redriven: int
    """Back in the outbox."""
    settled: int
    """Their conversion had ended otherwise, or was on its way already; the letter is gone."""
    kept: int
    """Perhaps counted by Meta more than 47 hours ago, or no conversion's id: still in the dead letters."""
    hidden: int = 0
    """Somebody else has them in hand, another redrive say: they are seen again within a minute."""
    again: int = 0
    """Put back and dead once more before the command ended: the cause is not mended. Still in the dead letters."""

    def to_json(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)


def redrive(connection: Connection, dead_letters: Queue, *, accept_duplicates: bool = False) -> Redriven:
    """Empty the dead letters as far as that doubles nothing. Raises what botocore raises while SQS is away."""
    put_back, again = set[UUID](), set[UUID]()
    settled, kept = 0, set[str]()
    while letters := _next(dead_letters, len(kept)):
        ids = {uuid for one in letters if (uuid := _as_id(one)) is not None}
        died = _dead(connection, ids & put_back)
        doubtful = died | _doubtful(connection, ids - died, accept_duplicates=accept_duplicates)
        back = _put_back(connection, ids - doubtful, accept_duplicates=accept_duplicates)
        stay = {one.conversion_id for one in letters if (uuid := _as_id(one)) is None or uuid in doubtful}
        failed = dead_letters.delete([one for one in letters if one.conversion_id not in stay])
        put_back |= back
        again |= died
        settled += len(ids - doubtful - back)
        circles = stay <= kept and len(stay) == len(letters)
        kept |= stay
        if failed or circles:
            break  # what stays has come round again, or SQS no longer deletes
    hidden = max(0, dead_letters.hidden() - len(kept))
    return Redriven(len(put_back), settled, len(kept) - len(again), hidden=hidden, again=len(again))


def _next(dead_letters: Queue, ours: int) -> list[Message]:
    """The next letters. `ours`: as many are hidden because they were received here, and stay.

    An empty answer does not mean that there are none: the scheduler looks at them now and then, and hides them so long.
    """
    found = dead_letters.receive(wait_s=1, visibility_s=_HIDE_S)
    if not found and dead_letters.hidden() > ours:
        found = dead_letters.receive(wait_s=_LOOKED_AT_S, visibility_s=_HIDE_S)
    return found


def _put_back(connection: Connection, ids: set[UUID], *, accept_duplicates: bool) -> set[UUID]:
    """Those of the conversions that are in the outbox now."""
    with connection.transaction():
        rows = connection.execute(_BACK, {"ids": list(ids), "accept": accept_duplicates}).fetchall()
        outbox.ring(connection)
    return {row[0] for row in rows}


def _dead(connection: Connection, ids: set[UUID]) -> set[UUID]:
    """Those of the conversions that are dead-lettered now."""
    return {row[0] for row in connection.execute(_DEAD, [list(ids)])} if ids else set()


def _doubtful(connection: Connection, ids: set[UUID], *, accept_duplicates: bool) -> set[UUID]:
    """Those that Meta may have counted so long ago that it would count them again."""
    if accept_duplicates:
        return set()
    ages_s = store.unknown_for_s(connection, list(ids))
    return {one for one, age_s in ages_s.items() if age_s >= UNKNOWN_LIMIT_S}


def _as_id(letter: Message) -> UUID | None:
    try:
        return UUID(letter.conversion_id)
    except ValueError:
        return None
