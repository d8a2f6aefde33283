"""SNS through boto3 against the fake PagerDuty: emulators' own handshake, alarms and signatures are the judges."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient

LIMIT_S = 30.0
_NUMBERS = count(1)


class Fake:
    """The fake PagerDuty, and an integration of its own."""

    def __init__(self, nursery: Nursery, folder: Path, *options: str) -> None:
        simulator = LocalSimulator("pagerduty")
        child = simulator.start(nursery, env=os.environ, log=folder / "pagerduty.log", options=options)
        simulator.wait_ready(child, within_s=LIMIT_S)
        self.url = simulator.url
        self.endpoint = f"{self.url}/integration/{next(_NUMBERS):032d}/enqueue"

    def get(self, what: str, **query: Any) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/_golive/{what}", params={"wait_s": LIMIT_S, **query}, timeout=2 * LIMIT_S)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def now(self) -> int:
        return max(int(self.get(what, wait_s=0)["next"]) for what in ("incidents", "calls"))

    def next_call(self, after: int) -> dict[str, Any]:
        call: dict[str, Any] = self.get("calls", after=after, count=1)["calls"][0]
        return call

    def incident(self, after: int, dedup_key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get("incidents", after=after, count=1, dedup_key=dedup_key)["incidents"][0]
        return found


def client(kind: str, url: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        kind,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """One for each test: it knows its children by name."""
    nursery = Nursery(lambda death: None)
    yield nursery
    nursery.stop_all()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    nursery, aws = Nursery(lambda death: None), LocalAws()
    try:
        child = aws.start(nursery, env=os.environ | dict(CREDENTIALS), log=tmp_path_factory.mktemp("aws") / "aws.log")
        aws.wait_ready(child, within_s=LIMIT_S)
        yield aws.url
    finally:
        nursery.stop_all()


def alarm(state: str, arn: str) -> dict[str, Any]:
    """What CloudWatch publishes (facts, 2.23 to 2.27)."""
    message = {
        "AlarmName": "dlq-not-empty",
        "AlarmDescription": None,
        "AWSAccountId": "111122223333",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed: 1 out of the last 1 datapoints [4.0 (01/03/26 09:14:00)] was …",
        "StateChangeTime": "2026-03-01T09:15:31.120+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": arn,
        "OldStateValue": "OK" if state == "ALARM" else "ALARM",
        "Trigger": {"MetricName": "ApproximateNumberOfMessagesVisible", "Period": 60},
    }
    return {"Subject": f'{state}: "dlq-not-empty" in US East (N. Virginia)', "Message": json.dumps(message)}


def test_the_whole_path_over_ministack(nursery: Nursery, ministack: str, tmp_path: Path) -> None:
    """Subscribing ends confirmed in SNS's own words; an alarm pages, its end resolves; then CloudWatch itself does."""
    pagerduty = Fake(nursery, tmp_path, "--confirm-at", ministack)
    sns: SNSClient = client("sns", ministack)
    cloudwatch: CloudWatchClient = client("cloudwatch", ministack)
    topic = sns.create_topic(Name="page")["TopicArn"]

    told = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=pagerduty.endpoint)
    assert told["SubscriptionArn"] == "pending confirmation"
    call = pagerduty.next_call(0)
    assert (call["kind"], call["verdict"], call["reason"]) == ("SubscriptionConfirmation", "confirmed", None)
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]
    assert attributes["PendingConfirmation"] == "false"

    arn = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:dlq-not-empty"
    for state, shown in (("ALARM", "triggered"), ("OK", "resolved")):
        after = pagerduty.now()
        message_id = sns.publish(TopicArn=topic, **alarm(state, arn))["MessageId"]
        incident = pagerduty.incident(after, arn)
        assert (incident["number"], incident["state"], incident["triggers"]) == (1, shown, 1)
        assert incident["details"]["Trigger"]["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert pagerduty.next_call(incident["seq"])["message_id"] == message_id

    cloudwatch.put_metric_alarm(
        AlarmName="too-slow",
        Namespace="golive",
        MetricName="age_s",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
        OKActions=[topic],
        InsufficientDataActions=[topic],
    )
    key = "000000000000/us-east-1/too-slow"  # ministack's alarm has no ARN, and the region's code for its name
    for state, shown in (("ALARM", "triggered"), ("OK", "resolved")):
        after = pagerduty.now()
        cloudwatch.set_alarm_state(AlarmName="too-slow", StateValue=state, StateReason="a drill")  # type: ignore[arg-type]
        incident = pagerduty.incident(after, key)
        assert (incident["number"], incident["state"]) == (2, shown)
    after = pagerduty.now()
    cloudwatch.set_alarm_state(AlarmName="too-slow", StateValue="INSUFFICIENT_DATA", StateReason="a drill")
    assert pagerduty.next_call(after)["verdict"] == "discarded"


def test_a_subscription_that_nobody_visits_stays_pending(nursery: Nursery, ministack: str, tmp_path: Path) -> None:
    """And gets nothing: the fake's word "unconfirmed" is SNS's too."""
    pagerduty = Fake(nursery, tmp_path, "--confirm", "never")
    sns: SNSClient = client("sns", ministack)
    topic = sns.create_topic(Name="nobody")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=pagerduty.endpoint)
    assert pagerduty.next_call(0)["verdict"] == "unconfirmed"
    sns.publish(TopicArn=topic, **alarm("ALARM", "arn:nobody"))
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["SubscriptionsConfirmed"], attributes["SubscriptionsPending"]) == ("0", "1")
    assert len(pagerduty.get("calls", wait_s=0)["calls"]) == 1


