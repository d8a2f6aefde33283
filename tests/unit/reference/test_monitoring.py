"""What the reference counts, and how it tells CloudWatch: within its limits, late rather than never, and never in the
way of a webhook."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import reference_impl
from harness.alarms import template
from reference_impl.monitoring import names
from reference_impl.monitoring.gauges import FOR_EVER_S, TokenEnds
from reference_impl.monitoring.meter import MAX_VALUES, Meter
from reference_impl.monitoring.publisher import MAX_DATA, Publisher, batches
from reference_impl.monitoring.pulse import Pulse
from reference_impl.monitoring.webhooks import WebhookWatch

TEMPLATE = Path(reference_impl.__file__).parent / "infra" / "pipeline.yaml"
AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


class CloudWatch:
    """Takes metrics, or is away."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Mapping[str, Any]]] = []
        self.error: Exception | None = None

    def put(self, batch: Sequence[Mapping[str, Any]]) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(batch)

    def told(self, name: str) -> list[tuple[float, float]]:
        """Time and sum of each datum of that name."""
        return [
            (one["Timestamp"].timestamp(), sum(v * c for v, c in zip(one["Values"], one["Counts"], strict=True)))
            for batch in self.calls
            for one in batch
            if one["MetricName"] == name
        ]


def publisher(cloudwatch: CloudWatch, meter: Meter, **options: Any) -> Publisher:
    return Publisher(
        process="web", environment="test", meter=meter, put=cloudwatch.put, now_s=lambda: 1_000_000.0, **options
    )


def test_every_metric_that_an_alarm_reads_is_published_or_awss_own() -> None:
    found = template.load(TEMPLATE, {"Environment": "drill"})
    for one in found.alarms():
        for query in one.alarm.metrics:
            if query.metric.namespace.startswith("AWS/"):
                continue
            assert query.metric.namespace == names.NAMESPACE
            assert query.metric.name in names.UNITS, (
                f"{one.alarm.name} reads {query.metric.name}, which nobody publishes"
            )
            wanted = {"Environment", "Process"} if query.metric.name == "Heartbeats" else {"Environment"}
            assert {name for name, _ in query.metric.dimensions} == wanted
    assert set(names.UNITS) == {*names.COUNTERS, *names.SPREADS, *names.GAUGES}


def test_a_meter_knows_its_names_and_forgets_what_it_has_told() -> None:
    meter = Meter()
    with pytest.raises(KeyError):
        meter.count("WebhookRequest")
    with pytest.raises(KeyError):
        meter.observe("WebhookRequests", 1.0)
    meter.count("WebhookRequests", 3)
    meter.count("WebhookFailures", 0)
    meter.observe("WebhookLatencyMs", 12.3456, times=2)
    told = {one.name: (one.values, one.counts) for one in meter.take()}
    assert told == {"WebhookRequests": ((3.0,), (1.0,)), "WebhookLatencyMs": ((12.3,), (2.0,))}
    assert meter.take() == []


def test_a_busy_minute_keeps_its_percentiles_within_cloudwatchs_limits() -> None:
    meter = Meter()
    for value in range(1, 20_001):
        meter.observe("DispatchLatencyMs", value / 7)
    data = meter.take()
    assert max(len(one.values) for one in data) <= MAX_VALUES
    assert sum(sum(one.counts) for one in data) == 20_000
    pairs = sorted(pair for one in data for pair in zip(one.values, one.counts, strict=True))
    seen = 0.0
    for value, count in pairs:
        seen += count
        if seen >= 0.95 * 20_000:
            assert value == pytest.approx(0.95 * 20_000 / 7, rel=0.006)  # three digits
            break


def test_batches_hold_to_both_limits() -> None:
    small = [{"MetricName": str(number), "Values": [1.0]} for number in range(2500)]
    assert [len(one) for one in batches(small)] == [MAX_DATA, MAX_DATA, 500]
    large = [{"MetricName": str(number), "Values": [1.0] * 150} for number in range(200)]
    assert [len(one) for one in batches(large)] == [58, 58, 58, 26]
    assert list(batches([])) == []


def test_what_was_counted_while_cloudwatch_was_away_is_told_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    cloudwatch, meter = CloudWatch(), Meter()
    one = publisher(cloudwatch, meter)
    cloudwatch.error = AWAY
    with caplog.at_level(logging.INFO):
        for minute in range(3):
            meter.count("WebhookRequests", minute + 1)
            one.publish(60.0 * minute)
        assert cloudwatch.calls == []
        cloudwatch.error = None
        one.publish(180.0)
    assert cloudwatch.told("WebhookRequests") == [(0.0, 1.0), (60.0, 2.0), (120.0, 3.0)]
    assert [at_s for at_s, _ in cloudwatch.told("Heartbeats")] == [0.0, 60.0, 120.0, 180.0]
    assert "CloudWatch cannot be reached (EndpointConnectionError); 1 periods wait" in caplog.text
    assert "CloudWatch is back" in caplog.text


def test_an_hour_is_kept_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    cloudwatch, meter = CloudWatch(), Meter()
    one = publisher(cloudwatch, meter, keep=60)
    cloudwatch.error = AWAY
    for minute in range(70):
        meter.count("WebhookRequests")
        one.publish(60.0 * minute)
    cloudwatch.error = None
    one.publish(4200.0)
    assert [at_s for at_s, _ in cloudwatch.told("WebhookRequests")] == [60.0 * minute for minute in range(11, 70)]
    assert "those of 1970-01-01T00:00:00Z are let go" in caplog.text


