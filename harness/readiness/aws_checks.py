"""What the AWS account itself says of the plan's rows. Reads only: list, describe, get; never a secret's value.

Each check looks at what carries the prefix in its name (without one: at everything in the region). What cannot be
asked (no permission, no such service behind this endpoint) is not observed; what is absent or wrong is not met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.errors import UsageError
from harness.readiness.evidence import Found
from harness.records import RowState

Clients = Callable[[str], Any]
"""A boto3 client by its service's name."""

ALARMS_OF_THE_PLAN = 8
TASKS_OF_THE_PLAN = 2
GATEWAYS = ("perfectpay", "hotmart", "kiwify", "stripe")
_AGAIN = "golive readiness --aws-profile PROFILE"
_COMMIT = re.compile(r"[0-9a-f]{7,40}")

_Said = Iterator[tuple[str, str]]
"""Row, and what is wrong with it (empty: nothing)."""


def clients(*, endpoint: str = "", profile: str = "", region: str = "") -> Clients:
    """Clients for a real account by its profile, or for any endpoint.

    Raises:
        UsageError: boto3 is not installed, there is no such profile, or no region is named anywhere.
    """
    try:
        import boto3  # noqa: PLC0415 -- an extra, and slow to import
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise UsageError("Looking into AWS needs boto3: install golive[aws].") from None
    patience = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2})
    try:
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
        if not session.region_name:
            raise UsageError("No AWS region is named. Set AWS_DEFAULT_REGION, or one in the profile.")
    except BotoCoreError as error:
        raise UsageError(f"AWS cannot be asked: {error}.") from None
    known: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in known:
            make: Any = session.client
            known[service] = make(service, endpoint_url=endpoint or None, config=patience)
        return known[service]

    return client


def look(client: Clients, *, prefix: str = "", commit: str = "") -> list[Found]:
    """Every check, each on its own: one that cannot be asked does not hide the others."""
    found: list[Found] = []
    for rows, check in _checks(commit):
        found += _asked(client, prefix, rows, check)
    return found


def deployed(client: Clients, *, prefix: str = "") -> tuple[str, ...]:
    """The commits that the ECS services run, as their images' tags say it; none where it cannot be seen."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- an extra

    try:
        ecs = client("ecs")
        tasks = {service["taskDefinition"] for _, service in _all_services(client) if prefix in service["serviceName"]}
        images = [
            container["image"]
            for task in tasks
            for container in ecs.describe_task_definition(taskDefinition=task)["taskDefinition"]["containerDefinitions"]
        ]
    except (BotoCoreError, ClientError, ValueError, KeyError, TypeError):
        return ()
    tags = {image.rpartition(":")[2] for image in images if ":" in image.rpartition("/")[2] and "@" not in image}
    return tuple(sorted(tag for tag in tags if _COMMIT.fullmatch(tag)))


def _all_services(client: Clients) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cluster and description of every ECS service."""
    ecs = client("ecs")
    for cluster in _pages(ecs, "list_clusters", "clusterArns"):
        names = _pages(ecs, "list_services", "serviceArns", cluster=cluster)
        for start in range(0, len(names), 10):  # as many as may be asked for at once
            for service in ecs.describe_services(cluster=cluster, services=names[start : start + 10])["services"]:
                yield cluster, service


def _asked(client: Clients, prefix: str, rows: tuple[str, ...], check: Callable[[Clients, str], _Said]) -> list[Found]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- an extra

    try:
        said = list(check(client, prefix))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        why = f"AWS refused to say ({error.operation_name}: {code})."
    except (BotoCoreError, ValueError, KeyError, TypeError) as error:
        why = f"AWS could not be asked ({type(error).__name__})."
    else:
        wrong: dict[str, list[str]] = {row: [] for row in rows}
        for row, words in said:
            if words:
                wrong[row].append(words)
        return [_found(row, words) for row, words in wrong.items()]
    return [Found(row=row, state=RowState.NOT_OBSERVED, evidence=why, reproduce=_AGAIN) for row in rows]


def _found(row: str, wrong: list[str]) -> Found:
    if not wrong:
        return Found(row=row, state=RowState.MET, evidence="Seen in the AWS account.", reproduce=_AGAIN)
    told = f"In the AWS account: {'; '.join(wrong[:5])}."
    return Found(row=row, state=RowState.NOT_MET, evidence=told, reproduce=_AGAIN)


def _pages(client: Any, operation: str, key: str, **asked: Any) -> list[Any]:
    return [one for page in client.get_paginator(operation).paginate(**asked) for one in page.get(key, [])]


