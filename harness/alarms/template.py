"""The alarms of a CloudFormation template, as the evaluator's objects: what is tested is what is deployed.

Reads Ref, Sub, GetAtt, If, Equals and Not, on parameters, conditions, queues and topics. Anything else is a mistake
with a name, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.alarms.evaluator import Alarm, BadAlarm, Math, StatQuery
from harness.alarms.metrics import BadMetric, MetricId, is_percentile
from harness.alarms.notification import Place
from harness.errors import UsageError

MAX_BYTES = 1024 * 1024
"""Of a template, as CloudFormation takes it from S3."""
_FUNCTIONS = ("Ref", "Sub", "GetAtt", "If", "Equals", "Not", "Condition")
_HOLE = re.compile(r"\$\{([^}!]+)\}")
_NO_VALUE = object()
_KNOWN = frozenset(
    [
        "AlarmName",
        "AlarmDescription",
        "Namespace",
        "MetricName",
        "Dimensions",
        "Statistic",
        "ExtendedStatistic",
        "Unit",
        "Period",
        "Metrics",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "ComparisonOperator",
        "Threshold",
        "TreatMissingData",
        "ActionsEnabled",
        "AlarmActions",
        "EvaluateLowSampleCountPercentile",
        "OKActions",
        "InsufficientDataActions",
    ]
)
"""Properties of an alarm that are read."""


class BadTemplate(UsageError):
    """The template cannot be read as it is; says where, and what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateAlarm:
    """An alarm of the template, and what the template says of it beside CloudWatch's own properties."""

    resource: str
    alarm: Alarm
    rows: tuple[str, ...]
    """Rows of the readiness plan that it speaks for."""
    runbook: str


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, and without aliases: a small file could grow without bound."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read here")
        return super().compose_node(parent, index)


