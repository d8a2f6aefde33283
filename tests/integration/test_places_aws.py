"""What stands in any queue or metric of ours is searched; at an endpoint that is not ours, what is named."""

from collections.abc import Iterator

import pytest

from harness.checks.privacy import Canary, Hunt, leaks
from harness.probes import places
from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.processes import Nursery

boto3 = pytest.importorskip("boto3")
HUNT = Hunt([Canary(kind="email", text="Joana.q7f3k2x9@Mail.Example.com")])
EMAIL = "joana.q7f3k2x9@mail.example.com"


@pytest.fixture(scope="module")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local AWS endpoint."""
    import os

    nursery, aws = Nursery(lambda death: None), LocalAws()
    try:
        child = aws.start(nursery, env={**os.environ, **CREDENTIALS}, log=tmp_path_factory.mktemp("aws") / "log")
        aws.wait_ready(child, within_s=30)
        yield aws.url
    finally:
        nursery.stop_all()


def client(service: str, aws_url: str):  # type: ignore[no-untyped-def]
    return boto3.client(
        service, endpoint_url=aws_url, region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def test_every_queue_of_ours_is_searched_to_its_end(aws_url: str) -> None:
    sqs = client("sqs", aws_url)
    for name in ("work", "work-dlq", "unnamed"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        for number in range(25):
            sqs.send_message(QueueUrl=url, MessageBody=f"{name} {number} joana.q7f3k2x8@mail.example.com")
    assert leaks(HUNT, places.queues(aws_url, ["work"])) == ()
    url = sqs.get_queue_url(QueueName="unnamed")["QueueUrl"]
    attribute = {"DataType": "String", "StringValue": EMAIL}
    sqs.send_message(QueueUrl=url, MessageBody="id", MessageAttributes={"buyer": attribute})
    url = sqs.get_queue_url(QueueName="work-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=EMAIL)
    found = places.queues(aws_url, ["work"])
    assert leaks(HUNT, found) == ("queue unnamed: a plain email", "queue work-dlq: a plain email")


def test_more_than_one_answer_of_messages_is_read(aws_url: str) -> None:
    sqs = client("sqs", aws_url)
    url = sqs.create_queue(QueueName="long")["QueueUrl"]
    for number in range(45):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    assert sorted(places.queues(aws_url, [])["queue long"], key=int) == [str(number) for number in range(45)]


def test_a_metrics_name_and_dimensions_are_searched(aws_url: str) -> None:
    cloudwatch = client("cloudwatch", aws_url)
    near = {"Name": "buyer", "Value": "joana.q7f3k2x8@mail.example.com"}
    cloudwatch.put_metric_data(Namespace="t", MetricData=[{"MetricName": "sales", "Value": 1, "Dimensions": [near]}])
    assert leaks(HUNT, places.metrics(aws_url)) == ()
    buyer = {"Name": "buyer", "Value": EMAIL}
    cloudwatch.put_metric_data(Namespace="t", MetricData=[{"MetricName": "sales", "Value": 1, "Dimensions": [buyer]}])
    assert leaks(HUNT, places.metrics(aws_url)) == ("metrics: a plain email",)


def test_of_somebody_elses_aws_only_what_is_named_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.QueueProbe, "everything", lambda probe: [probe.name])
    assert places.queues("https://sqs.sa-east-1.amazonaws.com", ["work"]) == {"queue work": ["work"]}
    assert places.metrics("https://monitoring.sa-east-1.amazonaws.com") == {}
