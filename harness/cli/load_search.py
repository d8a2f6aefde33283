"""`golive load stress`: short steps at rising rates within one stack; several searches for the knee take turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.checks import knee, load, slo
from harness.cli.load_profile import AVERAGE_DAY_PER_S, Profile, Search
from harness.cli.load_session import LoadSession, Sent, Watcher
from harness.errors import HarnessError
from harness.records import LoadKnee, LoadStep, SloResult

#: A step's generators, their start and its drain take about so long besides its own seconds.
_AROUND_S = 6.0


class KneeHunt:
    """Runs the searches of one profile within one session, and says what they found."""

    def __init__(self, session: LoadSession, profile: Profile, *, seed: int, folder: Path, watcher: Watcher) -> None:
        if profile.search is None:
            raise HarnessError("this profile looks for no knee")
        self._session = session
        self._profile = profile
        self._search: Search = profile.search
        self._seed = seed
        self._folder = folder
        self._watcher = watcher
        self._steps: list[LoadStep] = []
        self._at_rate: dict[int, list[load.Seen]] = {}
        """By search: what was seen at the rate that it asks for."""
        self._sent: list[Sent] = []
        self._ends = 0.0
        self.results: tuple[SloResult, ...] = ()
        """Of the last step, at the claimed rate."""

    def run(self) -> None:
        """Search, ask the claimed rate once more, and leave everything in the session's findings.

        Raises:
            HarnessError: ours. PromiseBroken: the target did not start.
        """
        self._session.start()
        # The claimed rate is asked for in the time that is left; searches end while there is enough of it.
        self._ends = time.monotonic() + self._profile.duration_s
        turns = knee.Turns(self._profile.rate_per_s, repeats=self._search.repeats, resolution=self._search.resolution)
        while (turn := turns.next()) is not None:
            number, rate_per_s, time_number = turn
            step = self._ask(rate_per_s, number, time_number)
            if step is None:
                break
            turns.told(step, rate_per_s)
        concluded = knee.conclude(
            self._steps,
            repeats=self._search.repeats,
            average_day_per_s=AVERAGE_DAY_PER_S,
            finished=turns.finished(),
        )
        findings = self._session.findings
        seen = None if self._session.aborted else self._confirm(concluded)
        findings.knee = self._believed(concluded, seen is not None)
        # What one step left behind has had time to arrive since: the book is closed once, over all of them.
        findings.ledger, findings.explanations = self._session.close_book(self._sent)
        findings.seen = seen
        self._judge(findings.knee)

    def _ask(self, rate_per_s: float, repeat: int, time_number: int) -> LoadStep | None:
        """One step at a rate, judged with what was seen at it before; None where the time does not suffice."""
        asked = self._profile.step(rate_per_s)
        if time.monotonic() + asked.duration_s + _AROUND_S > self._ends:
            return None
        again = f", time {time_number}" if time_number > 1 else ""
        seen = self._step(asked, f"search {repeat}, {rate_per_s:.4g}/s{again}")
        if seen is None:
            return None
        so_far = [*(self._at_rate[repeat] if time_number > 1 else ()), seen]
        self._at_rate[repeat] = so_far
        every = load.together(so_far)
        told = knee.step(
            every,
            load.judge(every, seed=self._seed),
            repeat=repeat,
            rate_per_s=rate_per_s,
            duration_s=asked.duration_s * len(so_far),
        )
        self._steps.append(told)
        return told

    def _step(self, asked: Profile, name: str) -> load.Seen | None:
        self._watcher.phase(name)
        folder = self._folder / f"step-{len(self._steps) + 1:02d}"
        folder.mkdir()
        sent = self._session.send(asked, folder, first=sum(len(one.samples) for one in self._sent))
        if sent is None:
            return None
        self._sent.append(sent)
        seen, _ = self._session.seen_of(sent)
        return seen

    def _confirm(self, concluded: LoadKnee) -> load.Seen | None:
        """The claimed rate once more, long enough for every number: what was chosen because it held proves little."""
        if not concluded.decided or concluded.low_per_s is None:
            return None
        enough = knee.confirmed_by(gateways=len(self._session.stack.target.gateways))
        webhooks = max(enough, self._search.samples)
        duration_s = max(self._search.at_least_s, webhooks / concluded.low_per_s)
        asked = self._profile.step(concluded.low_per_s).model_copy(update={"duration_s": duration_s})
        seen = self._step(asked, f"once more, {concluded.low_per_s:.4g}/s")
        if seen is None:
            return None
        self.results = load.judge(seen, seed=self._seed)
        told = knee.step(seen, self.results, repeat=0, rate_per_s=concluded.low_per_s, duration_s=duration_s)
        self._steps.append(told)
        return seen

    def _believed(self, concluded: LoadKnee, asked_again: bool) -> LoadKnee:
        """The knee with its last step; not decided where the claimed rate did not hold once more."""
        steps = tuple(self._steps)
        last: Sequence[LoadStep] = [one for one in steps if one.repeat == 0]
        if not asked_again or not last or last[0].held:
            return replace(concluded, steps=steps)
        why = (
            f"The knee is not known: {concluded.low_per_s:.4g}/s held in every search and not once more: {last[0].why}."
        )
        return replace(concluded, steps=steps, decided=False, sentence=why)

    def _judge(self, found: LoadKnee) -> None:
        findings = self._session.findings
        if not found.decided:
            findings.unknown.append(found.sentence)
        low = knee.refuted_at(self._steps, at_most_per_s=AVERAGE_DAY_PER_S)
        if low is not None:
            findings.broken.append(
                f"The target holds the plan's average day ({AVERAGE_DAY_PER_S:.2f}/s). "
                f"At {low.planned_per_s:g}/s: {low.why}."
            )
        self.results = tuple(_above_the_plan(one, found.low_per_s) for one in self.results)


def _above_the_plan(one: SloResult, rate_per_s: float | None) -> SloResult:
    """A number at the knee, where a miss breaks no promise: the plan asks for its average day."""
    if rate_per_s is None:
        return one
    told = f"at {rate_per_s:.4g}/s, {rate_per_s / AVERAGE_DAY_PER_S:.1f} times the plan's average day"
    met = None if one.met is False and rate_per_s > AVERAGE_DAY_PER_S and one.name != slo.SUCCESS_RATE else one.met
    return replace(one, met=met, note="; ".join(filter(None, (told, one.note))))
