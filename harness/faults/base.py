"""What every fault has in common: a name, a beginning, and an undoing that cannot be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from harness.errors import HarnessError, PromiseBroken


class NothingToBreak(HarnessError):
    """The part that the fault breaks is none that the harness started; the message says which."""


class Control(Protocol):
    """The owner of the stack, who alone may break parts of it (harness/stack/breaking.py lists what it can do)."""

    def call(self, operation: str, **arguments: Any) -> Any:
        """Ask, and wait for the answer."""
        ...


class Meta(Protocol):
    """One pixel of the fake Meta."""

    def arm(self, fault: str, *, strikes: int | None = None, probability: float = 1.0, **parameters: Any) -> None:
        """Arm a fault for this pixel."""
        ...

    def disarm(self) -> None:
        """Take every fault off this pixel."""
        ...

    def expire_token(self) -> None:
        """The tenant's token dies."""
        ...

    def renew_token(self) -> Any:
        """The tenant has a new one, and the target is told."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a fault can get at, from one scenario."""

    control: Control
    meta: Meta
    roles: tuple[str, ...]
    """The processes that the harness starts; the first is the front door."""
    seed: int
    stop_s: float
    """From SIGTERM to the end of a process."""
    wait_ready: bool = True
    """Whether a process that comes back is waited for: no, where another fault may keep it from being ready."""


Undo = Callable[[], int | None]
"""Ends a fault; how often it struck, where that is counted."""


class Fault(Protocol):
    """One way of failing; the docstring of its class is its description."""

    name: ClassVar[str]

    def begin(self, reach: Reach) -> Undo:
        """Let it happen.

        Raises:
            NothingToBreak: what it breaks is not ours.
        """
        ...


class InPlace:
    """A fault while it lasts."""

    def __init__(self, undo: Undo) -> None:
        self._undo: Undo | None = undo
        self.struck: int | None = None
        """How often it struck, once it is over; None where nobody counts."""

    def end(self) -> None:
        """End it now; safe to call twice."""
        if self._undo is not None:
            undo, self._undo = self._undo, None
            self.struck = undo()

    def must_have_struck(self) -> int:
        """How often it did.

        Raises:
            HarnessError: never, so what was seen proves nothing.
        """
        self.end()
        if self.struck == 0:
            raise HarnessError("the fault never struck, so nothing was proved")
        return self.struck or 0


@contextmanager
def in_place(fault: Fault, reach: Reach) -> Iterator[InPlace]:
    """The fault, from the `with` to the block's end, however that ends."""
    placed = InPlace(fault.begin(reach))
    try:
        yield placed
    except BaseException as error:
        try:
            placed.end()
        except (HarnessError, PromiseBroken) as second:
            error.add_note(f"and the fault could not be taken away: {second}")
        raise
    placed.end()
