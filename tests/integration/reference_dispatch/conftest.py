"""What the dispatch tests stand on: a stub Meta that answers from a script, and the loops in threads."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import psycopg
import pytest

from harness.stack.aws import LocalAws
from harness.stack.processes import Nursery
from reference_impl.dispatch.breaker import Rules
from reference_impl.dispatch.breaker_store import BreakerStore
from reference_impl.dispatch.capi import CapiClient
from reference_impl.dispatch.consumer import Consumer
from reference_impl.dispatch.loops import Session, run_until_stopped
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.relay import Relay
from reference_impl.dispatch.sender import Sender, Timing
from reference_impl.dispatch.stopping import Stop
from reference_impl.dispatch.token import MetaToken, TokenBook
from reference_impl.sealing import new_key
from reference_impl.secrets import SecretStore

Reply = tuple[int, Mapping[str, str], bytes] | None
"""Status, headers, body; None cuts the line."""
Script = Callable[[list[dict[str, Any]], str], Reply]


def accepted(events: list[Any]) -> Reply:
    """Meta's success for so many events."""
    return 200, {}, json.dumps({"events_received": len(events), "messages": [], "fbtrace_id": "A"}).encode()


def error(code: int, subcode: int | None = None, status: int = 400, **headers: str) -> Reply:
    """Meta's error envelope."""
    body = {"error": {"message": "x", "code": code, "error_subcode": subcode, "fbtrace_id": "A"}}
    return status, headers, json.dumps(body).encode()


class StubMeta(ThreadingHTTPServer):
    """Keeps every call; answers as `script(events, token)` says."""

    daemon_threads = True

    def __init__(self) -> None:
        self.script: Script = lambda events, _: accepted(events)
        self.calls: list[list[dict[str, Any]]] = []
        self.tokens: list[str] = []
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def event_ids(self) -> list[str]:
        """Of every event that was ever sent, in order."""
        with self.lock:
            return [event["event_id"] for call in self.calls for event in call]

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StubMeta

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        token = self.headers["Authorization"].removeprefix("Bearer ")
        with self.server.lock:
            self.server.calls.append(events)
            self.server.tokens.append(token)
        reply = self.server.script(events, token)
        if reply is None:
            self.close_connection = True
            self.connection.close()
            return
        status, headers, body = reply
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class World:
    """One test's database, queues, Meta and running loops. Times are short; `start_…` may be called twice."""

    def __init__(self, *, database_url: str, sqs: Any, prefix: str) -> None:
        self._stack = ExitStack()
        self.database_url = database_url
        self.db = self._stack.enter_context(psycopg.connect(database_url, autocommit=True))
        self.meta = StubMeta()
        self._stack.callback(self.meta.close)
        self.sqs = sqs
        self.queue_url = sqs.create_queue(QueueName=f"{prefix}-main")["QueueUrl"]
        dead_url = sqs.create_queue(QueueName=f"{prefix}-dlq")["QueueUrl"]
        self.queue = Queue(sqs, lambda: self.queue_url)
        self.dead_letters = Queue(sqs, lambda: dead_url)
        self.secrets: dict[str, MetaToken] = {"t1": MetaToken(value="EAA1", version="v1")}
        self.secret_reads = 0
        self._running: list[tuple[Stop, threading.Thread]] = []
        self.db.execute("INSERT INTO tenants (id, timezone, pixel_id) VALUES ('t1', 'America/Sao_Paulo', '111')")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        self._stack.close()

    def _own(self, closable: Any) -> Any:
        """Close it when the test is over."""
        self._stack.callback(closable.close)
        return closable

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.database_url, autocommit=True)

    accepted = staticmethod(accepted)
    error = staticmethod(error)

    def read_secret(self, tenant: str) -> MetaToken | None:
        self.secret_reads += 1
        return self.secrets.get(tenant)

    def breakers(self, *, threshold: int = 3, reset_s: float = 0.4) -> BreakerStore:
        return BreakerStore(rules=Rules(threshold=threshold, reset_s=reset_s), probe_lease_s=2.0)

    def new_relay(self, *, queue: Queue | None = None, session: Session | None = None) -> Relay:
        return Relay(
            session=self._own(session or Session(self.connect)),
            queue=queue or self.queue,
            stop=self._own(Stop()),
            lease_s=1.0,
            retry_s=0.05,
            fallback_s=0.3,
        )

    def new_consumer(
        self,
        *,
        session: Session | None = None,
        visibility_s: int = 3,
        tokens: TokenBook | None = None,
        **changes: Any,
    ) -> Consumer:
        sender = Sender(
            capi=self._own(CapiClient(self.meta.url, version="v24.0", timeout_s=1.0)),
            breakers=self.breakers(),
            tokens=tokens or TokenBook(self.read_secret, monotonic_s=time.monotonic, recheck_s=0.2),
            dead_letters=self.dead_letters,
            timing=Timing(retry_base_s=0.1, retry_max_s=0.4, recheck_s=0.2),
            rng=random.Random(1),
            monotonic_s=time.monotonic,
            new_id=uuid.uuid4,
            to_event=lambda one: {"event_name": one.event_name, "event_id": one.event_id, "order": one.sale_id},
            too_old=lambda one: one.event_time.timestamp() < time.time() - 7 * 86_400,
            **changes,
        )
        return Consumer(
            session=self._own(session or Session(self.connect)),
            queue=self.queue,
            sender=sender,
            stop=self._own(Stop()),
            monotonic_s=time.monotonic,
            visibility_s=visibility_s,
            call_limit_s=1.5,
        )

    def start(self, *loops: Relay | Consumer) -> None:
        """Each loop in a thread of its own."""
        for loop in loops:
            thread = threading.Thread(target=self._run, args=(loop,), name=type(loop).__name__)
            thread.start()
            self._running.append((loop.stop, thread))

    @staticmethod
    def _run(loop: Relay | Consumer) -> None:
        name = type(loop).__name__.lower()
        run_until_stopped(name, loop.step, stop=loop.stop, session=loop.session, rng=random.Random(2))

    def stop_all(self) -> None:
        """Ask all loops to end, and wait for them."""
        for stop, _ in self._running:
            stop.request()
        for _, thread in self._running:
            thread.join(timeout=10)
            assert not thread.is_alive(), f"{thread.name} did not end within 10 s"
        self._running.clear()

    def states(self) -> dict[str, int]:
        rows = self.db.execute("SELECT state, count(*) FROM conversions GROUP BY state").fetchall()
        return dict(rows)

    def value(self, query: str, *values: Any) -> Any:
        row = self.db.execute(query, values).fetchone()
        return row[0] if row else None

    def eventually(self, fact: Callable[[], bool], goal: str, *, within_s: float = 30.0) -> None:
        """Wait for a fact that only a query can tell, with a limit."""
        deadline = time.monotonic() + within_s
        pause = threading.Event()
        while not fact():
            assert time.monotonic() < deadline, (
                f"not within {within_s} s: {goal}; {self.states()}, {len(self.meta.calls)} calls"
            )
            pause.wait(0.02)

    def wait_for_states(self, **wanted: int) -> None:
        self.eventually(lambda: self.states() == wanted, f"conversions {wanted}")

    def given(
        self,
        count: int = 1,
        *,
        tenant: str = "t1",
        paid_ago_s: float = 60,
        state: str = "pending",
        client_sealed: str | None = None,
    ) -> list[str]:
        """So many conversions, as the web process commits them; their event ids."""
        names = [f"e-{tenant}-{uuid.uuid4().hex[:12]}" for _ in range(count)]
        with self.db.transaction():
            for name in names:
                values = {"tenant": tenant, "name": name, "paid_ago_s": paid_ago_s, "state": state}
                self.db.execute(_GIVEN, {**values, "client_sealed": client_sealed})
            self.db.execute("SELECT pg_notify('outbox', '')")
        return names


