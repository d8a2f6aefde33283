"""`make bench-queues`: ministack's SQS beside moto's server and a plain list, by the reference's own client, in turns.

Each round sends, receives and deletes the same messages, in batches of ten as the relay and the consumer do. The list
answers in this process: what is left is the client's own work, and no queue can be faster. Wanted: ministack, by which
load runs go, is no slower than moto (in the median of the rounds' ratios, over the whole way of a message).

Exit 0 met, 1 not met, 2 something is missing or failed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from harness.errors import HarnessError
from harness.stack.aws import CREDENTIALS, LocalAws
from harness.stack.ports import free_port
from harness.stack.processes import Nursery, wait_ready
from reference_impl.dispatch.queue import Queue

READY_S = 40
STEPS = ("send", "receive", "delete")
MINISTACK, MOTO, FLOOR = "ministack", "moto", "plain list"


@dataclass
class Peer:
    """One queue, and messages a second of each step in each round."""

    name: str
    queue: Queue
    per_s: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in (*STEPS, "whole way")})


class ListClient:
    """What `Queue` asks of boto3's client, answered by a list; no visibility timeout, no waiting."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, str]] = deque()
        self._taken: dict[str, str] = {}
        self._number = count()

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803
        """Take all of them."""
        self._waiting.extend((str(next(self._number)), one["MessageBody"]) for one in Entries)
        return {"Successful": [{"Id": one["Id"]} for one in Entries]}

    def receive_message(self, *, MaxNumberOfMessages: int, **_: object) -> dict[str, Any]:  # noqa: N803
        """Up to so many."""
        found = [self._waiting.popleft() for _ in range(min(MaxNumberOfMessages, len(self._waiting)))]
        self._taken.update(found)
        return {"Messages": [{"Body": body, "ReceiptHandle": receipt} for receipt, body in found]}

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803
        """Forget them."""
        for one in Entries:
            del self._taken[one["ReceiptHandle"]]
        return {"Successful": [{"Id": one["Id"]} for one in Entries]}


def over_http(name: str, url: str) -> Peer:
    """A queue of its own at that endpoint."""
    client = boto3.client(
        "sqs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 -- nothing leaves this machine
        config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=20),
    )
    told = client.create_queue(QueueName="bench", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]
    return Peer(name, Queue(client, lambda: told))


def start_ministack(nursery: Nursery, logs: Path) -> str:
    """Its URL."""
    aws = LocalAws()
    child = aws.start(nursery, env={**os.environ, **CREDENTIALS}, log=logs / "ministack.log")
    aws.wait_ready(child, within_s=READY_S)
    return aws.url


def start_moto(nursery: Nursery, logs: Path) -> str | None:
    """Its URL; None where it is not installed."""
    if find_spec("moto") is None or find_spec("flask_cors") is None:
        return None
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = nursery.start("moto", argv, owner="harness", env={**os.environ, **CREDENTIALS}, log=logs / "moto.log")

    def complaint() -> str | None:
        try:
            return None if requests.get(f"{url}/moto-api/", timeout=2).ok else "it does not say that it is ready"
        except requests.RequestException:
            return "nothing answers"

    wait_ready(child, complaint, within_s=READY_S)
    return url


def measure(peer: Peer, messages: int) -> None:
    """One round: all of them sent, received, deleted.

    Raises:
        HarnessError: a message was lost on the way, so nothing was measured.
    """
    ids = [f"conversion-{number}" for number in range(messages)]
    found: list[Any] = []

    def receive() -> None:
        while len(found) < messages:
            got = peer.queue.receive(wait_s=1, visibility_s=300)
            if not got:
                raise HarnessError(f"{peer.name} gave {len(found)} of {messages} messages")
            found.extend(got)

    works: Sequence[tuple[str, Callable[[], object]]] = (
        ("send", lambda: peer.queue.send(ids)),
        ("receive", receive),
        ("delete", lambda: peer.queue.delete(found)),
    )
    whole_s = 0.0
    for step, work in works:
        began = time.perf_counter()
        failed = work()
        took_s = time.perf_counter() - began
        if failed:
            raise HarnessError(f"{peer.name} did not {step} {len(failed)} of {messages} messages")  # type: ignore[arg-type]
        whole_s += took_s
        peer.per_s[step].append(messages / took_s)
    if {one.conversion_id for one in found} != set(ids):
        raise HarnessError(f"{peer.name} gave other messages than it took")
    peer.per_s["whole way"].append(messages / whole_s)


def run(args: argparse.Namespace, nursery: Nursery, logs: Path) -> int:
    """Measure and judge; the exit code."""
    ours = over_http(MINISTACK, start_ministack(nursery, logs))
    url = start_moto(nursery, logs)
    theirs = over_http(MOTO, url) if url else None
    peers = [ours, *([theirs] if theirs else []), Peer(FLOOR, Queue(ListClient(), lambda: "list"))]  # type: ignore[arg-type]
    for number in range(args.rounds + 1):
        for peer in peers if number % 2 else reversed(peers):
            measure(peer, args.messages)
    print(
        f"| messages/s, median of {args.rounds} rounds | {' | '.join((*STEPS, 'whole way'))} |\n|---|---|---|---|---|"
    )
    for peer in peers:
        for values in peer.per_s.values():
            del values[0]  # the first round warms
        cells = (
            f"{statistics.median(values):,.0f} ({min(values):,.0f} – {max(values):,.0f})"
            for values in peer.per_s.values()
        )
        print(f"| {peer.name} | {' | '.join(cells)} |")
    if theirs is None:
        print("\nnot measured: moto's server is not here (pip install 'moto[server]')", file=sys.stderr)
        return 2
    whole = zip(ours.per_s["whole way"], theirs.per_s["whole way"], strict=True)
    ratios = sorted(mine / other for mine, other in whole)
    met = statistics.median(ratios) >= 1
    print(
        f"\nministack beside moto: {statistics.median(ratios):.2f} ({ratios[0]:.2f} – {ratios[-1]:.2f}), "
        f"at least 1 wanted: {'met' if met else 'NOT MET'}"
    )
    return 0 if met else 1


def main(argv: Sequence[str]) -> int:
    """Measure and judge; the exit code."""
    parser = argparse.ArgumentParser(prog="make bench-queues", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each, after one to warm (default: 5)")
    parser.add_argument("--messages", type=int, default=200, help="in each round (default: 200)")
    args = parser.parse_args(argv)
    nursery = Nursery(lambda death: print(death.sentence(), file=sys.stderr))
    try:
        with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
            return run(args, nursery, Path(folder))
    except HarnessError as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 2
    finally:
        nursery.stop_all()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