def test_what_cloudwatch_refuses_for_good_does_not_stop_the_rest() -> None:
    cloudwatch, meter = CloudWatch(), Meter()
    one = publisher(cloudwatch, meter)
    cloudwatch.error = ClientError({"Error": {"Code": "InvalidParameterValue"}}, "PutMetricData")
    one.publish(0.0)
    cloudwatch.error = ClientError({"Error": {"Code": "Throttling"}}, "PutMetricData")
    one.publish(60.0)
    cloudwatch.error = None
    one.publish(120.0)
    assert [at_s for at_s, _ in cloudwatch.told("Heartbeats")] == [60.0, 120.0]


def test_a_source_that_fails_costs_its_own_numbers_only() -> None:
    cloudwatch = CloudWatch()

    def broken() -> Mapping[str, float]:
        raise RuntimeError("a row with somebody's e-mail in it")

    one = publisher(cloudwatch, Meter(), sources=[broken, lambda: {"AccountsRefusingAll": 2.0}])
    one.publish(0.0)
    assert cloudwatch.told("AccountsRefusingAll") == [(0.0, 2.0)]
    assert len(cloudwatch.told("Heartbeats")) == 1


def test_nobody_who_counts_waits_for_a_cloudwatch_that_hangs() -> None:
    hangs, ended, clock = threading.Event(), threading.Event(), [0.0]
    meter = Meter()

    def put(_: Sequence[Mapping[str, Any]]) -> None:
        hangs.set()
        ended.wait(30)

    one = Publisher(
        process="web", environment="t", meter=meter, put=put, now_s=lambda: clock[0], every_s=60, look_s=0.005
    )
    one.start()
    clock[0] = 61.0
    assert hangs.wait(10)
    counted = threading.Thread(target=lambda: [meter.count("WebhookRequests") for _ in range(1000)])
    counted.start()
    counted.join(10)
    assert not counted.is_alive()
    assert meter.take()[0].values == (1000.0,)
    ended.set()
    one.close()


def test_a_loop_that_has_stalled_is_not_heard() -> None:
    clock, cloudwatch = [0.0], CloudWatch()
    pulse = Pulse(monotonic_s=lambda: clock[0], stalled_s=90)
    one = publisher(cloudwatch, Meter(), alive=pulse.alive)
    pulse.beat()
    clock[0] = 89.0
    one.publish(0.0)
    clock[0] = 91.0
    one.publish(60.0)
    assert [at_s for at_s, _ in cloudwatch.told("Heartbeats")] == [0.0]


HOME, STRANGER = "203.0.113.7", "198.51.100.9"


def answered(watch: WebhookWatch, outcome: Any, *, address: str = HOME, tenant: str = "first") -> None:
    watch.answered(tenant, "stripe", address, outcome, took_ms=5.0)


def refusing(watch: WebhookWatch) -> float:
    return watch.measure()["AccountsRefusingAll"]


def test_strangers_are_not_counted_and_do_not_page() -> None:
    meter = Meter()
    watch = WebhookWatch(meter)
    answered(watch, "accepted")
    assert refusing(watch) == 0
    for _ in range(1000):
        answered(watch, "unproven", address=STRANGER)
        answered(watch, "strange", address=STRANGER)
    assert refusing(watch) == 0
    assert [one.values for one in meter.take() if one.name == "WebhookRequests"] == [(1.0,)]


def test_a_tenants_sudden_401s_page_until_one_is_accepted_again() -> None:
    watch = WebhookWatch(Meter())
    answered(watch, "accepted")
    refusing(watch)
    answered(watch, "unproven")
    assert refusing(watch) == 1
    answered(watch, "unproven")
    answered(watch, "accepted")
    assert refusing(watch) == 0
    assert refusing(watch) == 0


def test_after_a_restart_the_database_says_who_was_fine() -> None:
    asked: list[Any] = []

    def was_fine(accounts: Any) -> Any:
        asked.append(set(accounts))
        return {("first", "stripe")}

    watch = WebhookWatch(Meter(), was_fine=was_fine)
    answered(watch, "unproven")
    answered(watch, "unproven", tenant="never-sold")
    assert refusing(watch) == 1
    assert asked == [{("first", "stripe"), ("never-sold", "stripe")}]
    assert refusing(watch) == 0
    assert len(asked) == 1, "where nothing was refused, nothing is asked"


def test_what_we_fail_is_counted_and_what_we_have_promised_is_not_a_failure() -> None:
    meter = Meter()
    watch = WebhookWatch(meter)
    for outcome in ("accepted", "promised", "failed"):
        answered(watch, outcome)
    told = {one.name: one.values for one in meter.take()}
    assert (told["WebhookRequests"], told["WebhookFailures"]) == ((3.0,), (1.0,))


def test_of_many_tokens_the_first_to_end_is_told_and_none_is_read_too_often() -> None:
    clock, reads = [0.0], list[str]()

    class Token:
        def __init__(self, expires_at_s: int | None) -> None:
            self.expires_at_s = expires_at_s

    ends = {"never": Token(None), "far": Token(50 * 86_400), "near": Token(86_400)}

    def read(tenant: str) -> Token | None:
        reads.append(tenant)
        return ends.get(tenant)

    tokens = TokenEnds(read, now_s=lambda: clock[0])
    assert tokens.seconds_left([]) == FOR_EVER_S
    assert tokens.seconds_left(["far", "gone", "near", "never"]) == 86_400
    clock[0] = 60.0
    reads.clear()
    assert tokens.seconds_left(["far", "gone", "near", "never"]) == 86_340
    assert reads == ["near"], "a near end is read each time, a far one every few minutes"
    clock[0] = 300.0
    reads.clear()
    assert tokens.seconds_left(["far", "never"]) == 50 * 86_400 - 300
    assert reads == ["far", "never"]
