"""The faults before AWS, without a network: what goes on to AWS, and what comes back."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from simulators.arming import BadFault
from simulators.aws_faults.calls import Call, Reply
from simulators.aws_faults.faults import FAULTS, Arsenal, Context, Copies, make
from tests.rows import each_row

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260301/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00"
QUEUE = "http://127.0.0.1:1/000000000000/golive-dispatch"


def call(operation: str, service: str = "sqs", **document: Any) -> Call:
    headers = {"Authorization": SIGNED.format(service), "X-Amz-Target": f"AmazonSQS.{operation}"}
    return Call.read(headers, json.dumps({"QueueUrl": QUEUE, **document}).encode())


def entries(count: int) -> list[dict[str, Any]]:
    return [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(count)]


class Aws:
    """Takes every entry, and hands out what it is told to."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    async def forward(self, asked: Call) -> Reply:
        self.asked.append(asked.document)
        taken = [{"Id": one["Id"]} for one in asked.document.get("Entries", ())]
        return Reply(status=200, body=json.dumps({"Successful": taken, **self.answer}).encode())


def strike(aws: Aws, asked: Call, name: str, **parameters: Any) -> tuple[Reply, Copies]:
    copies = Copies()
    context = Context(call=asked, forward=aws.forward, rng=random.Random(1), copies=copies)
    return asyncio.run(make(name, parameters).act(context)), copies


# -- what a call is ------------------------------------------------------------------------------------------


def test_a_call_tells_its_service_operation_and_queue() -> None:
    one = call("SendMessageBatch")
    assert (one.service, one.operation, one.queue) == ("sqs", "SendMessageBatch", "golive-dispatch")


def test_a_call_in_the_query_protocol_tells_its_operation() -> None:
    headers = {"Authorization": SIGNED.format("sqs"), "Content-Type": "application/x-www-form-urlencoded"}
    one = Call.read(headers, b"Action=ReceiveMessage&QueueUrl=x")
    assert (one.operation, one.is_json, one.document) == ("ReceiveMessage", False, {})
    assert b"<Code>ThrottlingException</Code>" in one.error(400, "ThrottlingException", "no").body


@each_row("body", [b"", b"[1]", b"\xff", b"{" * 100_000])
def test_a_body_that_is_no_object_is_an_empty_document(body: bytes) -> None:
    assert Call.read({"X-Amz-Target": "AmazonSQS.SendMessage"}, body).document == {}


# -- what each fault does ------------------------------------------------------------------------------------


@each_row("name", ["partial_send", "partial_delete"])
def test_a_part_of_a_batch_fails_and_only_the_rest_is_done(name: str) -> None:
    operation = {"partial_send": "SendMessageBatch", "partial_delete": "DeleteMessageBatch"}[name]
    aws = Aws()
    reply, _ = strike(aws, call(operation, Entries=entries(10)), name, share=0.3)
    failed = {one["Id"] for one in reply.document["Failed"]}
    done = {one["Id"] for one in reply.document["Successful"]}
    assert reply.status == 200
    assert len(failed) == 3
    assert done == {str(n) for n in range(10)} - failed
    assert {one["Id"] for one in aws.asked[0]["Entries"]} == done


def test_a_batch_of_one_fails_whole_and_aws_is_not_asked() -> None:
    aws = Aws()
    reply, _ = strike(aws, call("SendMessageBatch", Entries=entries(1)), "partial_send")
    assert (reply.document["Successful"], len(reply.document["Failed"])) == ([], 1)
    assert not aws.asked


def test_copies_are_kept_for_the_next_who_asks() -> None:
    messages = [{"MessageId": "1", "Body": "a"}, {"MessageId": "2", "Body": "b"}]
    reply, copies = strike(Aws(Messages=messages), call("ReceiveMessage"), "duplicate_delivery")
    assert reply.document["Messages"] == messages
    assert copies.take("another", 10) == []
    assert copies.take("golive-dispatch", 1) == messages[:1]
    assert copies.take("golive-dispatch", 10) == messages[1:]
    assert copies.take("golive-dispatch", 10) == []


def test_late_messages_are_kept_back_by_sqs_itself() -> None:
    aws = Aws()
    strike(aws, call("SendMessageBatch", Entries=entries(2)), "late_delivery", delay_s=3)
    assert [one["DelaySeconds"] for one in aws.asked[0]["Entries"]] == [3, 3]


