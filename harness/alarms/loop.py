"""The alarms on a clock that is passed in: evaluated every minute, their changes delivered as SNS delivers them."""

from __future__ import annotations

import json
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import requests

from harness.alarms.evaluator import EXTRA_POINTS, Alarm, State, Transition, Watched
from harness.alarms.metrics import Metrics
from harness.alarms.notification import Place, Sign, envelope, headers

log = logging.getLogger(__name__)

EVERY_S = 60
"""CloudWatch evaluates alarms of a minute or more every minute (facts/aws_pagerduty.md, 2.3)."""
RETRIES, RETRY_AFTER_S = 3, 20
"""SNS's own policy (3.9)."""
MAX_CATCH_UP_S = 2 * 86_400
"""A jump of the clock is evaluated minute by minute; of a longer one, its last two days."""
TIMEOUT_S = 15.0

Post = Callable[[bytes, Mapping[str, str]], int | None]
"""Body and headers -> HTTP status; None: no answer came."""


def post_to(endpoint: str, *, timeout_s: float = TIMEOUT_S) -> Post:
    """Deliver by HTTP."""

    def post(body: bytes, sent: Mapping[str, str]) -> int | None:
        try:
            return requests.post(endpoint, data=body, headers=dict(sent), timeout=timeout_s).status_code
        except requests.RequestException as error:
            log.warning("the notification was not delivered: %s", type(error).__name__)  # the URL holds a key
            return None

    return post


@dataclass(slots=True)
class _Waiting:
    body: bytes
    headers: Mapping[str, str]
    due_s: float
    tries: int = 0


class Topic:
    """One SNS topic with one HTTP subscription: tries a delivery again as SNS does, then drops it.

    Args:
        seed: of the message ids.
        cert_url: where the receiver may fetch the certificate of `sign`.
    """

    def __init__(
        self, arn: str, post: Post, *, place: Place, seed: int = 0, cert_url: str = "", sign: Sign | None = None
    ) -> None:
        self.arn = arn
        self.dropped = 0
        self._post, self._place, self._cert_url, self._sign = post, place, cert_url, sign
        self._random = random.Random(f"sns {seed}")
        self._waiting: list[_Waiting] = []

    def publish(self, change: Transition) -> None:
        """Take a notification on; `flush` sends it."""
        message_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        told = envelope(
            change, self._place, topic_arn=self.arn, message_id=message_id, cert_url=self._cert_url, sign=self._sign
        )
        sent = headers(told, subscription_arn=f"{self.arn}:golive")
        self._waiting.append(_Waiting(json.dumps(told).encode(), sent, change.at_s))

    def flush(self, now_s: float) -> None:
        """Send what is due, oldest first. No answer, 5xx and 429 are tried again; another 4xx is final (3.9)."""
        left: list[_Waiting] = []
        for one in self._waiting:
            if one.due_s > now_s:
                left.append(one)
                continue
            status = self._post(one.body, one.headers)
            if status is not None and status < 300:
                continue
            one.tries += 1
            if one.tries > RETRIES or (status is not None and status < 500 and status != 429):
                self.dropped += 1
                log.error("a notification was dropped after %d tries; the last answer was %s", one.tries, status)
                continue
            one.due_s = now_s + RETRY_AFTER_S
            left.append(one)
        self._waiting = left

    def next_due_s(self) -> float | None:
        """When `flush` has something to do; None: nothing waits."""
        return min((one.due_s for one in self._waiting), default=None)


class AlarmLoop:
    """Evaluates alarms minute by minute up to the time that it is told, and publishes what changed.

    Args:
        started_at_s: from when on the alarms exist: INSUFFICIENT_DATA at once, then evaluated (2.5).
    """

    def __init__(
        self,
        alarms: Iterable[Alarm],
        metrics: Metrics,
        topics: Iterable[Topic],
        *,
        started_at_s: float,
        extra: int = EXTRA_POINTS,
    ) -> None:
        self._watched = [Watched(alarm=alarm) for alarm in alarms]
        self._metrics = metrics
        self._topics = {topic.arn: topic for topic in topics}
        self._next_s = started_at_s
        self._extra = extra

    def states(self) -> Mapping[str, State]:
        """The present state of each alarm, by name."""
        return {one.alarm.name: one.state for one in self._watched}

    def advance(self, now_s: float) -> Sequence[Transition]:
        """Evaluate every minute that has passed, deliver on the way; what changed, oldest first.

        Time never goes back: an earlier `now_s` does nothing.
        """
        changes: list[Transition] = []
        if now_s - self._next_s > MAX_CATCH_UP_S:
            self._next_s = now_s - MAX_CATCH_UP_S
        while self._next_s <= now_s:
            at_s, self._next_s = self._next_s, self._next_s + EVERY_S
            changes += self._evaluate(at_s)
            self._deliver(min(now_s, self._next_s))
        self._deliver(now_s)
        return changes

    def _evaluate(self, at_s: float) -> Sequence[Transition]:
        changes: list[Transition] = []
        for index, one in enumerate(self._watched):
            self._watched[index], change = one.step(self._metrics, at_s, extra=self._extra)
            if change:
                changes.append(change)
                for arn in change.actions:
                    # CloudWatch does not check that the topic exists, and tells nobody (2.16).
                    if arn in self._topics:
                        self._topics[arn].publish(change)
        return changes

    def _deliver(self, until_s: float) -> None:
        for topic in self._topics.values():
            while (due_s := topic.next_due_s()) is not None and due_s <= until_s:
                topic.flush(due_s)
