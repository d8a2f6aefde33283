"""The one template, applied to a local endpoint and read back resource by resource.

Two things are not asked of the local endpoint, because it cannot hold them: alarms on an expression (ministack refuses
them; they are read back from moto, which keeps what PutMetricAlarm was given), and what any alarm would do (ours says).
CREATE_COMPLETE proves nothing with an emulator: every resource is looked for by its own service.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import reference_impl
from harness.alarms import template
from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.processes import Nursery

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")

PATH = Path(reference_impl.__file__).parent / "infra" / "pipeline.yaml"
PARAMETERS = {
    "Environment": "drill",
    "PagerDutyEndpoint": "http://127.0.0.1:9/integration/e93facc04764012d7bfb002500d5d1a6/enqueue",
    "PagerDutyProtocol": "http",
}
FOUND = template.load(PATH, PARAMETERS)
MATH = {one.resource for one in FOUND.alarms() if one.alarm.math is not None}


def client(service: str, url: str | None = None) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def without(resources: set[str]) -> str:
    """The template's text but for these resources, in the long form of its functions."""
    whole = yaml.load(PATH.read_text(encoding="utf-8"), Loader=template._Loader)  # noqa: S506 -- a SafeLoader
    whole["Resources"] = {name: one for name, one in whole["Resources"].items() if name not in resources}
    return json.dumps(whole, default=str)


@pytest.fixture(scope="module")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    nursery, aws = Nursery(lambda death: None), LocalAws()
    try:
        child = aws.start(nursery, env={**os.environ, **CREDENTIALS}, log=tmp_path_factory.mktemp("aws") / "log")
        aws.wait_ready(child, within_s=30)
        cloudformation = client("cloudformation", aws.url)
        told = [{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()]
        cloudformation.create_stack(StackName="golive-drill", TemplateBody=without(MATH), Parameters=told)
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName="golive-drill", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        yield aws.url
    finally:
        nursery.stop_all()


def properties(kind: str) -> dict[str, Any]:
    """Resource -> what the template says of it, of one kind."""
    return {name: FOUND.properties(name) for name, made in FOUND.made().items() if made == kind}


def test_the_queues_are_there_with_their_redrive(aws_url: str) -> None:
    sqs = client("sqs", aws_url)
    wanted = properties("AWS::SQS::Queue")
    assert len(wanted) == 3
    for told in wanted.values():
        url = sqs.get_queue_url(QueueName=told["QueueName"])["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert found["MessageRetentionPeriod"] == str(told["MessageRetentionPeriod"])
        if policy := told.get("RedrivePolicy"):
            redrive = json.loads(found["RedrivePolicy"])
            assert redrive["deadLetterTargetArn"].endswith(":golive-dispatch-dlq")
            assert int(redrive["maxReceiveCount"]) == policy["maxReceiveCount"]


def test_the_topic_and_its_subscription_are_there(aws_url: str) -> None:
    sns = client("sns", aws_url)
    [topic] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    assert topic.endswith(":golive-drill-page")
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("http", PARAMETERS["PagerDutyEndpoint"])


def test_the_secrets_are_there_and_empty(aws_url: str) -> None:
    names = {one["Name"] for one in client("secretsmanager", aws_url).list_secrets()["SecretList"]}
    assert names == {told["Name"] for told in properties("AWS::SecretsManager::Secret").values()}


def test_the_log_groups_are_there_and_forget(aws_url: str) -> None:
    found = {
        one["logGroupName"]: one.get("retentionInDays")
        for one in client("logs", aws_url).describe_log_groups(logGroupNamePrefix="/golive/drill/")["logGroups"]
    }
    wanted = {told["LogGroupName"]: int(told["RetentionInDays"]) for told in properties("AWS::Logs::LogGroup").values()}
    assert found == wanted
    assert len(found) == 4


def test_the_dashboard_is_there(aws_url: str) -> None:
    body = client("cloudwatch", aws_url).get_dashboard(DashboardName="golive-drill")["DashboardBody"]
    assert json.loads(body) == json.loads(properties("AWS::CloudWatch::Dashboard")["Dashboard"]["DashboardBody"])


def test_every_alarm_on_one_metric_is_there(aws_url: str) -> None:
    found = {
        one["AlarmName"]: one for one in client("cloudwatch", aws_url).describe_alarms(MaxRecords=100)["MetricAlarms"]
    }
    wanted = {name: told for name, told in properties("AWS::CloudWatch::Alarm").items() if name not in MATH}
    assert set(found) == {told["AlarmName"] for told in wanted.values()}
    for told in wanted.values():
        one = found[told["AlarmName"]]
        for key in ("Namespace", "MetricName", "Period", "EvaluationPeriods", "ComparisonOperator"):
            assert one[key] == told[key], (told["AlarmName"], key)
        assert one["Threshold"] == float(told["Threshold"])
        assert one["AlarmActions"][0].endswith(":golive-drill-page")
        assert one["OKActions"][0].endswith(":golive-drill-page")


def test_every_alarm_is_one_that_putmetricalarm_takes() -> None:
    """The ones on expressions too; moto keeps them as they were given."""
    wanted = {told["AlarmName"]: told for told in properties("AWS::CloudWatch::Alarm").values()}
    with moto.mock_aws():
        cloudwatch = client("cloudwatch")
        for told in wanted.values():
            cloudwatch.put_metric_alarm(**_as_api(told))
        found = {one["AlarmName"]: one for one in cloudwatch.describe_alarms(MaxRecords=100)["MetricAlarms"]}
    assert set(found) == set(wanted)
    assert len(MATH) == 3
    for name in MATH:
        told = FOUND.properties(name)
        one = found[told["AlarmName"]]
        expression = [part["Expression"] for part in one["Metrics"] if part.get("Expression")]
        assert expression == [part["Expression"] for part in told["Metrics"] if "Expression" in part]


def _as_api(told: Any) -> dict[str, Any]:
    """CloudFormation's properties as the API's arguments: the names are the same."""
    return {**told, "Threshold": float(told["Threshold"])}
