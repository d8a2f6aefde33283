"""The one template: clean, of the names that the reference uses, and read as CloudFormation would read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import reference_impl
from harness.alarms import template
from harness.alarms.evaluator import Alarm
from harness.alarms.metrics import MetricId
from harness.alarms.template import BadTemplate, Template
from harness.readiness import plan
from reference_impl import queues
from reference_impl.secrets import GatewaySecret, SecretStore
from reference_impl.settings import Settings
from tests.rows import each_row

PATH = Path(reference_impl.__file__).parent / "infra" / "pipeline.yaml"


def read(**parameters: str) -> Template:
    return template.load(PATH, parameters)


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    # Its own process: its warnings are not ours.
    argv = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", "us-east-1", "sa-east-1", "--", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


def test_cfn_lint_has_nothing_to_say(tmp_path: Path) -> None:
    found = lint(PATH)
    assert (found.returncode, found.stdout) == (0, "")
    broken = tmp_path / "broken.yaml"
    text = PATH.read_text(encoding="utf-8")
    broken.write_text(text.replace("GreaterThanThreshold", "MoreThanThreshold", 1), encoding="utf-8")
    assert "MoreThanThreshold" in lint(broken).stdout


class Sqs:
    """Keeps what `aws create` asks for."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, str]] = {}

    def create_queue(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 -- boto3's
        self.made[QueueName] = {}
        return {"QueueUrl": QueueName}

    def set_queue_attributes(self, *, QueueUrl: str, Attributes: dict[str, str]) -> None:  # noqa: N803 -- boto3's
        self.made[QueueUrl] = Attributes

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803 -- boto3's
        return {"Attributes": {"QueueArn": f"arn:aws:sqs:us-east-1:000000000000:{QueueUrl}"}}


def test_the_queues_are_those_that_the_reference_creates() -> None:
    client: Any = Sqs()
    queues.create(client, Settings(database_url="postgresql://"))
    found, made = read(), {}
    for name, kind in found.made().items():
        if kind == "AWS::SQS::Queue":
            told = found.properties(name)
            asked = {key: str(told[key]) for key in ("MessageRetentionPeriod", "VisibilityTimeout") if key in told}
            if policy := told.get("RedrivePolicy"):
                asked["RedrivePolicy"] = json.dumps({key: str(value) for key, value in policy.items()})
            made[told["QueueName"]] = asked
    assert made == client.made


def test_the_secrets_are_those_that_the_reference_reads() -> None:
    asked: list[str] = []

    class Gone(Exception): ...

    class Client:
        exceptions = SimpleNamespace(ResourceNotFoundException=Gone, ResourceExistsException=Gone)

        def create_secret(self, *, Name: str, SecretString: str) -> None:  # noqa: N803 -- boto3's
            asked.append(Name)

        def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803 -- boto3's
            raise Gone

    client: Any = Client()
    store = SecretStore(client)
    store.put_gateway_secrets("acme", {"stripe": GatewaySecret(values=["x"])})
    store.put_meta("acme", token="x", expires_at_s=None)
    store.add_data_key("x", now_s=0, keep_s=1)
    found = read(FirstTenant="acme")
    names = [found.properties(name)["Name"] for name, kind in found.made().items() if kind.endswith("::Secret")]
    assert sorted(names) == sorted(asked)
    secrets = [found.properties(name) for name, kind in found.made().items() if kind.endswith("::Secret")]
    assert all(set(told) == {"Name", "Description"} for told in secrets)  # no value in a repository


def test_everything_the_plan_asks_for_is_there() -> None:
    kinds = list(read(PagerDutyEndpoint="https://example.com").made().values())
    assert kinds.count("AWS::CloudWatch::Alarm") >= 10
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != "AWS::CloudWatch::Alarm"} == {
        "AWS::CloudWatch::Dashboard": 1,
        "AWS::Logs::LogGroup": 4,
        "AWS::SNS::Subscription": 1,
        "AWS::SNS::Topic": 1,
        "AWS::SQS::Queue": 3,
        "AWS::SecretsManager::Secret": 3,
    }
    assert "AWS::SNS::Subscription" not in read().made().values()
    found = read()
    assert all(found.properties(name)["RetentionInDays"] for name, kind in found.made().items() if "LogGroup" in kind)


def test_the_dashboard_shows_every_metric_that_an_alarm_watches_or_says_why_not() -> None:
    found = read(Environment="drill")
    board = json.loads(found.properties("Dashboard")["DashboardBody"])
    shown = json.dumps(board)
    watched = {query.metric.name for one in found.alarms() for query in one.alarm.metrics}
    # A heartbeat and a flag of 0 or 1 say nothing as a curve; matched purchases are on the customer's own dashboard.
    assert {name for name in watched if name not in shown} == {
        "Heartbeats", "AccountsRefusingAll", "Purchases", "PurchasesMatched",
    }  # fmt: skip
    assert '"Environment", "drill"' in shown


