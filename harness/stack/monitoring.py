"""The target with everything behind its alarms: CloudWatch, SQS's own metrics, the evaluator, SNS and PagerDuty.

It is a travelling instance of its own. An alarm wants half an hour of minutes, and a scenario lives them: for each
minute all clocks jump to twenty seconds after its end, every process of the target publishes that minute as it would
have anyway, and only when all have, the alarms are evaluated. So what is short is the waiting, and nothing else: the
metrics are the target's own, of a pipeline that runs, and the stamps are those of its own clock.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from harness.alarms import dashboards, reading, table, template
from harness.alarms.evaluator import Transition
from harness.alarms.loop import AlarmLoop, Topic, post_to
from harness.alarms.metrics import MetricId, Metrics
from harness.alarms.notification import Place
from harness.alarms.signing import Signer, certificate_desk
from harness.alarms.template import Template, TemplateAlarm
from harness.errors import HarnessError, NotSeenInTime, PromiseBroken
from harness.stack.control import Handler
from harness.stack.simulators import LocalSimulator
from harness.stack.travelling import TravellingStack
from harness.target import Monitoring, Target
from harness.waiting import wait_until

MINUTE_S = 60
EVALUATED_AFTER_S = 20
"""After a minute's end CloudWatch has its datapoints, and evaluates."""
_PUBLISHED_WITHIN_S = 15.0
_STARTED_WITHIN_S = 5.0
"""A minute lasts a blink here, and a process still takes a second or two to start: that long it is waited for."""
_CALL_S = 15


def why_not(target: Target) -> str | None:
    """Why this target's alarms cannot be driven; None if they can."""
    if target.monitoring is None:
        return "the target file says nothing under [target.monitoring]"
    if not target.needs("cloudwatch_url"):
        return "the target file says no ${cloudwatch_url}, so it publishes its metrics where nobody reads them"
    return None


class Deployed:
    """The target's template as this instance deploys it."""

    def __init__(self, told: Monitoring, *, place: Place | None = None) -> None:
        self.place = place or Place()
        self.template: Template = template.load(Path(told.template), told.parameters, place=self.place)
        self.alarms: tuple[TemplateAlarm, ...] = tuple(self.template.alarms())
        self._prefix = told.alarm_prefix
        self._told = told

    def short(self, name: str) -> str:
        """An alarm's name without what all of them begin with."""
        return name.removeprefix(self._prefix)

    @property
    def topic(self) -> str:
        """Where alarms go; the first topic of the template. Raises HarnessError: it has none."""
        for name, kind in self.template.made().items():
            if kind == "AWS::SNS::Topic":
                return self.place.topic_arn(str(self.template.properties(name)["TopicName"]))
        raise HarnessError("the template has no SNS topic, so no alarm can reach anybody")

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of all queues of the template."""
        made = self.template.made()
        return tuple(
            str(self.template.properties(name)["QueueName"]) for name, kind in made.items() if kind == "AWS::SQS::Queue"
        )

    @property
    def reads(self) -> tuple[MetricId, ...]:
        """Every metric that an alarm or a dashboard of the template reads."""
        watched = {query.metric for one in self.alarms for query in one.alarm.metrics}
        shown = {line.metric for widget in self.widgets for line in widget.lines}
        return tuple(sorted(watched | shown, key=lambda one: (one.namespace, one.name, sorted(one.dimensions))))

    @property
    def widgets(self) -> tuple[dashboards.Widget, ...]:
        """What the template's dashboards show."""
        made = self.template.made()
        bodies = [
            self.template.properties(name)["DashboardBody"]
            for name, kind in made.items()
            if kind == "AWS::CloudWatch::Dashboard"
        ]
        return tuple(widget for body in bodies for widget in dashboards.widgets(str(body)))

    def runbook(self, name: str) -> Path:
        """Where the template says that on-call finds what to do about that alarm; the path is seen from a folder above.

        Raises:
            HarnessError: the template names none, or it is not there.
        """
        told = next((one.runbook for one in self.alarms if self.short(one.alarm.name) == name), "")
        if not told:
            raise HarnessError(f"the template names no runbook for the alarm {name} (Metadata: golive: runbook)")
        home = Path(self._told.template).resolve()
        for folder in home.parents:
            if (folder / told).is_file():
                return folder / told
        raise HarnessError(f"the template's runbook for the alarm {name} is in no folder above it: {told}")

    def table(self) -> list[table.Row]:
        """Every alarm against its own signals."""
        return [table.row(self.short(one.alarm.name), one.alarm, topic=self.topic) for one in self.alarms]


