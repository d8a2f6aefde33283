"""Each check of the environment passes where all is there, and fails when its one thing is missing or wrong."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from harness.readiness import aws_checks as checks
from harness.readiness import plan
from harness.records import RowState
from tests.rows import each_row

COMMIT = "0123456789abcdef"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SECRET = "s3cr3t-value-nobody-may-see"


@pytest.fixture(scope="module")
def clients() -> Iterator[Callable[[str], Any]]:
    """Clients that all tests share: to read what a service's calls are is most of the work of making one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # thousands of images, read anew for each account
        yield checks.clients(region="us-east-1")


@pytest.fixture
def client(clients: Callable[[str], Any]) -> Iterator[Callable[[str], Any]]:
    """The shared clients before an account in which there is nothing."""
    with mock_aws():  # it forgets what the test before has made
        yield clients


def state(client: Callable[[str], Any], row: str, prefix: str = "", commit: str = COMMIT) -> RowState:
    """What the one check says that looks at this row."""
    rows, check = next(one for one in checks._checks(commit) if row in one[0])
    return next(one.state for one in checks._asked(client, prefix, rows, check) if one.row == row)


def queues(client: Any, *, dlq: bool = True) -> None:
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName="golive-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    sqs.create_queue(QueueName="golive-main", Attributes={"RedrivePolicy": policy} if dlq else {})


def test_queues_and_redrive(client: Any) -> None:
    assert state(client, checks.SQS) is RowState.NOT_MET
    queues(client)
    assert state(client, checks.SQS, "golive") is RowState.MET
    assert state(client, checks.SQS, "another") is RowState.NOT_MET


def test_a_queue_without_redrive(client: Any) -> None:
    queues(client, dlq=False)
    assert state(client, checks.SQS) is RowState.NOT_MET


def test_a_dead_letter_queue_that_is_gone(client: Any) -> None:
    queues(client)
    client("sqs").delete_queue(QueueUrl=client("sqs").get_queue_url(QueueName="golive-dlq")["QueueUrl"])
    assert state(client, checks.SQS) is RowState.NOT_MET


def test_secrets_are_present_and_never_told(client: Any) -> None:
    for name in ("meta-token", *checks.GATEWAYS):
        assert state(client, checks.SECRETS) is RowState.NOT_MET
        client("secretsmanager").create_secret(Name=f"golive/{name}", SecretString=SECRET)
    found = checks.look(client)
    assert next(one.state for one in found if one.row == checks.SECRETS) is RowState.MET
    assert SECRET not in repr(found)


def alarms(client: Any, count: int = 8, *, subscribed: bool = True, enabled: bool = True) -> None:
    topic = client("sns").create_topic(Name="pages")["TopicArn"]
    if subscribed:
        client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    for number in range(count):
        client("cloudwatch").put_metric_alarm(
            AlarmName=f"a{number}", MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1,
            Statistic="Sum", ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], ActionsEnabled=enabled,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "reach", "eight", "topic"),
    [
        ({}, RowState.MET, RowState.MET, RowState.MET),
        ({"count": 7}, RowState.MET, RowState.NOT_MET, RowState.MET),
        ({"count": 0}, RowState.NOT_MET, RowState.NOT_MET, RowState.NOT_MET),
        ({"subscribed": False}, RowState.NOT_MET, RowState.MET, RowState.NOT_MET),
        ({"enabled": False}, RowState.NOT_MET, RowState.MET, RowState.MET),
    ],
)
def test_alarms_reach_somebody(
    client: Any, given: dict[str, Any], reach: RowState, eight: RowState, topic: RowState
) -> None:
    alarms(client, **given)
    assert [state(client, row) for row in (checks.ALARMS, checks.ALARMS_8, checks.SNS)] == [reach, eight, topic]


@pytest.mark.parametrize(
    ("title", "any_", "webhooks"),
    [("Latency and success", RowState.MET, RowState.MET), ("Costs", RowState.MET, RowState.NOT_MET),
     ("", RowState.NOT_MET, RowState.NOT_MET)],
)  # fmt: skip
def test_dashboards(client: Any, title: str, any_: RowState, webhooks: RowState) -> None:
    widgets = [{"type": "text", "properties": {"markdown": title}}] if title else []
    client("cloudwatch").put_dashboard(DashboardName="d", DashboardBody=json.dumps({"widgets": widgets}))
    rows = (checks.DASHBOARDS, checks.DASHBOARD_MONITORING, checks.DASHBOARD_WEBHOOKS)
    assert [state(client, row) for row in rows] == [any_, any_, webhooks]


