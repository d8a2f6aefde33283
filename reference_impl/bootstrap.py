"""The only place where the parts are put together: what a process is made of, opened here and nowhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reference_impl import logs
from reference_impl.dispatch import outbox
from reference_impl.monitoring import gauges
from reference_impl.monitoring.meter import Meter
from reference_impl.monitoring.names import NAMESPACE
from reference_impl.monitoring.publisher import Publisher, Source
from reference_impl.monitoring.webhooks import Account, WebhookWatch
from reference_impl.sealing import Keyring
from reference_impl.secrets import GatewaySecrets, SecretStore
from reference_impl.settings import Settings

if TYPE_CHECKING:
    from flask import Flask
    from mypy_boto3_sqs import SQSClient

    from reference_impl.web.database import Database

_PREPARE_AFTER = 5
"""psycopg's own. Behind a transaction pooler nothing is prepared: the next transaction has another connection."""

#: boto3's own retries, with limits of time: nobody waits a minute for an endpoint that is gone. Its look at each
#: parameter (mypy has looked) and its long name for itself cost a fifth of every call.
_AWS = Config(
    connect_timeout=2,
    read_timeout=25,
    retries={"max_attempts": 2, "mode": "standard"},
    parameter_validation=False,
    user_agent="golive-reference",
)

#: Nobody but the publisher's own thread waits for it, and the next period is soon enough.
_CLOUDWATCH = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})

_DAY_S = 86_400


def sqs_client() -> SQSClient:
    """SQS, wherever `AWS_ENDPOINT_URL` and its kin say it is."""
    return boto3.client("sqs", config=_AWS)


def secret_store() -> SecretStore:
    """Secrets Manager, likewise."""
    return SecretStore(boto3.client("secretsmanager", config=_AWS))


def sealer(store: SecretStore) -> Keyring:
    """What seals and opens, for a whole process. Nothing is read before the first use."""
    return Keyring(store.data_keys, monotonic_s=time.monotonic)


def connect(settings: Settings) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection in autocommit mode. Raises psycopg.OperationalError while the database is away."""
    prepare = None if settings.pooled else _PREPARE_AFTER
    return psycopg.connect(settings.database_url, autocommit=True, connect_timeout=3, prepare_threshold=prepare)


def connect_session(settings: Settings) -> psycopg.Connection[tuple[Any, ...]]:
    """The same, and what is set, locked or listened to on it lasts as long as it does."""
    return psycopg.connect(settings.session_url, autocommit=True, connect_timeout=3)


def queue_url(client: SQSClient, name: str) -> str:
    """The URL of a queue. Raises what botocore raises when there is none."""
    return client.get_queue_url(QueueName=name)["QueueUrl"]


def put_metrics(batch: Sequence[Mapping[str, Any]]) -> None:
    """One call to CloudWatch, wherever `AWS_ENDPOINT_URL_CLOUDWATCH` or `AWS_ENDPOINT_URL` says it is."""
    _cloudwatch().put_metric_data(Namespace=NAMESPACE, MetricData=batch)


@cache
def _cloudwatch() -> Any:
    """Made at the first use, in the publisher's thread: a process starts no later for it."""
    return boto3.session.Session().client("cloudwatch", config=_CLOUDWATCH)  # the default session is not for threads


