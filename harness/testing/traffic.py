"""Sales that keep coming while something else is done to the target: an open schedule, which waits for no answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.errors import HarnessError
from harness.testing.answers import Answer

if TYPE_CHECKING:
    from harness.testing.gateway import Gateway, PlacedOrder

#: As many sales as may be under way at once; a target that makes more wait makes the schedule late, which is said.
_AT_ONCE = 32
_LATE_S = 2.0


class Traffic:
    """One new order each `1 / per_s` seconds, from its `with` to the block's end; then every answer is waited for."""

    def __init__(self, gateway: Gateway, *, per_s: float, via: str | None = None) -> None:
        self._gateway = gateway
        self._every_s = 1 / per_s
        self._via = via
        self._over = threading.Event()
        self._sent: list[tuple[PlacedOrder, Future[Answer]]] = []
        self._grown = threading.Condition()
        self._latest_s = 0.0
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sale")
        self._clock = threading.Thread(target=self._keep_sending, name="traffic")

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._clock.join()
        self._pool.shutdown(wait=True)
        if error is None and self._latest_s > _LATE_S:
            raise HarnessError(
                f"the sender was up to {self._latest_s:.1f} s late: this machine is too busy to judge by"
            )

    def _keep_sending(self) -> None:
        due_s = time.monotonic()
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            self._latest_s = max(self._latest_s, time.monotonic() - due_s)
            order = self._gateway.order()
            with self._grown:
                self._sent.append((order, self._pool.submit(order.deliver, via=self._via)))
                self._grown.notify_all()
            due_s += self._every_s

    def wait_for_more(self, count: int, *, within_s: float = 30) -> None:
        """Return once so many more sales have been sent than at this moment."""
        with self._grown:
            enough = len(self._sent) + count
            if not self._grown.wait_for(lambda: len(self._sent) >= enough, timeout=within_s):
                raise HarnessError(f"no {count} sales were sent within {within_s:g} s")

    @property
    def orders(self) -> list[PlacedOrder]:
        """Everything that was sold, in order."""
        return [order for order, _ in self._sent]

    def answers(self) -> list[Answer]:
        """What each sale was answered with, in order; after the block."""
        return [future.result() for _, future in self._sent]

    def not_accepted(self) -> list[str]:
        """Every sale that was not accepted, in words; after the block."""
        return [f"sale {order.sale_id} was answered with {answer.said}" for order, answer in self._failed()]

    def refused(self) -> list[PlacedOrder]:
        """The same sales, for whoever delivers them again."""
        return [order for order, _ in self._failed()]

    def _failed(self) -> list[tuple[PlacedOrder, Answer]]:
        answers = [(order, future.result()) for order, future in self._sent]
        return [(order, answer) for order, answer in answers if not answer.accepted]
