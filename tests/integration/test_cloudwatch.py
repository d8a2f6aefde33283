"""The fake CloudWatch beside AWS's own client: takes what AWS takes, in the languages that SDKs speak."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness.probes import places
from harness.stack.aws import CREDENTIALS
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator

boto3 = pytest.importorskip("boto3")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOT_ASCII = {"Name": "d", "Value": "é"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    nursery, simulator = Nursery(lambda death: None), LocalSimulator("cloudwatch")
    log: Path = tmp_path_factory.mktemp("cloudwatch") / "log"
    try:
        child = simulator.start(nursery, env=os.environ, log=log)
        simulator.wait_ready(child, within_s=30)
        yield simulator.url
    finally:
        nursery.stop_all()


@pytest.fixture
def client(url: str) -> Any:
    return boto3.client(
        "cloudwatch",
        endpoint_url=url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
    )


def kept(url: str, after: int = 0) -> tuple[list[dict[str, Any]], int]:
    told = requests.get(f"{url}/_golive/datapoints", params={"after": after}, timeout=10).json()
    return told["datapoints"], told["next"]


def test_what_boto3_puts_is_kept_as_it_came(url: str, client: Any) -> None:
    _, last = kept(url)
    now_s = int(time.time()) // 60 * 60
    client.put_metric_data(
        Namespace="Golive",
        MetricData=[
            {
                "MetricName": "WebhookLatencyMs",
                "Dimensions": [{"Name": "Environment", "Value": "staging"}],
                "Timestamp": datetime.fromtimestamp(now_s, UTC),
                "Values": [12.5, 30.0],
                "Counts": [2.0, 1.0],
                "Unit": "Milliseconds",
            },
            {"MetricName": "Set", "StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}},
        ],
    )
    [spread, whole], _ = kept(url, last)
    assert spread == {
        "namespace": "Golive", "name": "WebhookLatencyMs", "dimensions": {"Environment": "staging"}, "at_s": now_s,
        "values": [12.5, 30.0], "counts": [2.0, 1.0], "statistics": None, "unit": "Milliseconds",
    }  # fmt: skip
    assert whole["statistics"] == {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}
    assert abs(whole["at_s"] - time.time()) < 120


def test_json_query_and_packed_bodies_are_read_too(url: str) -> None:
    _, last = kept(url)
    body = json.dumps({"Namespace": "n", "MetricData": [{"MetricName": "j", "Value": 1}]}).encode()
    target = {"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData", "Content-Encoding": "gzip"}
    assert requests.post(url, data=gzip.compress(body), headers=target, timeout=10).status_code == 200
    form = {
        "Action": "PutMetricData", "Namespace": "n", "MetricData.member.1.MetricName": "q",
        "MetricData.member.1.Values.member.1": "2", "MetricData.member.1.Values.member.2": "3",
        "MetricData.member.1.Dimensions.member.1.Name": "a", "MetricData.member.1.Dimensions.member.1.Value": "b",
        "MetricData.member.2.MetricName": "r", "MetricData.member.2.Value": "4",
    }  # fmt: skip
    answer = requests.post(url, data=form, timeout=10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml")
    found, _ = kept(url, last)
    assert [(one["name"], one["values"], one["dimensions"]) for one in found] == [
        ("j", [1.0], {}), ("q", [2.0, 3.0], {"a": "b"}), ("r", [4.0], {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"Namespace": "AWS/SQS", "MetricData": [{"MetricName": "m", "Value": 1.0}]}, "InvalidParameterValue"),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m"}]}, "InvalidParameterCombination"),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m", "Values": [1.0] * 151}]}, "InvalidParameterValue"),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0}] * 1001}, "InvalidParameterValue"),
        ({"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": float("nan")}]}, "InvalidParameterValue"),
        (
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0, "Timestamp": LONG_AGO}]},
            "InvalidParameterValue",
        ),
        (
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0, "Dimensions": [NOT_ASCII]}]},
            "InvalidParameterValue",
        ),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_refused_whole(url: str, client: Any, wrong: dict[str, Any], code: str) -> None:
    _, last = kept(url)
    with pytest.raises(ClientError) as refused:
        client.put_metric_data(**wrong)
    assert refused.value.response["Error"]["Code"] == code
    assert kept(url, last)[0] == []


def test_it_can_be_away_and_come_back(url: str, client: Any) -> None:
    _, last = kept(url)
    for how, kind in (("refuse", BotoCoreError), ("error", ClientError)):
        requests.put(f"{url}/_golive/away", json={"how": how}, timeout=10).raise_for_status()
        with pytest.raises(kind):
            client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert kept(url, last)[0] == []
    requests.put(f"{url}/_golive/away", json={"how": ""}, timeout=10).raise_for_status()
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
    assert len(kept(url, last)[0]) == 1


def test_it_does_nothing_else(client: Any) -> None:
    with pytest.raises(ClientError, match="and DescribeAlarms and nothing else, not ListMetrics"):
        client.list_metrics()


def test_what_was_put_is_searched_for_people(url: str, client: Any) -> None:
    buyer = {"Name": "buyer", "Value": "joana.q7f3k2x9@mail.example.com"}
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0, "Dimensions": [buyer]}])
    assert any("joana.q7f3k2x9" in one for one in places.put_metrics(url)["metrics put"])


def told(name: str, state: str) -> dict[str, Any]:
    arn = f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"
    return {"name": name, "arn": arn, "state": state, "reason": f"it is <{state}>", "since_s": 1_700_000_000}


def languages(url: str) -> list[Any]:
    """The client in each language that an SDK may speak."""
    made = []
    for one in ("smithy-rpc-v2-cbor", "json", "query"):
        session = boto3.Session(
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        client = session.client("cloudwatch", endpoint_url=url)
        client.meta.service_model.metadata["protocols"] = [one]
        made.append(client)
    return made


def test_alarms_are_described_as_they_were_told(url: str, client: Any) -> None:
    body = {"alarms": [told("b-two", "ALARM"), told("a-one", "OK"), told("b-one", "OK")]}
    requests.put(f"{url}/_golive/alarms", json=body, timeout=10).raise_for_status()

    def names(**asked: Any) -> list[str]:
        return [one["AlarmName"] for one in client.describe_alarms(**asked)["MetricAlarms"]]

    assert names() == ["a-one", "b-one", "b-two"]
    assert names(AlarmNames=["b-two", "nobody"]) == ["b-two"]
    assert names(AlarmNamePrefix="b-") == ["b-one", "b-two"]
    assert names(StateValue="ALARM") == ["b-two"]
    with pytest.raises(ClientError, match="do not go together"):
        names(AlarmNames=["a-one"], AlarmNamePrefix="a")


def test_what_was_put_is_read_by_period_in_every_language(url: str, client: Any) -> None:
    minute = datetime.fromtimestamp(time.time() // 60 * 60 - 300, UTC)
    dimensions = [{"Name": "Environment", "Value": "reading"}]
    point = {"MetricName": "Seen", "Timestamp": minute, "Unit": "Count"}
    client.put_metric_data(
        Namespace="n",
        MetricData=[
            {**point, "Dimensions": dimensions, "Values": [1.0, 5.0], "Counts": [3, 1]},
            {**point, "Dimensions": dimensions, "Value": 7.0},
            {**point, "Value": 100.0},  # another metric: it has no dimension
        ],
    )
    asked = {
        "Namespace": "n", "MetricName": "Seen", "Dimensions": dimensions, "Period": 60,
        "StartTime": minute, "EndTime": datetime.fromtimestamp(minute.timestamp() + 60, UTC),
    }  # fmt: skip
    everything = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    for one in [client, *languages(url)]:
        answer = one.get_metric_statistics(**asked, Statistics=everything)
        assert answer["Datapoints"] == [
            {
                "Timestamp": minute,
                "SampleCount": 5.0,
                "Average": 3.0,
                "Sum": 15.0,
                "Minimum": 1.0,
                "Maximum": 7.0,
                "Unit": "Count",
            }
        ]
    earlier = {**asked, "StartTime": datetime.fromtimestamp(minute.timestamp() - 60, UTC), "EndTime": minute}
    assert client.get_metric_statistics(**earlier, Statistics=["Sum"])["Datapoints"] == []
    with pytest.raises(ClientError, match="percentiles are not given"):
        client.get_metric_statistics(**asked, ExtendedStatistics=["p95"])
    with pytest.raises(ClientError, match="More than 1440 datapoints"):
        client.get_metric_statistics(**{**asked, "StartTime": datetime.fromtimestamp(0, UTC)}, Statistics=["Sum"])


def test_the_command_line_reads_it_too(url: str) -> None:
    """What runbooks use: aws, as it is installed."""
    requests.put(f"{url}/_golive/alarms", json={"alarms": [told("page", "ALARM")]}, timeout=10).raise_for_status()
    aws = Path(sys.executable).parent / "aws"
    asked = ["cloudwatch", "describe-alarms", "--query", "MetricAlarms[].[AlarmName,StateValue,StateReason]"]
    done = subprocess.run(
        [str(aws), *asked, "--output", "text"],
        env={**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL_CLOUDWATCH": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "page\tALARM\tit is <ALARM>"), done.stderr