def test_what_is_not_signed_is_refused(nursery: Nursery, ministack: str, tmp_path: Path) -> None:
    """ministack's "FAKE" does not pass where signatures are asked for."""
    pagerduty = Fake(nursery, tmp_path, "--signature", "on", "--cert-at", ministack, "--confirm-at", ministack)
    sns: SNSClient = client("sns", ministack)
    topic = sns.create_topic(Name="unsigned")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=pagerduty.endpoint)
    call = pagerduty.next_call(0)
    assert (call["kind"], call["verdict"]) == ("SubscriptionConfirmation", "refused")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "0"


@pytest.fixture
def moto() -> Iterator[str]:
    """The URL of a moto: it signs what it sends, and serves its certificates."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def certificates(moto: str) -> Iterator[str]:
    """Where moto's certificates are: its server hands them out only to what looks like a signed request."""
    named = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request"}

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = requests.get(moto + self.path, headers=named, timeout=LIMIT_S)
            self.send_response(found.status_code)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_signature_that_is_not_ours_is_verified(
    nursery: Nursery, moto: str, certificates: str, tmp_path: Path
) -> None:
    """moto signs, and does it right without a Subject: with one, it leaves it out (facts, section 6)."""
    pagerduty = Fake(nursery, tmp_path, "--signature", "on", "--cert-at", certificates, "--no-subject-must-match")
    sns: SNSClient = client("sns", moto)
    topic = sns.create_topic(Name="signed")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=pagerduty.endpoint)
    sns.publish(TopicArn=topic, Message=alarm("ALARM", "arn:signed")["Message"])
    assert pagerduty.incident(0, "arn:signed")["state"] == "triggered"
    after = pagerduty.now()
    try:
        sns.publish(TopicArn=topic, **alarm("OK", "arn:signed"))
    except sns.exceptions.ClientError as error:
        told = str(error)
    else:
        told = ""
    call = pagerduty.next_call(after)
    assert (call["status"], call["verdict"]) == (403, "refused")
    assert call["reason"] == "The SNS signature is not valid: the signature does not match", told
    assert pagerduty.incident(0, "arn:signed")["state"] == "triggered"
