"""A whole launch, as its owner decides it: an empty file, everything supplied, one waiver expired."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from harness.checks import slo
from harness.readiness import attestations, benchmarks, missing
from harness.readiness import plan as plans
from harness.records import Ledger, PrivacyResult, RunRecord, ScenarioResult, SloResult, TargetInfo, Verdict
from reports.write import write_run
from tests import command_line
from tests.rows import check_rows

Golive = Callable[..., "subprocess.CompletedProcess[str]"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PLAN = plans.load()
NOW = datetime.now(UTC)  # noqa: TID251 -- the command looks at the machine's own clock, too
TODAY = NOW.date()
STORIES = Path(__file__).parents[1] / "unit/readiness/stories"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


# -- what ran ------------------------------------------------------------------------------------------------------


def scenarios() -> Iterator[ScenarioResult]:
    """Every row that a scenario can prove, proved; eight different ones for each story that counts them."""
    for row in PLAN.rows.values():
        if not row.claimable:
            continue
        for place in range(8):
            yield ScenarioResult(
                id=f"T-{row.id}-{place}",
                title="It holds.",
                story=row.story,
                criterion=row.id.rpartition("/")[2],
                proves=(row.id,),
                suite="analytics" if row.story == "011.5b" else "all",
                outcome="passed",
                duration_s=0.1,
            )


def numbers() -> Iterator[SloResult]:
    for name in (*slo.NAMES, *(slo.of_gateway(slo.WEBHOOK_P95, gateway) for gateway in PLAN.gateways)):
        unit = "%" if name in (slo.SUCCESS_RATE, slo.AVAILABILITY, slo.MATCH_RATE) else "ms"
        target = 70.0 if unit == "%" else 200.0
        measured = 90.0
        yield SloResult(
            name=name, target=target, unit=unit, measured=measured, samples=5_000, ci95=(89.0, 91.0), met=True
        )


def run(**changed: Any) -> RunRecord:
    """A recent run of a clean tree, in which all is well."""
    record = RunRecord(
        run_id="20260301T120000Z-1f2e",
        kind="run",
        seed=7,
        target=TargetInfo(name="reference", commit=COMMIT[:12]),
        clock_origin="2026-03-01T12:00:00Z",
        started_at=f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        duration_s=60.0,
        machine="a machine",
        command="golive run --seed 7",
        verdict=Verdict.GO,
        exit_code=0,
        headline="GO: all met",
        scenarios=tuple(scenarios()),
        slo=tuple(numbers()),
        ledger=Ledger(deliveries=9, accepted=9, delivered=9),
        privacy=PrivacyResult(canaries=3, places=("a log",)),
    )
    return replace(record, **changed)


# -- what people say -----------------------------------------------------------------------------------------------


def entry(row: str, kind: str = "attest", expires: str = "") -> str:
    until = expires or f"{TODAY + timedelta(days=30)}"
    since = min(f"{TODAY - timedelta(days=5)}", until)
    told = {"row": f'"{row}"', "owner": '"Bia"', "date": since, "expires": until, "reason": '"seen on the screen"'}
    return f"[[{kind}]]\n" + "".join(f"{name} = {value}\n" for name, value in told.items()) + "\n"


def said(*, without: str = "", and_also: str = "") -> str:
    """All that people have to answer for."""
    rows = [row.id for row in PLAN.rows.values() if attestations.attestable(row) and not row.all_of]
    return "".join(entry(one) for one in rows if one != without) + and_also


# -- what AWS says -------------------------------------------------------------------------------------------------


class WithTasks(BaseHTTPRequestHandler):
    """In front of moto, which runs no tasks of a service: here as many run as are wanted."""

    moto = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        found = requests.post(self.moto + self.path, data=body, headers=headers, timeout=20)
        content = found.content
        if self.headers.get("X-Amz-Target", "").endswith(".DescribeServices"):
            told = found.json()
            for one in told["services"]:
                one["runningCount"] = one["desiredCount"]
            content = json.dumps(told).encode()
        self.send_response(found.status_code)
        for name in ("Content-Type", "x-amzn-RequestId", "x-amzn-query-error"):
            if name in found.headers:
                self.send_header(name, found.headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The address of an account in which everything is as the plan wants it."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    WithTasks.moto = f"http://{host}:{port}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), WithTasks)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    furnish(lambda service: client(service, WithTasks.moto))
    yield url
    server.shutdown()
    server.server_close()
    thread.join(5)
    moto.stop()


def client(service: str, url: str) -> Any:
    session = boto3.Session("test", "test", region_name="us-east-1")
    make: Any = session.client
    return make(service, endpoint_url=url)


def furnish(ask: Callable[[str], Any]) -> None:
    sqs = ask("sqs")
    dead = sqs.create_queue(QueueName="golive-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    sqs.create_queue(QueueName="golive", Attributes={"RedrivePolicy": policy})
    for name in ("meta", *PLAN.gateways):
        ask("secretsmanager").create_secret(Name=f"golive/{name}", SecretString="nobody may see it")
    topic = ask("sns").create_topic(Name="golive")["TopicArn"]
    ask("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:golive")
    watch = ask("cloudwatch")
    for place in range(8):
        watch.put_metric_alarm(
            AlarmName=f"golive-{place}", MetricName="m", Namespace="golive", Period=60, EvaluationPeriods=1,
            Threshold=1, Statistic="Sum", ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
        )  # fmt: skip
    widget = {"type": "text", "properties": {"markdown": "webhook latency and success rate"}}
    watch.put_dashboard(DashboardName="golive", DashboardBody=json.dumps({"widgets": [widget]}))
    watch.put_metric_data(Namespace="golive", MetricData=[{"MetricName": "webhooks", "Value": 1}])
    ask("logs").create_log_group(logGroupName="golive")
    ask("logs").put_retention_policy(logGroupName="golive", retentionInDays=30)
    ecs = ask("ecs")
    ecs.create_cluster(clusterName="golive")
    image = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/golive:{COMMIT}"
    ecs.register_task_definition(family="golive", containerDefinitions=[{"name": "w", "image": image, "memory": 64}])
    ecs.create_service(cluster="golive", serviceName="golive", taskDefinition="golive", desiredCount=2)
    ask("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/golive/golive", ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=2, MaxCapacity=9,
    )  # fmt: skip
    ask("ecr").create_repository(repositoryName="golive")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"digest": "sha256:0"}, "layers": []}
    ask("ecr").put_image(repositoryName="golive", imageManifest=json.dumps(manifest), imageTag=COMMIT)
    ask("rds").create_db_instance(
        DBInstanceIdentifier="golive", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="golive", MasterUserPassword="password123", BackupRetentionPeriod=7,
    )  # fmt: skip
    waf = ask("wafv2")
    made = waf.create_ip_set(Name="golive", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["192.0.2.0/24"])
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}
    statement = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": made["Summary"]["ARN"]}}}}
    rule = {"Name": "r", "Priority": 1, "Action": {"Block": {}}, "Statement": statement, "VisibilityConfig": seen}
    waf.create_web_acl(
        Name="golive", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[rule]
    )


# -- a folder in which everything lies -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(tls_postgres: Any) -> str:
    from reference_impl.db.migrate import migrate

    url: str = tls_postgres.url(tls_postgres.new())
    migrate(url)
    return url


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything lies but a file of attestations. Written once; each test has a copy."""
    here = tmp_path_factory.mktemp("everything")
    out = here / "reports/out"
    for row in PLAN.rows.values():
        if row.benchmark:
            benchmarks.write(
                SloResult(
                    name=row.benchmark, target=500, unit="ms", measured=9.0, samples=99, ci95=(8.0, 10.0), met=True
                ),
                commit=COMMIT[:12],
                when=f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
                machine="a machine",
                folder=out / "benchmarks",
            )
    give(here, run())
    (here / "006.md").write_text((STORIES / "good_en.md").read_text(encoding="utf-8"), encoding="utf-8")
    (here / "009.md").write_text(story_009(), encoding="utf-8")
    qa_folder(here / "qa")
    return here