def test_log_groups_have_retention(client: Any) -> None:
    assert state(client, checks.LOGS) is RowState.NOT_MET
    client("logs").create_log_group(logGroupName="web")
    assert state(client, checks.LOGS) is RowState.NOT_MET
    client("logs").put_retention_policy(logGroupName="web", retentionInDays=30)
    assert state(client, checks.LOGS) is RowState.MET


def test_an_image_of_the_commit(client: Any) -> None:
    assert state(client, checks.IMAGE) is RowState.NOT_MET
    client("ecr").create_repository(repositoryName="web")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:0"}, "layers": []})
    client("ecr").put_image(repositoryName="web", imageManifest=manifest, imageTag=COMMIT[:12])
    assert state(client, checks.IMAGE) is RowState.MET
    assert state(client, checks.IMAGE, commit="f" * 16) is RowState.NOT_MET
    assert state(client, checks.IMAGE, commit="") is RowState.NOT_MET


@pytest.mark.parametrize(("days", "engine", "expected"), [
    (7, "postgres", RowState.MET), (0, "postgres", RowState.NOT_MET), (7, "mysql", RowState.NOT_MET),
])  # fmt: skip
def test_database_backups(client: Any, days: int, engine: str, expected: RowState) -> None:
    client("rds").create_db_instance(
        DBInstanceIdentifier="main", DBInstanceClass="db.t3.micro", Engine=engine, AllocatedStorage=20,
        MasterUsername="golive", MasterUserPassword="password123", BackupRetentionPeriod=days,
    )  # fmt: skip
    assert state(client, checks.RDS) is expected


@pytest.mark.parametrize(("addresses", "expected"), [(["192.0.2.0/24"], RowState.MET), ([], RowState.NOT_MET)])
def test_the_waf_blocks_and_uses_the_allowlist(client: Any, addresses: list[str], expected: RowState) -> None:
    waf = client("wafv2")
    arn = waf.create_ip_set(Name="allow", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=addresses)["Summary"][
        "ARN"
    ]
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
    statement = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": arn}}}}
    rule = {"Name": "r", "Priority": 1, "Action": {"Block": {}}, "Statement": statement, "VisibilityConfig": seen}
    assert state(client, checks.WAF) is RowState.NOT_MET
    waf.create_web_acl(Name="front", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[rule])
    assert state(client, checks.WAF) is RowState.MET
    assert state(client, checks.ALLOWLIST) is expected


@each_row(
    ("running", "least", "tasks", "scaled"),
    [
        (2, 2, RowState.MET, RowState.MET),
        (1, 2, RowState.NOT_MET, RowState.MET),
        (2, 1, RowState.MET, RowState.NOT_MET),
    ],
)
def test_services_run_twice_and_are_scaled(running: int, least: int, tasks: RowState, scaled: RowState) -> None:
    pages = {
        "describe_scalable_targets": {"ScalableTargets": [{"ResourceId": "service/c/web", "MinCapacity": least}]},
        "list_clusters": {"clusterArns": ["arn:aws:ecs:x:1:cluster/c"]},
        "list_services": {"serviceArns": ["arn:aws:ecs:x:1:service/c/web"]},
    }

    class Ecs:
        """moto runs no tasks of a service, so its answers stand here."""

        def get_paginator(self, name: str) -> Any:
            return type("Pages", (), {"paginate": lambda self, **_: [pages[name]]})()

        def describe_services(self, **_: Any) -> dict[str, Any]:
            return {"services": [{"serviceName": "web", "runningCount": running}]}

    assert state(lambda _: Ecs(), checks.ECS) is tasks
    assert state(lambda _: Ecs(), checks.AUTOSCALING) is scaled


def test_every_row_is_of_the_plan_and_an_empty_account_meets_none(client: Any) -> None:
    found = checks.look(client)
    assert {plan.load().rows[one.row].how for one in found} == {"readiness"}
    assert {one.state for one in found} == {RowState.NOT_MET}, found


