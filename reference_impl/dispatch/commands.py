"""The processes of this folder, put together from the settings: what `python -m reference_impl NAME` runs.

Each returns its exit code once it was asked to end (SIGTERM, SIGINT) and has finished what it had in hand.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from reference_impl import bootstrap
from reference_impl.analytics import rollup
from reference_impl.dispatch import retention, side_by_side, strays, visitors
from reference_impl.dispatch.breaker import Rules
from reference_impl.dispatch.breaker_store import BreakerStore
from reference_impl.dispatch.capi import CapiClient
from reference_impl.dispatch.consumer import Consumer
from reference_impl.dispatch.loops import Connection, Session, run_until_stopped
from reference_impl.dispatch.queue import Queue
from reference_impl.dispatch.relay import Relay
from reference_impl.dispatch.renewal import Renewal
from reference_impl.dispatch.scheduler import Duty, Scheduler
from reference_impl.dispatch.sender import Sender, Timing
from reference_impl.dispatch.stopping import Stop, stop_on_signals
from reference_impl.dispatch.store import Claimed
from reference_impl.dispatch.token import MetaToken, TokenBook
from reference_impl.domain import client
from reference_impl.domain.event import to_capi_event, too_old
from reference_impl.monitoring.meter import Meter
from reference_impl.monitoring.pulse import Pulse
from reference_impl.sealing import Seals
from reference_impl.secrets import SecretStore
from reference_impl.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

_CONNECT_S = 1.0
"""What connecting to Meta may cost on top of `META_TIMEOUT_S`."""
_LAST_WORDS_S = 8.0
"""How long threads that were asked to end are waited for. What they leave is leased, and comes back."""
_HOUR_S = 3600.0
_STALLED_S = 90.0
"""A loop that has not done a step for so long is as good as dead: its heart is no longer heard."""


def run_relay(settings: Settings) -> int:
    """Move the outbox to SQS until asked to end."""
    with stop_on_signals() as stop:
        sqs = bootstrap.sqs_client()
        relay = Relay(
            session=_lasting(settings),
            queue=_queue(sqs, settings.queue_name),
            pages=_pages(sqs, settings),
            stop=stop,
        )
        log.info("relay: up")
        pulse = _pulse()
        with bootstrap.published(settings, "relay", Meter(), alive=pulse.alive):
            run_until_stopped("relay", relay.step, stop=stop, session=relay.session, rng=_rng(), beat=pulse.beat)
    return 0


def run_consumer(settings: Settings) -> int:
    """Move SQS to Meta, in so many threads, until asked to end."""
    sqs, secrets = bootstrap.sqs_client(), bootstrap.secret_store()
    tokens = TokenBook(
        partial(_read_token, secrets),
        monotonic_s=time.monotonic,
        ttl_s=settings.secret_ttl_s,
        recheck_s=settings.hold_recheck_s,
    )
    seals = bootstrap.sealer(secrets)
    pauses: dict[str, float] = {}
    meter, pulse = Meter(), _pulse()
    queues = [settings.queue_name] * settings.consumer_threads + [settings.page_queue_name] * settings.page_threads
    with stop_on_signals() as stop:
        threads = [
            threading.Thread(
                target=_consume,
                args=(settings, stop),
                kwargs={
                    "queue": queue,
                    "sqs": sqs,
                    "tokens": tokens,
                    "seals": seals,
                    "pauses": pauses,
                    "meter": meter,
                    "beat": pulse.beat,
                },
                name=f"consumer-{n}",
                daemon=True,
            )
            for n, queue in enumerate(queues)
        ]
        for thread in threads:
            thread.start()
        log.info("consumer: up, %d threads", len(threads))
        with bootstrap.published(settings, "consumer", meter, alive=pulse.alive):
            while not stop.wait(_HOUR_S):
                pass
            deadline_s = time.monotonic() + _LAST_WORDS_S
            for thread in threads:
                thread.join(max(0.0, deadline_s - time.monotonic()))
        # A thread that still hangs in a call ends with the process: what it has in hand is leased.
        return 0


def run_scheduler(settings: Settings) -> int:
    """Do the recurring duties, as long as no other scheduler leads, until asked to end."""
    with stop_on_signals() as stop:
        scheduler = Scheduler(
            session=_lasting(settings),
            stop=stop,
            duties=_duties(settings),
            now_s=time.time,
            tick_s=settings.scheduler_tick_s,
        )
        log.info("scheduler: up")
        pulse, gauges = _pulse(), bootstrap.scheduler_gauges(settings)
        with bootstrap.published(
            settings, "scheduler", Meter(), sources=[gauges.measure], alive=pulse.alive, settle=pulse.wait_for_a_step
        ):
            run_until_stopped(
                "scheduler", scheduler.step, stop=stop, session=scheduler.session, rng=_rng(), beat=pulse.beat
            )
    return 0


def _consume(
    settings: Settings,
    stop: Stop,
    *,
    queue: str,
    sqs: SQSClient,
    tokens: TokenBook,
    seals: Seals,
    pauses: dict[str, float],
    meter: Meter,
    beat: Callable[[], None],
) -> None:
    """One thread's life."""
    call_limit_s = _CONNECT_S + settings.meta_timeout_s
    with (
        CapiClient(
            settings.meta_graph_url, version=settings.meta_api_version, timeout_s=settings.meta_timeout_s
        ) as capi,
        side_by_side.Helpers(name="waiting for Meta") as helpers,
    ):
        sender = Sender(
            capi=capi,
            helpers=helpers,
            breakers=BreakerStore(
                rules=Rules(threshold=settings.breaker_threshold, reset_s=settings.breaker_reset_s),
                probe_lease_s=call_limit_s + settings.meta_timeout_s,
            ),
            tokens=tokens,
            dead_letters=_queue(sqs, settings.dlq_name),
            timing=Timing(
                retry_base_s=settings.retry_base_s,
                retry_max_s=settings.retry_max_s,
                recheck_s=settings.hold_recheck_s,
            ),
            rng=_rng(),
            monotonic_s=time.monotonic,
            new_id=uuid.uuid4,
            to_event=partial(_to_event, seals),
            too_old=lambda one: too_old(one.event_time.timestamp(), now_s=time.time()),
            pauses=pauses,
            meter=meter,
        )
        consumer = Consumer(
            session=_session(settings),
            queue=_queue(sqs, queue),
            sender=sender,
            stop=stop,
            monotonic_s=time.monotonic,
            visibility_s=settings.visibility_s,
            call_limit_s=call_limit_s,
        )
        run_until_stopped("consumer", consumer.step, stop=stop, session=consumer.session, rng=_rng(), beat=beat)