@pytest.fixture
def launch(tmp_path: Path, everything: Path, aws: str, database: str) -> Golive:
    """`golive readiness` in a folder of its own, in which each test writes its attestations."""
    shutil.copytree(everything, tmp_path, dirs_exist_ok=True, symlinks=True)

    def ask(*more: str, as_process: bool = False) -> subprocess.CompletedProcess[str]:
        options = ["--story", "006.md", "--story", "009.md", "--write", "--qa", "qa", "--attestations", "said.toml"]
        options += ["--aws-endpoint", aws, "--aws-prefix", "golive", "--database-url-env", "THE_DATABASE"]
        return golive(tmp_path, "readiness", *options, *more, as_process=as_process, THE_DATABASE=database)

    return ask


def give(folder: Path, record: RunRecord) -> None:
    place = folder / "reports/out" / record.run_id
    place.mkdir(parents=True, exist_ok=True)
    write_run(record, place)


def story_009() -> str:
    text = (
        (STORIES / "good_en.md")
        .read_text(encoding="utf-8")
        .replace("id: 006", "id: 009")
        .replace("Story 006", "Story 009")
    )
    begin, end = text.index("1. Given"), text.index("## Scope")
    lines = [
        f"{place}. Given a sale, when it is sent {place} times, then Meta counts it once." for place in range(1, 10)
    ]
    return text[:begin] + "\n".join(lines) + "\n\n" + text[end:]


