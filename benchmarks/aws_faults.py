"""What the man in the middle before AWS costs with nothing armed: the same calls straight and through it, in turn."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import psutil

from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.aws_faults import AwsFaults
from harness.stack.processes import Nursery

ROUNDS, CALLS = 10, 60


def client(url: str) -> Any:
    """SQS at that address."""
    key, secret = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    return boto3.client(
        "sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
    )


def one_round(sqs: Any, queue: str) -> list[float]:
    """Milliseconds of each send, receive and delete, as relay and consumer do them."""
    took_ms: list[float] = []
    for _ in range(CALLS):
        began = time.perf_counter()
        sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(n), "MessageBody": "x" * 36} for n in range(10)])
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(found)]
        sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        took_ms.append((time.perf_counter() - began) * 1000 / 3)
    return took_ms


def main() -> None:
    """Measure, and print medians and their ratio."""
    logs, nursery = Path(tempfile.mkdtemp()), Nursery(lambda death: print(death.sentence()))
    aws, faults = LocalAws(), AwsFaults()
    env = {**os.environ, **CREDENTIALS}
    try:
        children = aws.start(nursery, env=env, log=logs / "a.log"), faults.start(nursery, env=env, log=logs / "f.log")
        aws.wait_ready(children[0], within_s=60)
        faults.wait_ready(children[1], within_s=60)
        faults.call("PUT", "/upstream", {"url": aws.url})
        straight, through = client(aws.url), client(faults.url)
        queues = [one.create_queue(QueueName="bench")["QueueUrl"] for one in (straight, through)]
        spent = psutil.Process(children[1].pid).cpu_times()
        before_s = spent.user + spent.system
        took: dict[str, list[float]] = {"straight": [], "through": []}
        for _ in range(ROUNDS):  # in turn, so that a busy machine is as busy for both
            took["straight"] += one_round(straight, queues[0])
            took["through"] += one_round(through, queues[1])
        medians = {name: round(statistics.median(values), 2) for name, values in took.items()}
        added = round(medians["through"] - medians["straight"], 2)
        worked = psutil.Process(children[1].pid).cpu_times()
        cpu_ms = round((worked.user + worked.system - before_s) * 1000 / (ROUNDS * CALLS * 3), 2)
        told = {"median_ms_per_call": medians, "added_ms": added, "its_cpu_ms_per_call": cpu_ms}
        print(json.dumps({**told, "calls_each_way": ROUNDS * CALLS * 3}))
    finally:
        nursery.stop_all()


if __name__ == "__main__":
    main()