def _duties(settings: Settings) -> list[Duty]:
    sqs = bootstrap.sqs_client()
    queue, dead_letters = _queue(sqs, settings.queue_name), _queue(sqs, settings.dlq_name)
    # By then SQS has delivered a message as often as it will. Sooner is safe, and asks more often: strays are looked
    # for only while nothing waits in the queue, and what is sent twice finds its conversion claimed or settled.
    patience_s = max(60.0, 2.0 * settings.visibility_s * (settings.max_receive_count + 1))
    stray_after_s = settings.strays_after_s or patience_s
    duties = [
        Duty(
            name="strays",
            every_s=stray_after_s / 4,
            work=lambda connection: strays.recover(
                connection, queue, dead_letters, older_than_s=stray_after_s, pages=_pages(sqs, settings)
            ),
        ),
        Duty(
            name="visitors",
            every_s=_HOUR_S,
            work=lambda connection: visitors.forget(connection, now_s=time.time(), page_days=settings.client_days),
        ),
        Duty(
            name="retention",
            every_s=_HOUR_S,
            work=partial(_tidy, settings),
        ),
        _refreshing(settings.analytics_refresh_s),
    ]
    if renew := _renewal(settings):
        duties.append(Duty(name="renewal", every_s=24 * _HOUR_S, work=renew))
    return duties


