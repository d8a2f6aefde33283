"""What a migration may do to a table that is large and in use: nothing that keeps others waiting.

Each of these runs outside of the migration's transaction, so a migration that uses one can be interrupted half-way: all
else in it must be repeatable (IF NOT EXISTS), or stand in a migration of its own. `tests/change` judges.
"""

from __future__ import annotations

from alembic import op

LOCK_TIMEOUT = "2s"
"""How long a migration waits for a lock. Whoever comes after it waits as long, so it is short, and tried again."""


def create_index(name: str, on: str, *, unique: bool = False) -> None:
    """`CREATE INDEX name ON on`, while others write; what an interrupted try has left is replaced.

    Shape:
        `on`: everything after ON, like `conversions (received_at) WHERE state = 'held'`.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for older transactions, and nobody waits for it
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {name} ON {on}")
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def drop_index(name: str) -> None:
    """`DROP INDEX name`, while others read and write."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def in_batches(statement: str) -> None:
    """An UPDATE or DELETE that touches a limited number of rows (its text says LIMIT), until it finds none."""
    with op.get_context().autocommit_block():
        while op.get_bind().exec_driver_sql(statement).rowcount:
            pass
