"""Runs of the fake gateways: plans that are carried out beside the HTTP face, by the same `Sender` as `golive trigger`.

Bounded in number and length; what they send stands in the log like everything else. A run ends by itself, when somebody
cancels it, or with the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from simulators.gateways._delivery import Configuration, schedule
from simulators.sending import Attempt, Sender
from simulators.sentlog import Answer, SentLog, without_query
from simulators.wishes import DEFAULT_COMPRESS, Maker

#: At once; further ones are refused.
RUNS_AT_ONCE = 8
#: Remembered after their end, and addresses that are known.
RUNS_KEPT = 50
CONFIGURATIONS_KEPT = 200
_WORD = re.compile(r"[a-z][a-z_]{0,39}").fullmatch


class TooManyRuns(ValueError):
    """As many are under way as may be."""


@dataclass(slots=True)
class Run:
    """One plan under way, or at its end."""

    number: int
    maker: Maker
    sender: Sender
    began_s: float
    task: asyncio.Task[Any] = field(init=False)
    state: str = "running"
    why: str | None = None

    async def carry_out(self) -> None:
        """Send everything; whatever comes of it is in `state` and in the sender's tally."""
        try:
            await self.sender.run()
            self.state = "done"
        except asyncio.CancelledError:
            self.state = "cancelled"
            raise
        except ExceptionGroup as errors:  # of the sender's tasks; what went wrong is told to whoever asks for the run
            self.state, self.why = "failed", _first(errors)

    async def cancel(self) -> None:
        """End it, and wait until it has ended."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def to_json(self) -> dict[str, Any]:
        """As `GET /_golive/runs` tells it."""
        wish, tally = self.maker.wish, self.sender.tally
        return {
            "run": self.number,
            "gateway": wish.gateway,
            "dialect": wish.dialect,
            "events": wish.events,
            "to": without_query(wish.to),
            "began_s": self.began_s,
            "state": self.state,
            "why": self.why,
            **tally.to_json(),
        }


@dataclass(slots=True)
class _Address:
    """What a vendor thinks of one address."""

    number: int
    gateway: str
    to: str
    state: Configuration

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "gateway": self.gateway,
            "to": without_query(self.to),
            "failures_in_a_row": self.state.failures_in_a_row,
            "off_after_failures": self.state.off_after_failures,
            "off": self.state.off,
        }


class Runs:
    """All runs of one process. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float], log: SentLog) -> None:
        self._clock, self._log = clock, log
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._addresses: OrderedDict[tuple[str, str], _Address] = OrderedDict()
        self._numbers, self._address_numbers = count(1), count(1)

    def begin(self, maker: Maker) -> Run:
        """Start sending; one request of each event is made first, so that what cannot be made is refused at once.

        Raises:
            TooManyRuns: as many are under way as may be.
            ValueError, LookupError: something cannot be made as asked.
        """
        if sum(one.state == "running" for one in self._runs.values()) >= RUNS_AT_ONCE:
            raise TooManyRuns(f"{RUNS_AT_ONCE} runs are under way: wait for one, or DELETE /_golive/runs/N.")
        wish, slots = maker.wish, maker.slots
        for slot in {slot.event: slot for slot in slots}.values():
            maker(slot, slot.at_s)
        number = next(self._numbers)
        sender = Sender(
            slots=slots,
            make=maker,
            schedule=schedule(wish.gateway),
            retries=wish.with_retries,
            compress=wish.compress or DEFAULT_COMPRESS,
            concurrency=max(1, min(wish.concurrency, 512 // wish.twin)),
            seen=lambda attempt: self._remember(number, maker, attempt),
            configuration=self._address(wish.gateway, wish.to).state if wish.with_retries else None,
        )
        run = Run(number=number, maker=maker, sender=sender, began_s=self._clock())
        run.task = asyncio.get_running_loop().create_task(run.carry_out())
        self._runs[number] = run
        self._forget()
        return run

    def _forget(self) -> None:
        ended = [number for number, one in self._runs.items() if one.state != "running"]
        for number in ended[: max(0, len(self._runs) - RUNS_KEPT)]:
            del self._runs[number]

    def _address(self, name: str, to: str) -> _Address:
        """What the vendor thinks of that address; one that is switched off is not forgotten before the others."""
        known = self._addresses.get((name, to))
        if known is None:
            state = Configuration(schedule(name).off_after_failures)
            known = self._addresses[name, to] = _Address(next(self._address_numbers), name, to, state)
            while len(self._addresses) > CONFIGURATIONS_KEPT:
                others = [key for key in self._addresses if key != (name, to)]
                on = (key for key in others if not self._addresses[key].state.off)
                del self._addresses[next(on, others[0])]
        return known

    def _remember(self, number: int, maker: Maker, attempt: Attempt) -> None:
        slot, answer, wish = attempt.slot, attempt.answer, maker.wish
        secrets = [one for one in (wish.secret, wish.old_secret, wish.another_tenants_secret) if one]
        word = answer.word
        plain = word is not None and _WORD(word) and not any(one in word for one in secrets)
        told = None
        if answer.status is not None:
            told = Answer(answer.status, answer.elapsed_s * 1000, word if plain else None)
        self._log.add(
            at_s=self._clock() - answer.elapsed_s,
            signed_at_s=maker.signed_at_s(attempt.signed_after_s),
            wish=maker.alone(slot),
            sale_id=maker.sale_id(slot),
            again_of=None,
            answer=told,
            failure=answer.failure,
            run=number,
            attempt=attempt.number,
        )

    def find(self, number: int) -> Run | None:
        """The run of that number, if it is still remembered."""
        return self._runs.get(number)

    def to_json(self) -> list[dict[str, Any]]:
        """All that are remembered, the newest last."""
        return [one.to_json() for one in self._runs.values()]

    def configurations(self) -> list[dict[str, Any]]:
        """What the vendors think of every address."""
        return [one.to_json() for one in self._addresses.values()]

    def switched_off(self) -> list[dict[str, Any]]:
        """Those to which nothing is sent any more."""
        return [one.to_json() for one in self._addresses.values() if one.state.off]

    def switch_on(self, number: int) -> dict[str, Any] | None:
        """A person says that it is well again; None: no such address."""
        found = next((one for one in self._addresses.values() if one.number == number), None)
        if found is None:
            return None
        found.state.off, found.state.failures_in_a_row = False, 0
        return found.to_json()


def _first(errors: BaseExceptionGroup[Any]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, ValueError | LookupError) else type(error).__name__