def _checks(commit: str) -> tuple[tuple[tuple[str, ...], Callable[[Clients, str], _Said]], ...]:
    return (
        ((SQS,), _queues),
        ((SECRETS,), _secrets),
        ((ALARMS, ALARMS_8, SNS), _alarms),
        ((DASHBOARDS, DASHBOARD_MONITORING, DASHBOARD_WEBHOOKS), _dashboards),
        ((METRICS, THROUGHPUT), _metrics),
        ((LOGS,), _logs),
        ((ECS, AUTOSCALING), _services),
        ((IMAGE,), lambda client, prefix: _image(client, prefix, commit)),
        ((RDS,), _databases),
        ((WAF, ALLOWLIST), _waf),
    )


SQS = "checklist/infrastructure/sqs"
SECRETS = "checklist/infrastructure/secrets"
ALARMS = "checklist/infrastructure/alarms"
ALARMS_8 = "011.5c/alarms-8"
SNS = "011.5c/sns"
DASHBOARDS = "checklist/infrastructure/dashboards"
DASHBOARD_MONITORING = "011.5c/dashboard"
DASHBOARD_WEBHOOKS = "011.1/dashboard"
METRICS = "checklist/monitoring/metrics"
THROUGHPUT = "011.1/metrics"
LOGS = "checklist/monitoring/logs"
ECS = "checklist/infrastructure/ecs"
AUTOSCALING = "011.1/autoscaling"
IMAGE = "011.1/image"
RDS = "checklist/infrastructure/rds"
WAF = "011.1/waf"
ALLOWLIST = "011.1/waf-allowlist"


def _queues(client: Clients, prefix: str) -> _Said:
    sqs = client("sqs")
    policies: list[tuple[str, str]] = []
    arns = set()
    for url in _pages(sqs, "list_queues", "QueueUrls"):
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])["Attributes"]
        arns.add(told["QueueArn"])
        if prefix in url.rpartition("/")[2] and "RedrivePolicy" in told:
            policies.append((url.rpartition("/")[2], json.loads(told["RedrivePolicy"])["deadLetterTargetArn"]))
    if not policies:
        yield SQS, f"no queue{_named(prefix)} has a redrive policy"
    for name, arn in policies:
        if arn not in arns:
            yield SQS, f"the dead-letter queue of {name} does not exist"


def _secrets(client: Clients, prefix: str) -> _Said:
    """By name and version only: no value is ever asked for."""
    held = [
        one["Name"].casefold()
        for one in _pages(client("secretsmanager"), "list_secrets", "SecretList")
        if prefix in one["Name"] and "DeletedDate" not in one and one.get("SecretVersionsToStages")
    ]
    for wanted in ("meta", *GATEWAYS):
        if not any(wanted in name for name in held):
            yield SECRETS, f"no secret{_named(prefix)} has {wanted!r} in its name and a value"


def _alarms(client: Clients, prefix: str) -> _Said:
    listed = _pages(client("cloudwatch"), "describe_alarms", "MetricAlarms")
    alarms = [one for one in listed if prefix in one["AlarmName"]]
    heard = {topic: _is_heard(client("sns"), topic) for one in alarms for topic in one["AlarmActions"]}
    if len(alarms) < ALARMS_OF_THE_PLAN:
        yield ALARMS_8, f"{len(alarms)} alarms{_named(prefix)}, and the plan wants {ALARMS_OF_THE_PLAN} or more"
    if not any(heard.values()):
        yield SNS, "no alarm's topic has a confirmed subscription"
    if not alarms:
        yield ALARMS, f"there is no alarm{_named(prefix)}"
    for one in alarms:
        if not one["ActionsEnabled"] or not any(heard[topic] for topic in one["AlarmActions"]):
            yield ALARMS, f"the alarm {one['AlarmName']} reaches no confirmed subscription"


