"""What the fake Meta has seen of one pixel, and the faults armed for it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import requests

from harness.errors import HarnessError, NotSeenInTime
from harness.records import Arrival
from harness.target_json import TargetObject, target_json

#: One long poll; the whole wait may be longer.
POLL_S = 10


#: Events in one answer of `MetaArrivals`.
PAGE = 20_000


class _Control:
    """The control routes of the fake Meta."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._session.request(method, f"{self._url}/_golive/{path}", timeout=POLL_S + 5, **options)
        except requests.RequestException as error:
            raise HarnessError(f"the fake Meta does not answer: {type(error).__name__}") from error
        if not answer.ok:
            raise HarnessError(f"the fake Meta refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None


class MetaArrivals(_Control):
    """The events of all pixels, compact, as a load run wants them; what was read once is not asked for again."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._seen: list[Arrival] = []
        self._by_pixel: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._next = 0

    def set_latency(self, *, median_ms: float, p95_ms: float, seed: int) -> None:
        """How long the fake takes to answer from now on: log-normal."""
        self._call("PUT", "latency", json={"median_ms": median_ms, "p95_ms": p95_ms, "seed": seed})

    def all(self) -> list[Arrival]:
        """Every event so far, in the order of its coming; `at_s` is when Meta had answered for it, by its own clock.

        Raises:
            HarnessError: some were dropped, or ids were forgotten within their 48 hours, so nothing can be concluded.
        """
        while True:
            page = self._call("GET", "arrivals", params={"after": self._next, "limit": PAGE})
            if page["dropped"]:
                raise HarnessError(f"the fake Meta dropped {page['dropped']} arrivals; the load is too large for it")
            if page["forgotten_ids"]:  # one of those that came again was counted again: by the fake, not by the target
                raise HarnessError(f"the fake Meta forgot {page['forgotten_ids']} event ids within their 48 hours")
            for _seq, pixel, event_id, event_name, order_id, _received_at_s, counted, answered_at_s in page["arrivals"]:
                arrival = Arrival(
                    event_id=event_id,
                    event_name=str(event_name),
                    order_id=order_id,
                    keys=(),
                    counted=counted,
                    refused=False,
                    at_s=answered_at_s,
                )
                self._seen.append(arrival)
                self._by_pixel[pixel].append(arrival)
            self._next = page["next"]
            if len(page["arrivals"]) < PAGE:
                return self._seen

    def by_pixel(self) -> dict[str, list[Arrival]]:
        """The same, by pixel; also of pixels that nobody has registered."""
        self.all()
        return self._by_pixel


class MetaProbe(_Control):
    """One pixel's inbox. Waiting is a long poll: the fake answers when the fact happens.

    What was heard is not asked for again: a call never changes, and a later one has a higher number. For one thread.
    """

    def __init__(self, url: str, pixel_id: str) -> None:
        super().__init__(url)
        self.pixel_id = pixel_id
        self._heard: list[dict[str, Any]] = []

    def calls(self, *, after: int = 0, count: int = 0, wait_s: float = 0) -> list[dict[str, Any]]:
        """Calls with `seq` > after; waits until there are `count` of them, or `wait_s` is over.

        Raises:
            HarnessError: the inbox has dropped calls, so nothing can be concluded from it.
        """
        if after > self._last():  # what comes before that must not count as what is waited for
            self._hear(count=0, wait_s=0)
        known = sum(one["seq"] > after for one in self._heard)
        self._hear(count=max(0, count - known), wait_s=wait_s)
        return [one for one in self._heard if one["seq"] > after]

    def _last(self) -> int:
        return int(self._heard[-1]["seq"]) if self._heard else 0

    def _hear(self, *, count: int, wait_s: float) -> None:
        """What has not been heard yet, once there is so much of it."""
        params = {"pixel": self.pixel_id, "after": self._last(), "count": count, "wait_s": f"{wait_s:.3f}"}
        answer = self._call("GET", "seen", params=params)
        if answer.get("dropped"):
            raise HarnessError(f"the fake Meta's inbox dropped {answer['dropped']} calls of pixel {self.pixel_id}")
        self._heard += [{**call, "events": [_readable(one) for one in call["events"]]} for call in answer["calls"]]

    def arrivals(self) -> list[Arrival]:
        """Every event that a server sent so far, in the order of their coming; the browser's own are none of them."""
        calls = [call for call in self.calls() if call["source"] == "server"]
        return [_arrival(event, call) for call in calls for event in call["events"]]

    def pixel(self, event_name: str, event_id: str, **user_data: str) -> None:
        """What the browser's Pixel tells by itself, of this pixel."""
        asked = {"id": self.pixel_id, "ev": event_name, "eid": event_id}
        asked |= {f"ud[{key}]": value for key, value in user_data.items()}
        try:
            answer = self._session.get(f"{self._url}/tr/", params=asked, timeout=POLL_S)
        except requests.RequestException as error:
            raise HarnessError(f"the fake Meta does not answer: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise HarnessError(f"the fake Meta refused the browser's Pixel: {answer.status_code}")

    def wait_for(
        self, enough: Callable[[list[dict[str, Any]]], bool], *, goal: str, within_s: float
    ) -> list[dict[str, Any]]:
        """All calls, once they are enough.

        Raises:
            NotSeenInTime: with a summary of the calls that did come.
        """
        deadline = time.monotonic() + within_s
        calls = self.calls()
        while not enough(calls):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise NotSeenInTime(goal, within_s, [summary(call) for call in calls])
            calls = self.calls(count=len(calls) + 1, wait_s=min(left_s, POLL_S))
        return calls

    def arm(self, fault: str, *, strikes: int | None, probability: float, seed: int, **parameters: Any) -> None:
        """Arm a fault for this pixel only."""
        body = {"fault": fault, "strikes": strikes, "probability": probability, "seed": seed, **parameters}
        self._call("POST", f"pixels/{self.pixel_id}/faults", json=body)

    def disarm(self) -> None:
        """Take every fault off this pixel."""
        self._call("DELETE", f"pixels/{self.pixel_id}/faults")

    def tokens(self) -> list[dict[str, Any]]:
        """Every token that Meta ever gave out for this pixel, oldest first; never their values."""
        found: list[dict[str, Any]] = self._call("GET", f"pixels/{self.pixel_id}/tokens")["tokens"]
        return found

    def set_token(self, token: str, *, state: str, expires_at_s: int | None = None) -> None:
        """Let a token die, or live again."""
        self._call("PUT", f"tokens/{token}", json={"state": state, "expires_at_s": expires_at_s})

    def set_tokens(self, tokens: Sequence[str]) -> None:
        """Say which tokens may write to this pixel; the others may not any more."""
        body = {"tokens": [{"token": one, "expires_at_s": None, "state": "valid"} for one in tokens]}
        self._call("PUT", f"pixels/{self.pixel_id}", json=body)


def summary(call: dict[str, Any]) -> str:
    """One call in a few words without personal data."""
    fault = f" by {call['fault']}" if call.get("fault") else ""
    names = ", ".join(f"{event.get('event_name')} {event.get('verdict')}" for event in call["events"][:3])
    code = f" code {call['code']}/{call['subcode']}" if call.get("code") else ""
    return f"call {call['seq']}: {call['status']}{code}{fault} ({names})"


def _readable(event: Any) -> TargetObject:
    """An event that can be looked into, whatever the target has sent as one."""
    found = target_json(event) if isinstance(event, dict) else TargetObject()
    for name in ("user_data", "custom_data"):
        if name in found and not isinstance(found[name], dict):
            found[name] = TargetObject()
    return found


def hashes_of(event: dict[str, Any]) -> tuple[str, ...]:
    """The hashed e-mails and phones that an event carries."""
    user_data = event.get("user_data") or {}
    found: list[str] = []
    for key in ("em", "ph"):
        value = user_data.get(key) or []
        found += [str(one) for one in value] if isinstance(value, list) else [str(value)]
    return tuple(found)


def _arrival(event: dict[str, Any], call: dict[str, Any]) -> Arrival:
    custom = event.get("custom_data") or {}
    order_id = custom.get("order_id")
    return Arrival(
        event_id=event.get("event_id"),
        event_name=str(event.get("event_name")),
        order_id=None if order_id is None else str(order_id),
        keys=hashes_of(event),
        counted=event["verdict"] == "counted",
        refused=event["verdict"] == "refused",
        at_s=float(call["at_s"]),
    )
