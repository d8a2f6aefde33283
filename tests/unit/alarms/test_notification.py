"""What CloudWatch and SNS say (facts/aws_pagerduty.md, 2.23 to 2.27, 3.1 to 3.9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.alarms import loop, notification
from harness.alarms.evaluator import Alarm, Math, StatQuery, Watched
from harness.alarms.loop import AlarmLoop, Topic
from harness.alarms.metrics import MetricId, Metrics
from harness.alarms.notification import Place
from tests.rows import each_row

T0 = 1_772_352_000  # 2026-03-01 08:00:00 UTC
PLACE = Place(account="111122223333", region="sa-east-1", configured_at_s=T0)
TOPIC = PLACE.topic_arn("page")
METRIC = MetricId.of("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "jobs-dlq"})


def alarm(**changed: Any) -> Alarm:
    given: dict[str, Any] = {
        "name": "dlq-not-empty",
        "description": "page: runbook 7",
        "metrics": (StatQuery(id="m1", metric=METRIC, stat="Maximum"),),
        "period_s": 60,
        "evaluation_periods": 1,
        "datapoints_to_alarm": 1,
        "comparison": "GreaterThanThreshold",
        "threshold": 0.0,
        "treat_missing": "notBreaching",
        "alarm_actions": (TOPIC,),
        "ok_actions": (TOPIC,),
    }
    return Alarm(**(given | changed))


def metrics(*values: float) -> Metrics:
    made = Metrics()
    for n, value in enumerate(values):
        made.put_value(METRIC, T0 + 60 * n, value)
    return made


def test_the_message_is_cloudwatchs() -> None:
    _, change = Watched(alarm=alarm(), state="OK").step(metrics(4), T0 + 91.12)
    assert change is not None
    assert notification.message(change, PLACE) == {
        "AlarmName": "dlq-not-empty",
        "AlarmDescription": "page: runbook 7",
        "AWSAccountId": "111122223333",
        "AlarmConfigurationUpdatedTimestamp": "2026-03-01T08:00:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": change.reason,
        "StateChangeTime": "2026-03-01T08:01:31.120+0000",
        "Region": "South America (Sao Paulo)",
        "AlarmArn": "arn:aws:cloudwatch:sa-east-1:111122223333:alarm:dlq-not-empty",
        "OldStateValue": "OK",
        "OKActions": [TOPIC],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Namespace": "AWS/SQS",
            "StatisticType": "Statistic",
            "Statistic": "MAXIMUM",
            "Unit": None,
            "Dimensions": [{"value": "jobs-dlq", "name": "QueueName"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }
    assert notification.subject(change, PLACE) == 'ALARM: "dlq-not-empty" in South America (Sao Paulo)'


def test_a_long_name_is_shortened_in_the_subject_only() -> None:
    _, change = Watched(alarm=alarm(name="n" * 200), state="OK").step(metrics(4), T0 + 60)
    assert change is not None
    told = notification.subject(change, PLACE)
    assert len(told) == 100
    assert told.endswith('n..." in South America (Sao Paulo)')
    assert notification.message(change, PLACE)["AlarmName"] == "n" * 200


def test_a_percentile_and_an_expression_have_their_own_triggers() -> None:
    query = StatQuery(id="m1", metric=METRIC, stat="p95")
    _, change = Watched(alarm=alarm(metrics=(query,)), state="OK").step(metrics(4), T0 + 60)
    assert change is not None
    trigger = notification.message(change, PLACE)["Trigger"]
    assert (trigger["StatisticType"], trigger["ExtendedStatistic"]) == ("ExtendedStatistic", "p95")
    assert "Statistic" not in trigger
    whole = alarm(math=Math(id="e1", expression="m1 * 2", label="twice"))
    _, change = Watched(alarm=whole, state="OK").step(metrics(4), T0 + 60)
    assert change is not None
    trigger = notification.message(change, PLACE)["Trigger"]
    assert "MetricName" not in trigger
    assert [one["ReturnData"] for one in trigger["Metrics"]] == [True, False]
    assert trigger["Metrics"][0] == {"Id": "e1", "Expression": "m1 * 2", "Label": "twice", "ReturnData": True}
    assert trigger["Metrics"][1]["MetricStat"]["Metric"]["Dimensions"] == [{"value": "jobs-dlq", "name": "QueueName"}]


class Post:
    """Answers what it is told to, in turn, then 202; keeps what came."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.came: list[tuple[dict[str, str], Mapping[str, str]]] = []

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> int | None:
        self.came.append((json.loads(body), headers))
        return self.answers.pop(0) if self.answers else 202

    def states(self) -> list[str]:
        return [json.loads(told["Message"])["NewStateValue"] for told, _ in self.came]


def test_every_minute_is_evaluated_and_only_changes_are_told() -> None:
    post = Post()
    topic = Topic(TOPIC, post, place=PLACE)
    running = AlarmLoop([alarm()], metrics(0, 0, 5, 5, 5, 5, 0), [topic], started_at_s=T0 + 60)
    assert running.states() == {"dlq-not-empty": "INSUFFICIENT_DATA"}
    changes = [*running.advance(T0 + 150), *running.advance(T0 + 100), *running.advance(T0 + 3600)]
    assert [((change.at_s - T0) / 60, change.new) for change in changes] == [(1, "OK"), (3, "ALARM"), (7, "OK")]
    assert post.states() == ["OK", "ALARM", "OK"]
    told, sent = post.came[1]
    assert sent["Content-Type"] == "text/plain; charset=UTF-8"
    assert sent["x-amz-sns-message-id"] == told["MessageId"]
    assert sent["x-amz-sns-topic-arn"] == TOPIC
    assert len({told["MessageId"] for told, _ in post.came}) == 3


def test_a_topic_that_is_not_there_is_told_nobody() -> None:
    post = Post()
    running = AlarmLoop([alarm(alarm_actions=("arn:other",), ok_actions=())], metrics(5), [
        Topic(TOPIC, post, place=PLACE)
    ], started_at_s=T0 + 60)  # fmt: skip
    assert running.advance(T0 + 60)
    assert post.came == []


@each_row(
    ("answers", "tries", "dropped"),
    [
        ([202], 1, 0),
        ([500, None, 429, 202], 4, 0),
        ([500] * 9, 4, 1),
        ([400], 1, 1),
        ([403], 1, 1),
    ],
)
def test_a_delivery_is_tried_as_sns_tries(answers: list[int | None], tries: int, dropped: int) -> None:
    post = Post(*answers)
    topic = Topic(TOPIC, post, place=PLACE)
    running = AlarmLoop([alarm()], metrics(*[5] * 10), [topic], started_at_s=T0 + 60)
    running.advance(T0 + 60)
    assert len(post.came) == 1
    running.advance(T0 + 600)
    assert (len(post.came), topic.dropped) == (tries, dropped)
    assert len({told["MessageId"] for told, _ in post.came}) == 1


def test_a_jump_is_evaluated_minute_by_minute_and_is_bounded() -> None:
    running = AlarmLoop([alarm()], metrics(0, 5, 0), [], started_at_s=T0 + 60)
    assert [change.new for change in running.advance(T0 + 86_400)] == ["OK", "ALARM", "OK"]
    at_s = [change.at_s for change in AlarmLoop([alarm()], Metrics(), [], started_at_s=0).advance(T0)]
    assert at_s == [T0 - loop.MAX_CATCH_UP_S]