class MonitoredStack(TravellingStack):
    """A travelling instance with its alarms."""

    def __init__(self, target: Target, **options: Any) -> None:
        told = target.monitoring
        if told is None:
            raise HarnessError("the target file says nothing under [target.monitoring]")
        super().__init__(target.model_copy(update={"env": {**target.env, **target.travel.env, **told.env}}), **options)
        self.deployed = Deployed(told)
        self._pagerduty = LocalSimulator("pagerduty")
        self._pem = b""
        self._whatever_happens = ExitStack()
        self._desk = ""
        self._key = ""
        self._keys = 0
        self._metrics = Metrics()
        self._read_to = 0
        self._calls_to = 0
        self._heard: dict[str, int] = {}
        """By which process id each role was last heard: one that was just started has no minute to tell of yet."""
        self._queues: reading.QueueMetrics | None = None
        self._last: dict[str, Transition] = {}
        """Each alarm's last change."""
        self._loop: AlarmLoop | None = None
        self._lock = threading.Lock()

    def _start_parts(self) -> None:
        self._desk = self._whatever_happens.enter_context(certificate_desk(lambda: self._pem))
        options = ("--signature", "on", "--cert-at", self._desk, "--topics", self.deployed.topic)
        log = self.logs / "fake-pagerduty.log"
        child = self._pagerduty.start(self.nursery, env=self._part_env(), log=log, options=options)
        super()._start_parts()
        self._pagerduty.wait_ready(child, within_s=30)
        self._queues = reading.QueueMetrics(self._values["aws_url"], self.deployed.queues)

    def stop(self) -> None:
        """End everything; safe to call twice."""
        super().stop()
        self._whatever_happens.close()

    def _operations(self) -> dict[str, Handler]:
        return {
            **super()._operations(),
            "alarms_begin": lambda _: self.begin(),
            "alarms_minute": lambda request: self.minute(tuple(request["silent"])),
            "alarms_pages": lambda _: self.pages(),
            "runbook": lambda request: str(self.deployed.runbook(request["alarm"])),
            "alarms_metric": lambda request: self.metric(request["name"], request["since_s"]),
            "alarms_pictures": lambda request: self.pictures(request["since_s"]),
            "cloudwatch_away": lambda request: self._ask("PUT", "away", {"how": request["how"]}),
        }

    # -- what scenarios ask for ------------------------------------------------------------------------------

    def begin(self) -> dict[str, Any]:
        """New alarms, as if just deployed, and a PagerDuty service of their own; from the present on."""
        with self._lock:
            now_s = self.travelling.now_s()
            self._keys += 1
            self._key = f"{self._keys:032d}"
            signer = Signer(now_s=now_s)
            self._pem = signer.certificate_pem
            self._metrics = Metrics()
            deployed = self.deployed
            # The certificate's path is a new one: a receiver keeps what it has fetched once.
            topic = Topic(
                deployed.topic,
                post_to(f"{self._pagerduty.url}/integration/{self._key}/enqueue"),
                place=deployed.place,
                seed=self._keys,
                cert_url=f"{self._desk}/sns-{self._keys}.pem",
                sign=signer.sign,
            )
            # The first minute that is evaluated is the one in which the clock is: the one before, nobody has lived.
            started_at_s = now_s // MINUTE_S * MINUTE_S + MINUTE_S + EVALUATED_AFTER_S
            alarms = [one.alarm for one in deployed.alarms]
            self._loop = AlarmLoop(alarms, self._metrics, [topic], started_at_s=started_at_s)
            self._last = {}
            self._tell_cloudwatch(self._loop)
            self._drain()  # what was put before these alarms were made is not theirs
            self._calls_to = self._calls()[1]
            return {
                "alarms": [deployed.short(one.name) for one in alarms],
                "next_s": started_at_s,
                "reads": [
                    {"namespace": one.namespace, "name": one.name, "dimensions": dict(one.dimensions)}
                    for one in deployed.reads
                ],
            }

    def minute(self, silent: tuple[str, ...]) -> dict[str, Any]:
        """The minute that has just ended: wait until it was published, then evaluate.

        `silent`: processes of which nothing is expected, although they run.

        Raises:
            PromiseBroken: a process that runs has not published it.
        """
        with self._lock:
            if self._loop is None or self._queues is None:
                raise HarnessError("the alarms were not begun")
            now_s = self.travelling.now_s()
            at_s = now_s // MINUTE_S * MINUTE_S - MINUTE_S
            self._wait_until_published(at_s, silent)
            for datapoints in self._drain():
                reading.put_all(self._metrics, datapoints)
            self._queues.publish(self._metrics, at_s=at_s, now_s=now_s)
            changes = self._loop.advance(self.travelling.now_s())
            self._last |= {one.alarm.name: one for one in changes}
            self._tell_cloudwatch(self._loop)
            states = {self.deployed.short(name): state for name, state in self._loop.states().items()}
            return {"changes": [self._told(one) for one in changes], "states": states, "now_s": now_s}

    def pages(self) -> list[dict[str, Any]]:
        """The incidents of these alarms, as PagerDuty tells them, oldest first."""
        found = requests.get(f"{self._pagerduty.url}/_golive/incidents", timeout=_CALL_S).json()["incidents"]
        mine = [one for one in found if one["key_last4"] == self._key[-4:]]
        arns = {
            self.deployed.place.alarm_arn(one.alarm.name): self.deployed.short(one.alarm.name)
            for one in self.deployed.alarms
        }
        wanted = ("state", "title", "triggers", "opened_at_s", "resolved_at_s")
        told = [
            {"alarm": arns.get(one["dedup_key"], one["dedup_key"]), **{name: one[name] for name in wanted}}
            for one in mine
        ]
        return sorted(told, key=lambda one: one["opened_at_s"])

    def pictures(self, since_s: float) -> list[dict[str, Any]]:
        """What the template's dashboards show from then to the present."""
        with self._lock:
            widgets = list(self.deployed.widgets)
            until_s = self.travelling.now_s() // MINUTE_S * MINUTE_S
            return dashboards.drawn(self._metrics, widgets, since_s=since_s, until_s=until_s)

    def metric(self, name: str, since_s: float) -> list[dict[str, Any]]:
        """Every datapoint of that name whose stamp is not before `since_s`, SQS's own included."""
        with self._lock:
            return [
                {
                    "at_s": at_s,
                    "namespace": identity.namespace,
                    "dimensions": dict(identity.dimensions),
                    "sum": summary.total,
                    "count": summary.count,
                    "minimum": summary.minimum,
                    "maximum": summary.maximum,
                    **{p: summary.statistic(p) for p in ("p50", "p95", "p99")},
                }
                for identity, at_s, summary in self._metrics.all()
                if identity.name == name and at_s >= since_s
            ]

    # -- the parts -------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = f"{self._values['cloudwatch_url']}/_golive/{path}"
        answer = requests.request(method, url, json=body, timeout=_CALL_S)
        if not answer.ok:
            raise HarnessError(f"the fake CloudWatch refused {method} {path}: {answer.text[:300]}")
        return answer.json()

    def _tell_cloudwatch(self, loop: AlarmLoop) -> None:
        """So that on-call's `aws cloudwatch describe-alarms` says what the evaluator has found."""
        states = loop.states()
        told = [
            {
                "name": one.alarm.name,
                "arn": self.deployed.place.alarm_arn(one.alarm.name),
                "description": one.alarm.description,
                "state": states[one.alarm.name],
                "reason": last.reason
                if (last := self._last.get(one.alarm.name))
                else "Unchecked: Initial alarm creation",
                "since_s": last.at_s if last else self.travelling.now_s(),
                "actions": list(one.alarm.alarm_actions),
            }
            for one in self.deployed.alarms
        ]
        self._ask("PUT", "alarms", {"alarms": told})

    def _drain(self) -> list[Sequence[Mapping[str, Any]]]:
        found = []
        while (told := self._ask("GET", f"datapoints?after={self._read_to}"))["datapoints"]:
            self._read_to = told["next"]
            found.append(told["datapoints"])
        return found

    def _calls(self) -> tuple[list[Mapping[str, Any]], int]:
        told = self._ask("GET", f"calls?after={self._calls_to}")
        return told["calls"], told["next"]

    def _wait_until_published(self, at_s: float, silent: tuple[str, ...]) -> None:
        """Until every process that runs has told that minute, or has tried to and could not."""
        expected = {
            one: child.pid
            for one in self._processes()
            if one not in silent and (child := self.nursery.get(one)).running()
        }
        known = all(self._heard.get(role, pid) == pid for role, pid in expected.items())

        def missing() -> list[str]:
            calls, _ = self._calls()
            heard = {
                value
                for call in calls
                if call["status"] != 200 or (call["at_s"] or 0) >= at_s
                for name, value in call["dimensions"]
                if name == "Process"
            }
            return [one for one in expected if one not in heard]

        try:
            wait_until(
                missing,
                lambda found: not found,
                goal=f"the minute's metrics of {', '.join(expected)}",
                within_s=_PUBLISHED_WITHIN_S if known else _STARTED_WITHIN_S,
            )
        except NotSeenInTime:
            silent_ones = [one for one in missing() if self._heard.get(one, expected[one]) == expected[one]]
            if silent_ones:
                raise PromiseBroken(f"{', '.join(silent_ones)} runs, and has not published its minute") from None
        self._heard |= expected
        self._calls_to = self._calls()[1]

    def _processes(self) -> tuple[str, ...]:
        told = self.target.monitoring
        return tuple(self.target.start) if told is None or told.processes is None else tuple(told.processes)

    def _told(self, change: Transition) -> dict[str, Any]:
        return {
            "alarm": self.deployed.short(change.alarm.name),
            "at_s": change.at_s,
            "old": change.old,
            "new": change.new,
            "reason": change.reason,
        }
