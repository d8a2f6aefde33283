"""What was refused must stand in no table: looked at for many orders at once, told of the one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.errors import PromiseBroken
from harness.probes.database import DatabaseProbe
from harness.testing.database import DatabaseView
from tests.rows import each_row


class Tables:
    """In the place of a database: the words that stand in its one table, for each look."""

    def __init__(self, *looks: set[str]) -> None:
        self._looks = list(looks)

    def places_of(self, *words: str) -> list[str]:
        """As the probe does."""
        standing = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return ["public.sales"] if standing & set(words) else []


def order(name: str, *, phone: str | None = None) -> Any:
    """A refused order."""
    buyer = SimpleNamespace(email=f"{name}@example.com", phone_e164=phone)
    return SimpleNamespace(
        sale_id=f"sale-{name}", email_hash=f"em-{name}", phone_hash=None, order=SimpleNamespace(buyer=buyer)
    )


def view(*looks: set[str]) -> DatabaseView:
    """The tables, as a scenario sees them."""
    return DatabaseView(cast(DatabaseProbe, Tables(*looks)), cast(Any, None))


def test_nothing_is_fine() -> None:
    """Of none, of one and of many."""
    for orders in ([], [order("a")], [order("a"), order("b")]):
        view({"sale-c"}).stored_nothing_of(*orders)


@each_row("word", ["sale-b", "em-b", "b@example.com", "+551199"])
def test_the_one_that_is_stored_is_named(word: str) -> None:
    """By whatever it is recognised."""
    with pytest.raises(PromiseBroken, match=r"sale sale-b was refused .* in public\.sales"):
        view({word}).stored_nothing_of(order("a"), order("b", phone="+551199"))


def test_what_has_gone_since_was_stored_all_the_same() -> None:
    """Between the look for all and the look for each."""
    with pytest.raises(PromiseBroken, match="sale sale-a, sale-b was refused"):
        view({"em-b"}, set()).stored_nothing_of(order("a"), order("b"))