_GIVEN = """
WITH one AS (
    INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, received_at,
                             amount, currency, user_data, client_sealed, state)
    VALUES (gen_random_uuid(), %(tenant)s, 'stripe', %(name)s, 'purchase', %(name)s, 'Purchase',
            now() - make_interval(secs => %(paid_ago_s)s), now(),
            99.90, 'BRL', '{"em": ["0a"]}', %(client_sealed)s, %(state)s)
    RETURNING id
)
INSERT INTO outbox (conversion_id) SELECT id FROM one
"""


@pytest.fixture(scope="session")
def aws_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQS and Secrets Manager on a free port."""
    aws, nursery = LocalAws(), Nursery(lambda death: None)
    child = aws.start(nursery, env=dict(os.environ), log=tmp_path_factory.mktemp("aws") / "log")
    try:
        aws.wait_ready(child, within_s=30)
        yield aws.url
    finally:
        nursery.stop_all()


@pytest.fixture(scope="session")
def sqs_client(aws_url: str) -> Iterator[Any]:
    """A client of it."""
    import botocore.session

    client = botocore.session.get_session().create_client(
        "sqs", endpoint_url=aws_url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    yield client
    client.close()


@pytest.fixture
def secrets(aws_url: str) -> Iterator[SecretStore]:
    """The secret store of all tests, with a data key in it."""
    import botocore.session

    client = botocore.session.get_session().create_client(
        "secretsmanager",
        endpoint_url=aws_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    store = SecretStore(client)
    if not store.data_keys():
        store.add_data_key(new_key(), now_s=time.time(), keep_s=0)
    yield store
    client.close()


@pytest.fixture
def world(postgres: Any, sqs_client: Any) -> Iterator[World]:
    """A database and queues of the test's own."""
    url = postgres.new()
    with World(database_url=url, sqs=sqs_client, prefix=f"dispatch_{uuid.uuid4().hex[:10]}") as world:
        yield world
    postgres.drop(url)


class OperatorProgram:
    """`python -m reference_impl operate`, running; every answer is waited for, with a limit."""

    LIMIT_S = 30

    def __init__(self, env: Mapping[str, str]) -> None:
        argv = [sys.executable, "-m", "reference_impl", "operate"]
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, action: str, **given: Any) -> Any:
        """The output of an action, or the sentence that it failed with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"id": 1, "action": action, "input": given}).encode() + b"\n")
        self.process.stdin.flush()
        impatience = threading.Timer(self.LIMIT_S, self.process.kill)
        impatience.start()
        line = self.process.stdout.readline()
        impatience.cancel()
        assert line, f"{action} was not answered within {self.LIMIT_S} s, or the program has ended"
        answer = json.loads(line)
        return answer.get("error") or answer["output"]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def operator_env(world: World, aws_url: str) -> dict[str, str]:
    """The environment of an operator's command."""
    return {
        **os.environ,
        "DATABASE_URL": world.database_url,
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DLQ_NAME": world.queue_url.rsplit("/", 1)[1].replace("-main", "-dlq"),
    }


@pytest.fixture
def program(operator_env: dict[str, str]) -> Iterator[OperatorProgram]:
    """The program that carries out all actions."""
    with closing(OperatorProgram(operator_env)) as running:
        yield running
