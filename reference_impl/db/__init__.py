"""The tables, their migrations, and the SQL of what is written when a webhook or a visit comes in."""

from pathlib import Path


def newest_revision() -> str:
    """The revision that this code was written for: the last file of `versions/`. Alembic need not be loaded for it."""
    return max(one.name for one in (Path(__file__).parent / "versions").glob("[0-9]*.py")).partition("_")[0]