def test_an_endpoint_that_does_not_answer_is_not_observed(client: Any) -> None:
    def refuse(service: str) -> Any:
        raise ValueError("no such service here")

    assert {one.state for one in checks.look(refuse)} == {RowState.NOT_OBSERVED}


def test_only_reading_calls_are_made(client: Any) -> None:
    asked: list[str] = []
    queues(client)
    alarms(client)

    def note(model: Any, **_: Any) -> None:
        asked.append(model.name)

    with contextlib.ExitStack() as afterwards:  # the next tests have the same clients

        def watched(service: str) -> Any:
            one = client(service)
            one.meta.events.register("before-call", note)
            afterwards.callback(one.meta.events.unregister, "before-call", note)
            return one

        checks.look(watched)
    assert asked
    assert all(name.startswith(("List", "Describe", "Get")) for name in asked)
    assert "GetSecretValue" not in asked
    assert boto3  # moto patches it


def test_an_ip_set_that_no_rule_uses(client: Any) -> None:
    """It holds addresses, and a rule blocks; but the one knows nothing of the other."""
    waf = client("wafv2")
    waf.create_ip_set(Name="allow", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
    match = {
        "SearchString": b"x",
        "FieldToMatch": {"UriPath": {}},
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        "PositionalConstraint": "CONTAINS",
    }
    rule = {
        "Name": "r",
        "Priority": 1,
        "Action": {"Block": {}},
        "Statement": {"ByteMatchStatement": match},
        "VisibilityConfig": seen,
    }
    waf.create_web_acl(Name="front", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[rule])
    assert state(client, checks.WAF) is RowState.MET
    assert state(client, checks.ALLOWLIST) is RowState.NOT_MET


def service(client: Any, *images: str, name: str = "golive-web") -> None:
    """An ECS service whose task runs these images."""
    ecs = client("ecs")
    ecs.create_cluster(clusterName="c")
    containers = [{"name": f"c{place}", "image": image, "memory": 128} for place, image in enumerate(images)]
    ecs.register_task_definition(family=name, containerDefinitions=containers)
    ecs.create_service(cluster="c", serviceName=name, taskDefinition=name, desiredCount=2)


REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("images", "commits"),
    [
        ((f"{REGISTRY}/web:{COMMIT}",), (COMMIT,)),
        ((f"{REGISTRY}/web:{COMMIT}", "datadog/agent:7", "envoy:latest", "registry:5000/x"), (COMMIT,)),
        ((f"{REGISTRY}/web:{COMMIT}", f"{REGISTRY}/consumer:ffffffffffff"), (COMMIT, "ffffffffffff")),
        ((f"{REGISTRY}/web@sha256:{'a' * 64}",), ()),
        ((f"{REGISTRY}/web:latest",), ()),
    ],
)
def test_the_deployed_commit_is_the_tag_of_the_running_image(
    client: Any, images: tuple[str, ...], commits: tuple[str, ...]
) -> None:
    service(client, *images)
    assert checks.deployed(client, prefix="golive") == commits
    assert checks.deployed(client, prefix="another") == ()


def test_no_deployed_commit_where_nothing_can_be_asked() -> None:
    def refuse(_: str) -> Any:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert checks.deployed(refuse) == ()


@pytest.mark.parametrize(
    ("namespace", "name", "flowing", "throughput"),
    [
        ("golive", "webhooks_accepted", RowState.MET, RowState.MET),
        ("golive", "breaker_state", RowState.MET, RowState.NOT_MET),
        ("another", "webhooks_accepted", RowState.NOT_MET, RowState.NOT_MET),
        ("AWS/golive", "webhooks_accepted", RowState.NOT_MET, RowState.NOT_MET),
    ],
)
def test_metrics_of_the_application_flow(
    client: Any, namespace: str, name: str, flowing: RowState, throughput: RowState
) -> None:
    assert state(client, checks.METRICS) is RowState.NOT_MET
    client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": name, "Value": 1}])
    assert [state(client, row, "golive") for row in (checks.METRICS, checks.THROUGHPUT)] == [flowing, throughput]
