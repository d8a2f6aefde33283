"""The man in the middle before an AWS endpoint, over real sockets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.probes.queue import QueueProbe
from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.aws_faults import AwsFaults
from harness.stack.processes import Nursery

boto3 = pytest.importorskip("boto3")


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsFaults]:
    import os

    logs = tmp_path_factory.mktemp("logs")
    nursery, aws, before = Nursery(lambda death: None), LocalAws(), AwsFaults()
    env = {**os.environ, **CREDENTIALS}
    try:
        children = (
            aws.start(nursery, env=env, log=logs / "aws.log"),
            before.start(nursery, env=env, log=logs / "faults.log"),
        )
        aws.wait_ready(children[0], within_s=60)
        before.wait_ready(children[1], within_s=60)
        before.call("PUT", "/upstream", {"url": aws.url})
        yield before
    finally:
        nursery.stop_all()


@pytest.fixture
def sqs(faults: AwsFaults) -> Any:
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0})
    return boto3.client(
        "sqs",
        endpoint_url=faults.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> str:
    url: str = sqs.create_queue(QueueName=f"q-{abs(hash(request.node.name)) % 10**8}")["QueueUrl"]
    return url


def test_what_is_not_failed_is_passed_on(faults: AwsFaults, sqs: Any, queue: str) -> None:
    assert queue.startswith(faults.url), "the queue's own URL must lead through the faults, too"
    sqs.send_message(QueueUrl=queue, MessageBody="hello ü")
    found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)["Messages"]
    assert [one["Body"] for one in found] == ["hello ü"]


def test_gone_refuses_connections_and_comes_back_at_the_same_place(faults: AwsFaults, sqs: Any, queue: str) -> None:
    from botocore.exceptions import BotoCoreError, EndpointConnectionError

    faults.call("PUT", "/listening", {"listening": False})
    try:
        with pytest.raises(BotoCoreError):  # the connection that was open is reset
            sqs.send_message(QueueUrl=queue, MessageBody="x")
        with pytest.raises(EndpointConnectionError):
            sqs.send_message(QueueUrl=queue, MessageBody="x")
    finally:
        faults.call("PUT", "/listening", {"listening": True})
    sqs.send_message(QueueUrl=queue, MessageBody="back")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "back"


def test_a_failed_part_of_a_batch_is_not_in_the_queue(faults: AwsFaults, sqs: Any, queue: str) -> None:
    armed = faults.call("POST", "/faults", {"fault": "partial_send", "share": 0.5, "seed": 3})["id"]
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(10)]
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert faults.call("DELETE", f"/faults/{armed}") == {"struck": 1}
    assert (len(answer["Successful"]), len(answer["Failed"])) == (5, 5)
    assert QueueProbe(faults.url, queue.rpartition("/")[2]).depth() == 5


def test_a_message_comes_twice(faults: AwsFaults, sqs: Any, queue: str) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="once")
    armed = faults.call("POST", "/faults", {"fault": "duplicate_delivery", "strikes": 1})["id"]
    first = sqs.receive_message(QueueUrl=queue)["Messages"]
    second = sqs.receive_message(QueueUrl=queue)["Messages"]
    faults.call("DELETE", f"/faults/{armed}")
    assert [one["Body"] for one in (*first, *second)] == ["once", "once"]


def test_a_cut_service_is_cut_and_the_others_answer(faults: AwsFaults, sqs: Any, queue: str) -> None:
    from botocore.exceptions import BotoCoreError

    secrets = boto3.client(
        "secretsmanager",
        endpoint_url=faults.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    armed = faults.call("POST", "/faults", {"fault": "cut", "service": "secretsmanager"})["id"]
    with pytest.raises(BotoCoreError):
        secrets.list_secrets()
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert faults.call("DELETE", f"/faults/{armed}")["struck"] >= 1
    secrets.list_secrets()


def test_what_cannot_be_done_is_refused_in_words(faults: AwsFaults) -> None:
    with pytest.raises(HarnessError, match="did you mean 'throttling'"):
        faults.call("POST", "/faults", {"fault": "throtling"})
    with pytest.raises(HarnessError, match="on this machine"):
        faults.call("PUT", "/upstream", {"url": "http://example.com"})


def test_nothing_listens_beyond_loopback(faults: AwsFaults, tmp_path: Path) -> None:
    assert faults.url.startswith("http://127.0.0.1:")
    assert faults._control.startswith("http://127.0.0.1:")
