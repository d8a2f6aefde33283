"""The real processes: `python -m reference_impl relay`, `consumer`, `scheduler`, `redrive`."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reference_impl.sealing import Sealer, new_key

if TYPE_CHECKING:
    from conftest import World  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

    from reference_impl.secrets import SecretStore

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def env(world: World, aws_url: str, secrets: SecretStore) -> dict[str, str]:
    """The environment of a process, with the tenant's token in the secret store."""
    # The secret store is shared by all tests, so the tenant of these has a name of its own.
    tenant = f"t-{os.getpid()}-{time.monotonic_ns()}"
    world.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES (%s, 'UTC', '333')", [tenant])
    secrets.put_meta(tenant, token="EAA1", expires_at_s=None)
    return {
        **os.environ,
        "TENANT": tenant,
        "DATABASE_URL": world.database_url,
        "META_GRAPH_URL": world.meta.url,
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "QUEUE_NAME": world.queue_url.rsplit("/", 1)[1],
        "DLQ_NAME": world.queue_url.rsplit("/", 1)[1].replace("-main", "-dlq"),
        "VISIBILITY_S": "2",
        "META_TIMEOUT_S": "1",
        "RETRY_BASE_S": "0.1",
        "RETRY_MAX_S": "0.3",
        "HOLD_RECHECK_S": "0.3",
        "BREAKER_RESET_S": "0.3",
        "PAGE_QUEUE_NAME": world.queue_url.rsplit("/", 1)[1],
        "CONSUMER_THREADS": "2",
    }


@pytest.fixture
def start(env: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a command as a child; whatever still lives at the end of the test is killed."""
    children: list[subprocess.Popen[bytes]] = []

    def begin(*argv: str, **changes: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{argv[0]}-{len(children)}.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "reference_impl", *argv],
                env={**env, **changes},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        children.append(child)
        return child

    yield begin
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait(10)
        assert child.stdout is not None
        child.stdout.close()


def test_a_conversion_goes_through_the_real_processes_and_they_end_when_asked(
    world: World, env: dict[str, str], start: Start, tmp_path: Path, secrets: SecretStore
) -> None:
    """From the outbox to Meta; then SIGTERM ends each within seconds with exit code 0, and no log says who bought."""
    children = [start("relay"), start("consumer"), start("scheduler")]
    sealed = Sealer(secrets.data_keys()).seal('{"ip": "203.0.113.9"}')
    (event_id,) = world.given(tenant=env["TENANT"], client_sealed=sealed)
    world.wait_for_states(delivered=1)
    assert world.value("SELECT client_sealed FROM conversions") is None
    logs = sorted(tmp_path.glob("*.log"))
    up = [f"{one}: up" for one in ("consumer", "relay", "scheduler")]  # before that, SIGTERM just kills
    world.eventually(lambda: all(word in log.read_text() for word, log in zip(up, logs, strict=True)), goal=str(up))
    (event,) = world.meta.calls[0]
    assert (event["event_id"], event["event_name"]) == (event_id, "Purchase")
    assert event["custom_data"] == {"value": 99.9, "currency": "BRL", "order_id": event_id}
    assert event["user_data"] == {"em": ["0a"], "client_ip_address": "203.0.113.9"}
    begun_s = time.monotonic()
    for child in children:
        child.send_signal(signal.SIGTERM)
    assert [child.wait(10) for child in children] == [0, 0, 0]
    assert time.monotonic() - begun_s < 4
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert all(json.loads(line)["level"] == "info" for line in logs.splitlines()), logs
    assert "203.0.113.9" not in logs
    assert "EAA1" not in logs


def test_a_data_key_is_replaced_under_a_running_consumer(
    world: World, env: dict[str, str], start: Start, tmp_path: Path, secrets: SecretStore
) -> None:
    """What the old key and the new one have sealed is opened by the same process; what none opens goes without."""
    children = [start("relay"), start("consumer")]
    before = Sealer(secrets.data_keys()).seal('{"ip": "203.0.113.1", "ua": "Mozilla/5.0"}')
    world.given(tenant=env["TENANT"], client_sealed=before)
    world.wait_for_states(delivered=1)
    assert start("keys", "rotate").wait(20) == 0
    after = Sealer(secrets.data_keys()[:1]).seal('{"ip": "203.0.113.2"}')
    for sealed in (after, before, Sealer([new_key()]).seal('{"ip": "203.0.113.3"}')):
        world.given(tenant=env["TENANT"], client_sealed=sealed)
    world.wait_for_states(delivered=4)
    told = [event["user_data"] for call in world.meta.calls for event in call]
    addresses = sorted(str(one.get("client_ip_address")) for one in told)
    assert addresses == ["203.0.113.1", "203.0.113.1", "203.0.113.2", "None"]
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert logs.count("no key opens its sealed address") == 1
    assert "203.0.113" not in logs
    assert all(child.poll() is None for child in children)


def test_a_consumer_killed_while_meta_answers(world: World, env: dict[str, str], start: Start) -> None:
    """kill -9 after Meta has counted and before the commit: the next consumer sends it under the same event id."""
    counted, release = threading.Event(), threading.Event()

    def hang_after_work(events: list[dict[str, Any]], _: str) -> Any:
        counted.set()
        release.wait(10)
        return world.accepted(events)

    world.meta.script = hang_after_work
    (event_id,) = world.given(tenant=env["TENANT"])
    start("relay")
    victim = start("consumer", META_TIMEOUT_S="1.9")
    assert counted.wait(10), "Meta was never asked"
    victim.kill()
    world.meta.script = lambda events, _: world.accepted(events)
    release.set()
    start("consumer")
    world.wait_for_states(delivered=1)
    assert world.meta.event_ids() == [event_id, event_id]
    assert world.db.execute("SELECT status FROM dispatch_attempts").fetchall() == [("sent",)]


@pytest.mark.parametrize("name", ["relay", "consumer", "scheduler"])
def test_a_process_survives_the_absence_of_everything(name: str, start: Start, tmp_path: Path) -> None:
    """With neither database nor SQS it says so, keeps trying, and still ends with 0 when asked."""
    nowhere = "http://127.0.0.1:9"
    child = start(name, DATABASE_URL="postgresql://nobody@127.0.0.1:9/x", AWS_ENDPOINT_URL=nowhere)
    (log,) = tmp_path.glob(f"{name}-*.log")
    deadline = time.monotonic() + 15
    pause = threading.Event()
    while log.read_text().count(" failed: ") < 2:
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        pause.wait(0.05)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0


def test_redrive_says_what_it_did(world: World, env: dict[str, str], start: Start) -> None:
    """One JSON object on standard output; the dead letter is back in the outbox."""
    world.given(tenant=env["TENANT"])
    world.db.execute("UPDATE conversions SET state = 'dead_lettered'")
    world.db.execute("UPDATE outbox SET sent_at = now()")
    world.dead_letters.send([world.value("SELECT id::text FROM conversions")])
    child = start("redrive")
    output, _ = child.communicate(timeout=20)
    assert child.returncode == 0
    assert json.loads(output) == {"redriven": 1, "settled": 0, "kept": 0, "hidden": 0, "again": 0}
    assert world.states() == {"pending": 1}


def test_a_process_is_light_to_start(world: World, start: Start) -> None:
    """Less than a second of processor time until a relay has done its first work."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = start("relay")
    world.given(tenant="t1")
    world.wait_for_states(queued=1)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5