def test_visibility_is_what_the_fault_says() -> None:
    aws = Aws()
    strike(aws, call("ReceiveMessage", VisibilityTimeout=60), "visibility_lost", after_s=1)
    assert aws.asked[0]["VisibilityTimeout"] == 1


@each_row(
    ("name", "status", "code"),
    [
        ("throttling", 400, "ThrottlingException"),
        ("refusing", 400, "AccessDeniedException"),
        ("unavailable", 503, "ServiceUnavailable"),
    ],
)
def test_an_error_is_answered_and_nothing_done(name: str, status: int, code: str) -> None:
    aws = Aws()
    reply, _ = strike(aws, call("SendMessage"), name)
    assert (reply.status, reply.document["__type"], aws.asked) == (status, code, [])


def test_cut_does_nothing_and_a_lost_answer_does_the_work() -> None:
    before, after = Aws(), Aws()
    assert strike(before, call("SendMessage"), "cut")[0].cut
    assert strike(after, call("SendMessage"), "lost_answer")[0].cut
    assert (len(before.asked), len(after.asked)) == (0, 1)


def test_a_fault_of_one_service_leaves_the_others_alone() -> None:
    fault = make("cut", {"service": "secretsmanager"})
    assert fault.concerns(call("GetSecretValue", service="secretsmanager"))
    assert not fault.concerns(call("SendMessage"))


# -- laws that hold for every fault --------------------------------------------------------------------------

MATCHING: dict[str, Callable[[], Call]] = {
    "partial_send": lambda: call("SendMessageBatch", Entries=entries(2)),
    "late_delivery": lambda: call("SendMessageBatch", Entries=entries(2)),
    "partial_delete": lambda: call("DeleteMessageBatch", Entries=entries(2)),
}


def met_by(name: str) -> Call:
    return MATCHING.get(name, lambda: call("ReceiveMessage"))()


@each_row("name", FAULTS)
def test_a_fault_is_inert_at_probability_0(name: str) -> None:
    arsenal = Arsenal()
    arsenal.arm(make(name, {}), probability=0.0, strikes=None, seed=1)
    assert not any(arsenal.strike(met_by(name)) for _ in range(50))


@each_row("name", FAULTS)
def test_a_fault_is_over_after_its_strikes_and_tells_how_often_it_struck(name: str) -> None:
    arsenal = Arsenal()
    armed = arsenal.arm(make(name, {}), probability=1.0, strikes=2, seed=1)
    assert [arsenal.strike(met_by(name)) is not None for _ in range(4)] == [True, True, False, False]
    assert arsenal.disarm(armed) == 2
    assert arsenal.disarm(armed) is None


@each_row("name", FAULTS)
def test_a_fault_is_gone_when_it_is_taken_away(name: str) -> None:
    arsenal = Arsenal()
    arsenal.disarm(arsenal.arm(make(name, {}), probability=1.0, strikes=None, seed=1))
    assert arsenal.strike(met_by(name)) is None


def test_what_is_not_concerned_uses_up_no_strike() -> None:
    arsenal = Arsenal()
    arsenal.arm(make("partial_send", {}), probability=1.0, strikes=1, seed=1)
    assert arsenal.strike(call("ReceiveMessage")) is None
    assert arsenal.strike(call("SendMessageBatch")) is not None


def test_the_same_seed_strikes_the_same_calls() -> None:
    def pattern(seed: int) -> list[bool]:
        arsenal = Arsenal()
        arsenal.arm(make("cut", {}), probability=0.5, strikes=None, seed=seed)
        return [arsenal.strike(call("SendMessage")) is not None for _ in range(30)]

    assert pattern(7) == pattern(7) != pattern(8)


def test_copies_do_not_outlive_their_fault() -> None:
    arsenal = Arsenal()
    armed = arsenal.arm(make("duplicate_delivery", {}), probability=1.0, strikes=None, seed=1)
    arsenal.copies.keep("q", [{"MessageId": "1"}])
    arsenal.disarm(armed)
    assert arsenal.copies.take("q", 10) == []


@each_row(
    ("name", "parameters", "told"),
    [
        ("partial_sent", {}, "did you mean 'partial_send'"),
        ("late_delivery", {"delay": 1}, "did you mean 'delay_s'"),
        ("late_delivery", {"delay_s": 901}, "within 0 and 900"),
        ("late_delivery", {"delay_s": "2"}, "must be of type int"),
        ("partial_send", {"share": 0}, "share is over 0"),
    ],
)
def test_what_cannot_be_armed_is_told_with_the_nearest_guess(name: str, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(BadFault, match=told):
        make(name, parameters)
