"""The evaluator's notification over HTTP to the fake PagerDuty, which verifies the signature: one page, one resolve."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import requests

from harness.alarms.evaluator import Alarm, StatQuery
from harness.alarms.loop import AlarmLoop, Topic, post_to
from harness.alarms.metrics import MetricId, Metrics
from harness.alarms.notification import Place
from harness.alarms.signing import Signer, certificate_desk
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator

if TYPE_CHECKING:
    from pathlib import Path

KEY = "1" * 32
PLACE = Place()
TOPIC = PLACE.topic_arn("page")
DEPTH = MetricId.of("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": "dlq"})


def test_an_alarm_pages_once_and_resolves(tmp_path: Path) -> None:
    alarm = Alarm(
        name="dlq",
        metrics=(StatQuery(id="m1", metric=DEPTH, stat="Maximum"),),
        period_s=60,
        evaluation_periods=1,
        datapoints_to_alarm=1,
        comparison="GreaterThanThreshold",
        threshold=100.0,
        alarm_actions=(TOPIC,),
        ok_actions=(TOPIC,),
    )
    nursery, simulator = Nursery(lambda death: None), LocalSimulator("pagerduty")
    metrics = Metrics()
    pem = [b""]
    with certificate_desk(lambda: pem[0]) as desk:
        try:
            options = ("--signature", "on", "--cert-at", desk, "--topics", TOPIC)
            child = simulator.start(nursery, env=os.environ, log=tmp_path / "pagerduty.log", options=options)
            simulator.wait_ready(child, within_s=30)

            def get(what: str) -> Any:
                return requests.get(f"{simulator.url}/_golive/{what}", timeout=60).json()

            now_s = float(get("health")["now_s"]) // 60 * 60
            signer, stranger = Signer(now_s=now_s), Signer(now_s=now_s)
            pem[0] = signer.certificate_pem
            post = post_to(f"{simulator.url}/integration/{KEY}/enqueue")
            cert = f"{desk}/sns.pem"
            topic = Topic(TOPIC, post, place=PLACE, cert_url=cert, sign=signer.sign)
            forged = Topic(TOPIC, post, place=PLACE, cert_url=cert, sign=stranger.sign)
            for minute in range(60):
                metrics.put_value(DEPTH, now_s + 60 * minute, 101 if 10 <= minute < 40 else 100)

            AlarmLoop([alarm], metrics, [forged], started_at_s=now_s + 60).advance(now_s + 15 * 60)
            assert {call["verdict"] for call in get("calls")["calls"]} == {"refused"}
            running = AlarmLoop([alarm], metrics, [topic], started_at_s=now_s + 60)
            running.advance(now_s + 39 * 60)
            [incident] = get("incidents")["incidents"]
            assert (incident["state"], incident["triggers"]) == ("triggered", 1)
            assert incident["dedup_key"] == PLACE.alarm_arn("dlq")
            assert incident["title"] == 'ALARM: "dlq" in US East (N. Virginia)'
            running.advance(now_s + 60 * 60)
            [incident] = get("incidents")["incidents"]
            assert (incident["state"], incident["number"], incident["triggers"]) == ("resolved", 1, 1)
            verdicts = [call["verdict"] for call in get("calls")["calls"]]
            assert [one for one in verdicts if one != "refused"] == ["unmatched", "triggered", "resolved"]
        finally:
            nursery.stop_all()