def qa_folder(folder: Path) -> None:
    (folder / "docs/runbooks").mkdir(parents=True)
    texts = {
        "commit": COMMIT,
        "junit.xml": '<testsuites><testsuite tests="80" failures="0" errors="0" skipped="0">'
        '<testcase classname="tests.contract.test_gateways" name="hotmart"/></testsuite></testsuites>',
        "coverage.xml": '<coverage lines-valid="1000" lines-covered="900"/>',
        "scan.sarif": json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan"}}, "results": []}]}),
        "import-contracts.txt": "Contracts: 12 kept, 0 broken.\n",
        "docs/phases.md": "words " * 50,
        "docs/runbooks/dlq.md": "words " * 50,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def golive(folder: Path, *words: str, as_process: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
    run = command_line.golive_process if as_process else command_line.golive
    return run(*words, cwd=folder, env={**CREDENTIALS, **env})


def report(folder: Path) -> RunRecord:
    """The newest readiness report."""
    names = [one for one in (folder / "reports/out").glob("2*/report.json") if '"kind": "readiness"' in one.read_text()]
    newest = max(names, key=lambda one: one.stat().st_mtime_ns)
    return RunRecord.from_json(json.loads(newest.read_text(encoding="utf-8")))


def listed(text: str) -> dict[str, set[str]]:
    """Who → the rows that the command says they can supply."""
    found: dict[str, set[str]] = {}
    who = ""
    for line in text.splitlines():
        if line.startswith("missing, can be supplied by "):
            who = line.removeprefix("missing, can be supplied by ").removesuffix(":")
        elif who and line.startswith("  "):
            found.setdefault(who, set()).add(line.split()[0])
        else:
            who = ""
    return found


# -- the three verdicts --------------------------------------------------------------------------------------------


def test_an_empty_file_is_no_go_and_says_what_is_missing_and_who_can_supply_it(tmp_path: Path) -> None:
    (tmp_path / "said.toml").write_text("")
    done = golive(tmp_path, "readiness", "--attestations", "said.toml", as_process=True)
    assert done.returncode == 1, done.stderr
    record = report(tmp_path)
    assert record.verdict is Verdict.NO_GO
    assert record.reasons[0] == "Nothing was run yet: begin with `golive run`."
    by_hand = {
        who: {row.id for row in rows}
        for who, rows in missing.by_supplier(PLAN, (*record.stories, *record.checklist)).items()
    }
    assert listed(done.stdout) == by_hand
    wanted = {row.id for row in PLAN.rows.values() if row.how != "out_of_scope" and not row.all_of}
    assert set().union(*by_hand.values()) == wanted
    assert {who for who in by_hand if "golive run" in who or "golive load" in who or "--database-url" in who}


def test_with_everything_supplied_it_is_go(launch: Golive, tmp_path: Path) -> None:
    (tmp_path / "said.toml").write_text(said())
    done = launch(as_process=True)
    record = report(tmp_path)
    rest = [(row.id, row.state, row.evidence) for row in (*record.stories, *record.checklist)
            if row.state not in ("met", "attested", "out_of_scope")]  # fmt: skip
    assert not rest, rest
    assert done.returncode == 0, done.stdout[-3000:]
    assert record.verdict is Verdict.GO
    assert record.target.commit == COMMIT, "found from the ECS task's image"
    assert "--database-url-env THE_DATABASE" in record.command
    assert "--aws-endpoint" in record.command
    told = "".join(one.read_text(encoding="utf-8", errors="replace") for one in (tmp_path / "reports/out").rglob("*.*")
                   if one.is_file())  # fmt: skip
    assert "p@ss" not in told + done.stdout + done.stderr
    assert "p%40ss" not in told + done.stdout + done.stderr


@pytest.mark.parametrize(("days", "verdict", "code"), [(-1, Verdict.NO_GO, 1), (30, Verdict.GO_WITH_CONCERNS, 0)])
def test_with_one_waiver_expired_it_is_no_go_again(
    launch: Golive, tmp_path: Path, days: int, verdict: Verdict, code: int
) -> None:
    row = "checklist/team/support"
    waiver = entry(row, "waive", f"{TODAY + timedelta(days=days)}")
    (tmp_path / "said.toml").write_text(said(without=row, and_also=waiver))
    done = launch()
    record = report(tmp_path)
    assert (record.verdict, done.returncode) == (verdict, code), record.reasons
    assert row in record.reasons[0]
    assert (f"It expired on {TODAY - timedelta(days=1)}" in record.reasons[0]) is (days < 0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"target": TargetInfo(name="reference", commit=f"{COMMIT[:12]}-dirty")}, "it tested files that differ"),
        ({"target": TargetInfo(name="reference", commit="f" * 12)}, f"and {COMMIT[:12]} is to be launched"),
        ({"started_at": f"{NOW - timedelta(days=20):%Y-%m-%dT%H:%M:%SZ}"}, "days old, and at most 14 days count"),
    ],
)
def test_a_run_that_does_not_count_is_said_first_and_is_no_go_or_unknown(
    launch: Golive, tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    """Everything else is there; and still nothing is known of what only a run can see."""
    give(tmp_path, run(**changed))
    (tmp_path / "said.toml").write_text(said())
    done = launch()
    record = report(tmp_path)
    assert done.returncode in (1, 3)
    assert re.search(why, record.reasons[0])
    row = next(one for one in record.stories if one.id == "011.1/202")
    assert (row.state, why in row.evidence[0]) == ("not_observed", True)


def test_an_older_run_counts_when_the_owner_says_so(launch: Golive, tmp_path: Path) -> None:
    give(tmp_path, run(started_at=f"{NOW - timedelta(days=20):%Y-%m-%dT%H:%M:%SZ}"))
    (tmp_path / "said.toml").write_text(said())
    assert launch("--max-age-days", "30").returncode == 0
    assert "--max-age-days 30" in report(tmp_path).command


def test_a_database_that_is_behind_is_no_go(launch: Golive, tmp_path: Path) -> None:
    (tmp_path / "said.toml").write_text(said())
    done = launch("--schema-head", "9999")
    assert done.returncode == 1
    assert "checklist/data/migrations" in report(tmp_path).reasons[0]
    assert "the newest migration is 9999" in report(tmp_path).reasons[0]


# -- what is refused -----------------------------------------------------------------------------------------------


def test_what_cannot_be_judged_is_refused_in_words(tmp_path: Path) -> None:
    rows = [
        (("--database-url", "postgresql://u:hush@h/d", "--database-url-env", "X"), "say the same thing twice"),
        (("--database-url-env", "NOWHERE_URL"), "The environment variable NOWHERE_URL is not set"),
        (("--database-url", "postgresql://u:hush@h/d?nonsense=1"), "The database address cannot be read"),
        (("--run", "nowhere"), "There is no run 'nowhere'"),
        (("--run", "20260301T120000Z-1f2"), "Did you mean '20260301T120000Z-1f2e'?"),
        (("--run", "readiness"), "is a readiness report, and saw nothing itself"),
        (("--run", "20260301T120000Z-1f2e", "--run", "other"), "These runs are of different targets"),
    ]
    give(tmp_path, run())
    for name, changed in (
        ("readiness", {"kind": "readiness"}),
        ("other", {"target": TargetInfo(name="b", commit="c")}),
    ):
        (tmp_path / name).mkdir()
        write_run(run(**changed), tmp_path / name)

    def check(row: tuple[tuple[str, ...], str]) -> None:
        words, told = row
        done = golive(tmp_path, "readiness", *words, as_process=row == rows[0])
        assert done.returncode == 2
        assert told in done.stderr
        assert "hush" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr

    check_rows(rows, check)