def _tidy(settings: Settings, connection: Connection) -> None:
    periods = retention.Periods(
        hashes=settings.hashes_days,
        clicks=settings.clicks_days,
        visits=settings.visits_days,
        dedupe=settings.dedupe_days,
    )
    retention.tidy(connection, now_s=time.time(), periods=periods)


def _refreshing(every_s: float) -> Duty:
    """Looks often and works when it is due, so that a refresh that failed is soon made good."""

    def work(connection: Connection) -> None:
        rollup.refresh_if_due(connection, every_s=every_s)

    return Duty(name="analytics", every_s=min(10.0, every_s / 4), work=work)


def _renewal(settings: Settings) -> Callable[[Any], None] | None:
    """The daily token renewal; None without the Meta app that it needs (then tokens must not expire)."""
    app_id, app_secret = os.environ.get("META_APP_ID"), os.environ.get("META_APP_SECRET")
    if not app_id or not app_secret:
        log.info("scheduler: no token renewal, as META_APP_ID and META_APP_SECRET are not both set")
        return None
    renewal = Renewal(
        store=bootstrap.secret_store(),
        graph_url=settings.meta_graph_url,
        version=settings.meta_api_version,
        app_id=app_id,
        app_secret=app_secret,
        now_s=time.time,
    )
    return lambda connection: log.info("scheduler: %d tokens renewed", renewal.renew_all(connection))


def _read_token(secrets: SecretStore, tenant: str) -> MetaToken | None:
    found = secrets.meta(tenant)
    return None if found is None else MetaToken(value=found.token, version=found.version)


def _to_event(seals: Seals, one: Claimed) -> Mapping[str, Any]:
    return to_capi_event(
        event_name=one.event_name,
        event_id=one.event_id,
        event_time_s=int(one.event_time.timestamp()),
        user_data={**_client(seals, one), **one.user_data},
        value=one.amount,
        currency=one.currency,
        order_id=one.sale_id,
        product_id=one.product_id,
        source_url=one.source_url,
    )


def _client(seals: Seals, one: Claimed) -> Mapping[str, str]:
    """The buyer's address and browser in plain text: from here to Meta, in memory only.

    Several seals stand one after the other (no seal holds a space), the surest first: the payload's, then the click's.
    """
    found: dict[str, str] = {}
    for sealed in (one.client_sealed or "").split():
        opened = seals.open(sealed)
        if opened is None:
            log.error("conversion %s: no key opens its sealed address and browser; it is sent without them", one.id)
        else:
            found = client.to_user_data(opened) | found
    return found


def _pages(client: SQSClient, settings: Settings) -> Queue:
    """The page events' queue; where `aws create` has not made it yet, they go the purchases' way."""

    def url() -> str:
        try:
            return bootstrap.queue_url(client, settings.page_queue_name)
        except client.exceptions.QueueDoesNotExist:
            log.warning("there is no queue %s: run `python -m reference_impl aws create`", settings.page_queue_name)
            return bootstrap.queue_url(client, settings.queue_name)

    return Queue(client, url)


def _session(settings: Settings) -> Session:
    return Session(partial(bootstrap.connect, settings))


def _lasting(settings: Settings) -> Session:
    """For the relay, which listens, and the scheduler, whose leadership is a lock of its session."""
    return Session(partial(bootstrap.connect_session, settings))


def _queue(client: SQSClient, name: str) -> Queue:
    return Queue(client, partial(bootstrap.queue_url, client, name))


def _pulse() -> Pulse:
    return Pulse(monotonic_s=time.monotonic, stalled_s=_STALLED_S)


def _rng() -> random.Random:
    """For jitter only: replicas must not draw the same."""
    return random.Random()