@contextmanager
def published(
    settings: Settings,
    process: str,
    meter: Meter,
    *,
    sources: Sequence[Source] = (),
    alive: Callable[[], bool] = lambda: True,
    settle: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """What the process counts goes to CloudWatch for as long as the block lasts."""
    publisher = _publisher(settings, process, meter, sources=sources, alive=alive, settle=settle)
    if publisher is None:
        yield
        return
    publisher.start()
    try:
        yield
    finally:
        publisher.close()


def _publisher(
    settings: Settings,
    process: str,
    meter: Meter,
    *,
    sources: Sequence[Source] = (),
    alive: Callable[[], bool] = lambda: True,
    settle: Callable[[], None] = lambda: None,
) -> Publisher | None:
    if not settings.metrics_every_s:
        return None
    return Publisher(
        process=process,
        environment=settings.metrics_environment,
        meter=meter,
        put=put_metrics,
        now_s=time.time,
        every_s=settings.metrics_every_s,
        look_s=settings.metrics_look_s,
        sources=sources,
        alive=alive,
        settle=settle,
    )


def scheduler_gauges(settings: Settings) -> gauges.Gauges:
    """What one scheduler measures for all."""
    ends = gauges.TokenEnds(secret_store().meta, now_s=time.time)
    return gauges.Gauges(connect=partial(connect_session, settings), tokens=ends, now_s=time.time)


def web_app() -> Flask:
    """The web process's application, from the environment; granian calls this in its worker."""
    from reference_impl.web.app import create_app  # noqa: PLC0415 -- Flask is loaded by the web process only
    from reference_impl.web.bell import Bell  # noqa: PLC0415 -- likewise
    from reference_impl.web.dashboard import blueprint as dashboard  # noqa: PLC0415 -- likewise
    from reference_impl.web.database import Database  # noqa: PLC0415 -- likewise
    from reference_impl.web.draining import Drain  # noqa: PLC0415 -- likewise
    from reference_impl.web.intake import Rules  # noqa: PLC0415 -- likewise
    from reference_impl.web.login import Door  # noqa: PLC0415 -- likewise
    from reference_impl.web.visitor import Visitors  # noqa: PLC0415 -- likewise

    settings = Settings.from_env(os.environ)
    logs.set_up(settings.log_level)
    drain = Drain(for_s=settings.web_drain_s)
    drain.on_sigterm()  # first: the threads of what follows must inherit the blocked signal
    store = secret_store()
    database = Database(settings.database_url, size=settings.web_threads, prepare=not settings.pooled)
    seals = sealer(store)
    meter = Meter()
    watch = WebhookWatch(meter, was_fine=partial(_with_sales, database))
    if (publisher := _publisher(settings, "web", meter, sources=[watch.measure])) is not None:
        publisher.start()  # and never closed: granian ends its workers without a word
    return create_app(
        database=database,
        secrets=GatewaySecrets(store, ttl_s=settings.secret_ttl_s, monotonic_s=time.monotonic, now_s=time.time),
        seals=seals,
        visitors=Visitors(seals=seals, trusted_hops=settings.trusted_hops, keep_s=settings.client_days * _DAY_S),
        queue_complaint=_aws_complaint(settings, store),
        now_s=time.time,
        webhook_rules=Rules(
            window_s=settings.attribution_window_days * _DAY_S,
            client_s=settings.client_days * _DAY_S,
        ),
        trusted_hops=settings.trusted_hops,
        max_body_bytes=settings.max_body_bytes,
        wake=Bell(partial(_ring, database)).pull,
        draining=drain,
        watch=watch,
        pages=[
            dashboard(
                database=database,
                door=Door(
                    database=database,
                    session_hours=settings.dashboard_session_hours,
                    trusted_hops=settings.trusted_hops,
                ),
                now_s=time.time,
                timeout_s=settings.dashboard_timeout_s,
            )
        ],
    )


def _with_sales(database: Database, accounts: Set[Account]) -> Set[Account]:
    with database.connection() as connection:
        return gauges.accounts_with_sales(connection, accounts)


def _ring(database: Database) -> None:
    with database.connection() as connection:
        outbox.ring(connection)


def _aws_complaint(settings: Settings, store: SecretStore) -> Callable[[], str | None]:
    """What `aws create` makes and the web process cannot do without: once found, the key is not looked for again."""
    client = sqs_client()
    found: list[bool] = []

    def complaint() -> str | None:
        try:
            queue_url(client, settings.queue_name)
            if not found and not store.data_keys():
                return "there is no data key: run `python -m reference_impl aws create`"
        except (BotoCoreError, ClientError):
            return f"the queue {settings.queue_name} cannot be found: run `python -m reference_impl aws create`"
        found[:] = [True]
        return None

    return complaint