def _is_heard(sns: Any, topic: str) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415 -- an extra

    if ":sns:" not in topic:
        return False
    try:
        subscriptions = _pages(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NotFound", "NotFoundException"):
            return False
        raise
    return any(one["SubscriptionArn"].startswith("arn:") for one in subscriptions)


def _dashboards(client: Clients, prefix: str) -> _Said:
    cloudwatch = client("cloudwatch")
    names = [one["DashboardName"] for one in _pages(cloudwatch, "list_dashboards", "DashboardEntries")]
    bodies = [
        cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"].casefold() for name in names if prefix in name
    ]
    shown = [body for body in bodies if json.loads(body).get("widgets")]
    if not shown:
        for row in (DASHBOARDS, DASHBOARD_MONITORING):
            yield row, f"no dashboard{_named(prefix)} shows anything"
    if not any("latency" in body and "success" in body for body in shown):
        yield DASHBOARD_WEBHOOKS, "no dashboard shows both latency and success"


def _metrics(client: Clients, prefix: str) -> _Said:
    """Of the application's own: AWS publishes its own ones also where nobody sends anything."""
    listed = _pages(client("cloudwatch"), "list_metrics", "Metrics", RecentlyActive="PT3H")
    mine = [one for one in listed if not one["Namespace"].startswith("AWS/")]
    names = {one["MetricName"] for one in mine if prefix.casefold() in one["Namespace"].casefold()}
    if not names:
        yield METRICS, f"no metric{_named(prefix)} of the application's own was published in the last three hours"
    if not any(word in name.casefold() for name in names for word in ("throughput", "webhook", "request")):
        yield THROUGHPUT, "no metric of webhooks, requests or throughput was published in the last three hours"


def _logs(client: Clients, prefix: str) -> _Said:
    groups = [
        one for one in _pages(client("logs"), "describe_log_groups", "logGroups") if prefix in one["logGroupName"]
    ]
    if not groups:
        yield LOGS, f"there is no log group{_named(prefix)}"
    for one in groups:
        if not one.get("retentionInDays"):
            yield LOGS, f"the log group {one['logGroupName']} is kept for ever: it has no retention"


def _services(client: Clients, prefix: str) -> _Said:
    seen = 0
    scaled = {
        one["ResourceId"]: one["MinCapacity"]
        for one in _pages(
            client("application-autoscaling"), "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"
        )
    }
    for cluster, service in _all_services(client):
        name = service["serviceName"]
        if prefix not in name:
            continue
        seen += 1
        if service["runningCount"] < TASKS_OF_THE_PLAN:
            yield ECS, f"the service {name} has {service['runningCount']} running tasks"
        if scaled.get(f"service/{cluster.rpartition('/')[2]}/{name}", 0) < TASKS_OF_THE_PLAN:
            yield AUTOSCALING, f"the service {name} is not scaled between 2 or more tasks"
    if not seen:
        for row in (ECS, AUTOSCALING):
            yield row, f"there is no ECS service{_named(prefix)}"


def _image(client: Clients, prefix: str, commit: str) -> _Said:
    ecr = client("ecr")
    tags: list[str] = []
    for one in _pages(ecr, "describe_repositories", "repositories"):
        if prefix in one["repositoryName"]:
            images = _pages(ecr, "describe_images", "imageDetails", repositoryName=one["repositoryName"])
            tags += [tag for image in images for tag in image.get("imageTags", [])]
    if not commit or not any(len(tag) >= 7 and (tag in commit or commit in tag) for tag in tags):
        wanted = f"the commit {commit[:12]}" if commit else "the commit to be launched (name it with --commit)"
        yield IMAGE, f"none of {len(tags)} tagged images{_named(prefix)} is tagged with {wanted}"


def _databases(client: Clients, prefix: str) -> _Said:
    listed = _pages(client("rds"), "describe_db_instances", "DBInstances")
    mine = [one for one in listed if prefix in one["DBInstanceIdentifier"] and "postgres" in one["Engine"]]
    if not mine:
        yield RDS, f"there is no PostgreSQL instance{_named(prefix)}"
    for one in mine:
        if one["DBInstanceStatus"] != "available":
            yield RDS, f"the database {one['DBInstanceIdentifier']} is {one['DBInstanceStatus']}"
        if not one.get("BackupRetentionPeriod"):
            yield RDS, f"the database {one['DBInstanceIdentifier']} has no backups"


def _waf(client: Clients, prefix: str) -> _Said:
    waf = client("wafv2")
    rules: list[Any] = []
    for one in waf.list_web_acls(Scope="REGIONAL")["WebACLs"]:
        if prefix in one["Name"]:
            rules += waf.get_web_acl(Name=one["Name"], Scope="REGIONAL", Id=one["Id"])["WebACL"]["Rules"]
    blocking = [one for one in rules if "Block" in one.get("Action", {}) or "None" in one.get("OverrideAction", {})]
    if not blocking:
        yield WAF, f"no web ACL{_named(prefix)} has a rule that blocks"
    used = json.dumps([one.get("Statement", {}) for one in rules], default=repr)  # a string that is matched is bytes
    sets = [one for one in waf.list_ip_sets(Scope="REGIONAL")["IPSets"] if one["ARN"] in used]
    full = [
        one for one in sets if waf.get_ip_set(Name=one["Name"], Scope="REGIONAL", Id=one["Id"])["IPSet"]["Addresses"]
    ]
    if not full:
        yield ALLOWLIST, f"no web ACL{_named(prefix)} uses an IP set that holds addresses"


def _named(prefix: str) -> str:
    return f" with {prefix!r} in its name" if prefix else ""
