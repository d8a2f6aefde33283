"""`locust -f load/locustfile.py` without golive: users that send genuine webhooks and page events to any receiver.

This is Locust's own, closed model: a user waits for its answer, so a slow target lowers the load, and Locust's
percentiles are rounded and uncorrected. It shows a target at work; `golive load` judges one.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from locust import constant_throughput, events, task
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from load.plan import LoadPlan
from load.webhooks import Due, page_turn, render
from simulators import gateways as fakes

WEBHOOK_PATH = "/api/v1/webhooks/{gateway}/{tenant}"
PAGE_PATH = "/api/v1/tracking/{tenant}/{kind}"
KINDS = ("pageview", "click", "checkout")


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: LocustArgumentParser) -> None:
    # Straight to the parser: Locust's groups do not know `is_secret`, which keeps it off the web page.
    parser.add_argument("--tenants-file", default="", help="JSON as the target's provision command is given it")
    parser.add_argument("--tenant", default="t-load", help="one tenant, where there is no file")
    parser.add_argument(
        "--secret", default="", is_secret=True, help="its secret for all gateways (default: none shared)"
    )
    parser.add_argument("--dialect", default="vendor", choices=["vendor", "plan"])
    parser.add_argument("--webhook-path", default=WEBHOOK_PATH)
    parser.add_argument("--page-path", default=PAGE_PATH)
    parser.add_argument("--per-user", type=float, default=1.0, help="requests a second that one user sends at most")
    parser.add_argument("--order-seed", type=int, default=None, help="buyers and ids follow from it (default: new)")


@dataclass(slots=True)
class _Source:
    """What the users of this process send: numbered, and never what another process sends."""

    plan: LoadPlan
    numbers: Iterator[int]
    origin: float

    def webhook(self, gateway: str) -> Due:
        """The next purchase at that gateway."""
        names = list(self.plan.gateways)
        number = next(self.numbers) * len(names) + names.index(gateway)
        return render(self.plan, number, self._now_s())

    def page(self) -> Due:
        """What a page tells next."""
        return page_turn(self.plan, next(self.numbers), self._now_s())

    def _now_s(self) -> float:
        return time.monotonic() - self.origin


_SOURCES: dict[int, _Source] = {}


def _source(environment: Environment) -> _Source:
    """One for each process; made when the first user begins, for then a worker knows its number."""
    if id(environment) not in _SOURCES:
        asked: Any = environment.parsed_options
        worker = getattr(environment.runner, "worker_index", 0)
        seed = secrets.randbelow(10**6) if asked.order_seed is None else asked.order_seed
        _SOURCES[id(environment)] = _Source(
            plan=LoadPlan(
                base_url=environment.host or "",
                public_url=environment.host or "",
                webhook_path=asked.webhook_path,
                gateways=sorted(fakes.known()),
                tenants=_tenants(asked),
                seed=seed * 1_000 + worker,  # no worker sends what another has sent
                pieces=(),
                origin_s=int(time.time()),
                processes=1,
                timeout_s=30.0,
                folder="",
                page_paths={kind: asked.page_path.replace("{kind}", kind) for kind in KINDS},
            ),
            numbers=itertools.count(),
            origin=time.monotonic(),
        )
    return _SOURCES[id(environment)]


def _tenants(asked: Any) -> Sequence[dict[str, Any]]:
    if asked.tenants_file:
        found: Any = json.loads(Path(asked.tenants_file).read_text(encoding="utf-8"))
        tenants: list[dict[str, Any]] = found["tenants"] if isinstance(found, dict) else found
        return tenants
    accounts = {}
    for name, fake in fakes.known().items():
        dialect = asked.dialect if asked.dialect in fake.dialects else fake.dialects[0]
        accounts[name] = {"dialect": dialect, "secret": asked.secret or fake.new_secret(f"plain/{asked.tenant}")}
    return [{"tenant": asked.tenant, "gateways": accounts}]


class _Sender(FastHttpUser):
    abstract = True
    max_retries = 0

    def wait_time(self) -> float:
        """At most so many requests a second; a ceiling, not a promise."""
        per_user: float = self.environment.parsed_options.per_user
        waited: float = constant_throughput(per_user)(self)
        return waited

    def _send(self, due: Due, name: str) -> None:
        body: Any = due.body
        with self.client.post(due.path, data=body, headers=due.headers, name=name, catch_response=True) as answer:
            if not 200 <= answer.status_code < 300:
                answer.failure(f"wanted 2xx, got {answer.status_code or 'no answer'}")


def _gateway_user(name: str) -> type[_Sender]:
    """A user of one vendor; a new gateway needs no new class."""

    def deliver(self: _Sender) -> None:
        due = _source(self.environment).webhook(name)
        self._send(due, f"{due.gateway} {due.dialect}")

    about = {"__doc__": f"{name.capitalize()} tells of purchases.", "__module__": __name__, "tasks": [deliver]}
    return type(f"{name.capitalize()}User", (_Sender,), about)


#: One class for each gateway: Locust finds them by their place in the locustfile.
GATEWAY_USERS = {kind.__name__: kind for kind in map(_gateway_user, sorted(fakes.known()))}


class Visitors(_Sender):
    """Pages tell of visitors: of ten six page views, three clicks, one checkout."""

    @task
    def tell(self) -> None:
        """The next page event."""
        due = _source(self.environment).page()
        self._send(due, f"site {due.dialect}")


class Journeys(_Sender):
    """Mixed: pages tell four times, then a vendor of a purchase; gateways take turns."""

    _turns: ClassVar[Iterator[int]] = itertools.count()

    @task
    def next_step(self) -> None:
        """One step of somebody's journey."""
        turn = next(self._turns)
        source = _source(self.environment)
        names = source.plan.gateways
        due = source.webhook(names[turn // 5 % len(names)]) if turn % 5 == 4 else source.page()
        self._send(due, f"journey: {due.gateway} {due.dialect}")