def test_every_alarm_pages_says_what_to_do_and_has_its_rows() -> None:
    found = read(Environment="drill")
    topic = "arn:aws:sns:us-east-1:000000000000:golive-drill-page"
    rows = set(plan.load().rows)
    for one in found.alarms():
        assert one.alarm.name.startswith("golive-drill-")
        assert (one.alarm.alarm_actions, one.alarm.ok_actions, one.alarm.actions_enabled) == ((topic,), (topic,), True)
        assert one.rows
        assert set(one.rows) <= rows, one.resource
        assert one.runbook.startswith("docs/runbooks/")
        assert one.alarm.description


def test_an_alarm_is_read_whole() -> None:
    alarms: dict[str, Alarm] = {one.resource: one.alarm for one in read(DlqName="graves").alarms()}
    dlq = alarms["DlqDepthAlarm"]
    assert dlq.metrics[0].metric == MetricId.of(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "graves"}
    )
    assert (dlq.period_s, dlq.evaluation_periods, dlq.datapoints_to_alarm) == (60, 30, 30)
    assert (dlq.comparison, dlq.threshold, dlq.treat_missing) == ("GreaterThanThreshold", 100.0, "notBreaching")
    rate = alarms["WebhookSuccessAlarm"]
    assert rate.math is not None
    assert [one.stat for one in rate.metrics] == ["Sum", "Sum"]
    assert rate.period_s == 3600
    assert alarms["WebhookLatencyAlarm"].metrics[0].stat == "p95"
    assert alarms["WebhookLatencyAlarm"].low_samples == "ignore"


ONE = """
Parameters: { Name: { Type: String, Default: a } }
Conditions: { IsA: !Equals [!Ref Name, a], NotA: !Not [!Condition IsA] }
Resources:
  Topic: { Type: "AWS::SNS::Topic", Properties: { TopicName: t } }
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !If [IsA, !Sub "${Name}-${AWS::Region}-${Topic.TopicArn}", other]
      Unit: !If [NotA, Count, !Ref "AWS::NoValue"]
      Namespace: n
      MetricName: m
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 2
      ComparisonOperator: LessThanThreshold
      Threshold: 1
"""


def test_functions_and_defaults() -> None:
    [one] = Template(ONE).alarms()
    assert one.alarm.name == "a-us-east-1-arn:aws:sns:us-east-1:000000000000:t"
    assert (one.alarm.datapoints_to_alarm, one.alarm.treat_missing, one.alarm.metrics[0].unit) == (2, "missing", None)
    [off] = Template(ONE.replace("Statistic: Sum", "Statistic: Sum\n      ActionsEnabled: 'false'")).alarms()
    assert (one.alarm.actions_enabled, off.alarm.actions_enabled) == (True, False)
    [one] = Template(ONE, {"Name": "b"}).alarms()
    assert (one.alarm.name, one.alarm.metrics[0].unit) == ("other", "Count")


@each_row(
    ("old", "new", "named"),
    [
        ("Namespace: n", "Namespace: !FindInMap [a, b, c]", "FindInMap"),
        ("Namespace: n", "Namespace: !GetAtt Topic.TopicName", "Topic.TopicName"),
        ("Namespace: n", "Namespace: !Ref Nobody", "Nobody"),
        ("Namespace: n", "Namespace: !Ref Alarm", "Ref of a AWS::CloudWatch::Alarm"),
        ("Namespace: n", "Namespace: {'Fn::Join': ['', [a]]}", "Fn::Join"),
        ("IsA, !Sub", "Never, !Sub", "condition Never"),
        ("Period: 60", "Period: 61", "Period is"),
        ("Statistic: Sum", "Statistic: IQM", "IQM"),
        ("Statistic: Sum", "Statistic: Sum\n      ThresholdMetricId: band", "ThresholdMetricId"),
        ("      Threshold: 1\n", "", "'Threshold'"),
        ("Default: a", "Description: a", "no default"),
        ("Namespace: n", "Namespace: &x n\n      Unit2: *x", "aliases"),
        ("Resources:", "Resurces:", "no Resources"),
        ("Resources:", "[", "not YAML"),
    ],
)
def test_what_is_not_read_is_said(old: str, new: str, named: str) -> None:
    with pytest.raises(BadTemplate, match=named):
        Template(ONE.replace(old, new)).alarms()


def test_a_wrong_parameter_and_a_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadTemplate, match=r"no parameter Nmae\. Known: Name"):
        Template(ONE, {"Nmae": "b"})
    with pytest.raises(BadTemplate, match="cannot be read"):
        template.load(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_bytes(b" " * (template.MAX_BYTES + 1))
    with pytest.raises(BadTemplate, match="larger"):
        template.load(tmp_path / "big.yaml")