def _function(name: str) -> Callable[[yaml.SafeLoader, yaml.Node], Any]:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"

    def made(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return {key: loader.construct_sequence(node, deep=True)}
        if isinstance(node, yaml.ScalarNode):
            text = str(node.value)
            return {key: text.split(".", 1) if name == "GetAtt" else text}
        raise yaml.YAMLError(f"!{name} takes a text or a list")

    return made


for _name in _FUNCTIONS:
    _Loader.add_constructor(f"!{_name}", _function(_name))


class Template:
    """A template with its parameters settled.

    Raises:
        BadTemplate: it cannot be read, or a parameter is unknown or missing.
    """

    def __init__(self, text: str, parameters: Mapping[str, str] | None = None, *, place: Place | None = None) -> None:
        self._place = place or Place()
        whole = _read(text)
        self.resources: Mapping[str, Any] = whole.get("Resources", {})
        self._conditions: Mapping[str, Any] = whole.get("Conditions", {})
        known: Mapping[str, Any] = whole.get("Parameters", {})
        given = dict(parameters or {})
        if unknown := sorted(set(given) - set(known)):
            raise BadTemplate(f"The template has no parameter {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        self._values = {name: given.get(name, one.get("Default")) for name, one in known.items()}
        if missing := sorted(name for name, value in self._values.items() if value is None):
            raise BadTemplate(f"The template's parameter {', '.join(missing)} has no default: give it a value.")
        self._values |= {"AWS::Region": self._place.region, "AWS::AccountId": self._place.account}

    def made(self) -> Mapping[str, str]:
        """The resources whose condition holds: name and type."""
        return {
            name: one["Type"]
            for name, one in self.resources.items()
            if "Condition" not in one or self._holds(one["Condition"], name)
        }

    def properties(self, resource: str) -> Mapping[str, Any]:
        """A resource's properties with every function resolved. Raises BadTemplate."""
        found = self._resolve(self.resources[resource].get("Properties", {}), resource)
        assert isinstance(found, dict)
        return found

    def alarms(self) -> Sequence[TemplateAlarm]:
        """All metric alarms that the template makes, in its order. Raises BadTemplate."""
        return [self._alarm(name) for name, kind in self.made().items() if kind == "AWS::CloudWatch::Alarm"]

    def _alarm(self, resource: str) -> TemplateAlarm:
        said = self.resources[resource].get("Metadata", {}).get("golive", {})
        try:
            alarm = _alarm(self.properties(resource))
        except (BadAlarm, BadMetric) as error:
            raise BadTemplate(f"{resource}: {error}") from None
        except KeyError as error:
            raise BadTemplate(f"{resource} lacks the property {error}.") from None
        return TemplateAlarm(
            resource=resource, alarm=alarm, rows=tuple(said.get("rows", ())), runbook=said.get("runbook", "")
        )

    def _resolve(self, value: Any, where: str) -> Any:
        if isinstance(value, list):
            found = [self._resolve(one, where) for one in value]
            return [one for one in found if one is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(key, argument)] = value.items()
            if key == "Ref" or str(key).startswith("Fn::"):
                return self._call(key, argument, where)
        pairs = {key: self._resolve(one, where) for key, one in value.items()}
        return {key: one for key, one in pairs.items() if one is not _NO_VALUE}

    def _call(self, key: str, argument: Any, where: str) -> Any:
        match key, argument:
            case "Ref", str():
                return self._ref(argument, where)
            case "Fn::Sub", str():
                return _HOLE.sub(lambda hole: str(self._hole(hole[1], where)), argument)
            case "Fn::GetAtt", [str(resource), str(attribute)]:
                return self._attribute(resource, attribute, where)
            case "Fn::If", [str(condition), yes, no]:
                return self._resolve(yes if self._holds(condition, where) else no, where)
        known = ", ".join(_FUNCTIONS)
        raise BadTemplate(f"{where} uses {key} as golive does not read it. It reads {known}, Sub as a text.")

    def _hole(self, name: str, where: str) -> Any:
        resource, dot, attribute = name.partition(".")
        return self._attribute(resource, attribute, where) if dot else self._ref(name, where)

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._values:
            return self._values[name]
        match self._kind(name, where):
            case "AWS::SNS::Topic":
                return self._place.topic_arn(str(self.properties(name)["TopicName"]))
            case "AWS::SQS::Queue":
                return f"https://sqs.{self._place.region}.amazonaws.com/{self._place.account}/{self._queue(name)}"
            case kind:
                raise BadTemplate(f"{where} refers to {name}, and golive does not know what Ref of a {kind} gives.")

    def _attribute(self, resource: str, attribute: str, where: str) -> str:
        match self._kind(resource, where), attribute:
            case "AWS::SQS::Queue", "QueueName":
                return self._queue(resource)
            case "AWS::SQS::Queue", "Arn":
                return f"arn:aws:sqs:{self._place.region}:{self._place.account}:{self._queue(resource)}"
            case "AWS::SNS::Topic", "TopicArn":
                return str(self._ref(resource, where))
            case kind, _:
                raise BadTemplate(f"{where} asks for {resource}.{attribute}, which golive does not know of a {kind}.")

    def _kind(self, name: str, where: str) -> str:
        if name not in self.resources:
            raise BadTemplate(f"{where} refers to {name}, which is neither a parameter nor a resource.")
        return str(self.resources[name]["Type"])

    def _queue(self, resource: str) -> str:
        return str(self._resolve(self.resources[resource]["Properties"]["QueueName"], resource))

    def _holds(self, condition: str, where: str) -> bool:
        if condition not in self._conditions:
            raise BadTemplate(f"{where} needs the condition {condition}, which is not there.")
        return self._true(self._conditions[condition], condition)

    def _true(self, told: Any, where: str) -> bool:
        match told:
            case {"Fn::Not": [one]}:
                return not self._true(one, where)
            case {"Fn::Equals": [left, right]}:
                return str(self._resolve(left, where)) == str(self._resolve(right, where))
            case {"Condition": str(other)}:
                return self._holds(other, where)
        raise BadTemplate(f"The condition {where} is not one that golive reads: Equals, Not, Condition.")


def load(path: Path, parameters: Mapping[str, str] | None = None, *, place: Place | None = None) -> Template:
    """The template in a file. Raises BadTemplate."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise BadTemplate(f"{path} is larger than {MAX_BYTES} bytes: CloudFormation would not take it.")
        return Template(raw.decode("utf-8"), parameters, place=place)
    except (OSError, UnicodeDecodeError) as error:
        raise BadTemplate(f"{path} cannot be read: {error}") from None


def _read(text: str) -> Mapping[str, Any]:
    try:
        whole = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader, with CloudFormation's own tags
    except (yaml.YAMLError, RecursionError) as error:
        raise BadTemplate(f"The template is not YAML that golive reads: {error}") from None
    if not isinstance(whole, dict) or not isinstance(whole.get("Resources"), dict):
        raise BadTemplate("The template has no Resources.")
    return whole


def _alarm(told: Mapping[str, Any]) -> Alarm:
    """From CloudFormation's properties. Raises KeyError, BadAlarm, BadMetric."""
    if unknown := sorted(set(told) - _KNOWN):
        # Half of them change what the alarm does: better no answer than that of another alarm.
        raise BadAlarm(f"{told['AlarmName']} has {', '.join(unknown)}, which is not evaluated here")
    parts = told.get("Metrics")
    queries: tuple[StatQuery, ...]
    math: Math | None
    if parts is None:
        stat = told.get("Statistic") or told["ExtendedStatistic"]
        queries, math = (_query("m1", told, stat),), None
        period_s = int(told["Period"])
    else:
        queries, math, period_s = _parts(told["AlarmName"], parts)
    for query in queries:
        is_percentile(query.stat)  # an unknown statistic is said now, not when there is data
    return Alarm(
        name=told["AlarmName"],
        description=told.get("AlarmDescription", ""),
        metrics=queries,
        math=math,
        period_s=period_s,
        evaluation_periods=int(told["EvaluationPeriods"]),
        datapoints_to_alarm=int(told.get("DatapointsToAlarm", told["EvaluationPeriods"])),
        comparison=told["ComparisonOperator"],
        threshold=float(told["Threshold"]),
        treat_missing=told.get("TreatMissingData", "missing"),
        low_samples=told.get("EvaluateLowSampleCountPercentile", "evaluate"),
        actions_enabled=str(told.get("ActionsEnabled", True)).lower() == "true",
        alarm_actions=tuple(told.get("AlarmActions", ())),
        ok_actions=tuple(told.get("OKActions", ())),
        insufficient_data_actions=tuple(told.get("InsufficientDataActions", ())),
    )


def _query(name: str, metric: Mapping[str, Any], stat: str) -> StatQuery:
    dimensions = {one["Name"]: str(one["Value"]) for one in metric.get("Dimensions", ())}
    identity = MetricId.of(metric["Namespace"], metric["MetricName"], dimensions)
    return StatQuery(id=name, metric=identity, stat=stat, unit=metric.get("Unit"))


def _parts(name: str, parts: Sequence[Mapping[str, Any]]) -> tuple[tuple[StatQuery, ...], Math, int]:
    stats = [one for one in parts if "MetricStat" in one]
    watched = [one for one in parts if one.get("ReturnData", True)]
    if len(watched) != 1 or "Expression" not in watched[0] or len(stats) != len(parts) - 1:
        raise BadAlarm(f"{name}: exactly one expression has ReturnData, and all others are metrics without.")
    periods = {int(one["MetricStat"]["Period"]) for one in stats}
    if len(periods) != 1:
        raise BadAlarm(f"{name}: all metrics of an alarm have the same period.")
    queries = tuple(_query(one["Id"], one["MetricStat"]["Metric"], one["MetricStat"]["Stat"]) for one in stats)
    math = Math(id=watched[0]["Id"], expression=watched[0]["Expression"], label=watched[0].get("Label"))
    return queries, math, periods.pop()
