"""What the environment says, parsed once, when a process starts.

| variable | default | |
|---|---|---|
| `DATABASE_URL` | (required) | PostgreSQL, as psycopg reads it |
| `DATABASE_DIRECT_URL` | DATABASE_URL | the same database past a transaction-mode pooler (docs/deploy.md) |
| `META_GRAPH_URL` | https://graph.facebook.com | without a path |
| `META_API_VERSION` | v24.0 | |
| `META_TIMEOUT_S` | 5 | until Meta's answer begins, and again until it is complete |
| `QUEUE_NAME` | golive-dispatch | SQS: purchases |
| `PAGE_QUEUE_NAME` | golive-pages | SQS: page views and checkouts, so that no purchase waits behind them |
| `DLQ_NAME` | golive-dispatch-dlq | |
| `VISIBILITY_S` | 60 | longer than Meta's worst answer |
| `MAX_RECEIVE_COUNT` | 5 | crashes after which SQS moves a message to the dead letters |
| `STRAYS_AFTER_S` | 0 | when a queued conversion is asked after; 0: once SQS has delivered as often as it will |
| `CONSUMER_THREADS` | 6 | for purchases; each asks Meta for up to four tenants at a time |
| `PAGE_THREADS` | 2 | more of them, for page events |
| `WEB_THREADS` | 8 | of each worker |
| `WEB_WORKERS` | 1 | processes that serve one port; as many as there are cores |
| `WEB_DRAIN_S` | 10 | how long `web` goes on answering after SIGTERM: longer than the load balancer needs to notice |
| `BREAKER_THRESHOLD` | 5 | failures in a row |
| `BREAKER_RESET_S` | 30 | |
| `HOLD_RECHECK_S` | 60 | how soon a conversion held for a dead token is looked at again |
| `RETRY_BASE_S`, `RETRY_MAX_S` | 1, 300 | full jitter between tries |
| `ATTRIBUTION_WINDOW_DAYS` | 7 | |
| `MAX_BODY_BYTES` | 1048576 | |
| `TRUSTED_HOPS` | 0 | proxies of our own in front that write `X-Forwarded-For`; 0: the header is not looked at |
| `SECRET_TTL_S` | 60 | how long a gateway's secret is used before it is read again |
| `CLIENT_DAYS` | 8 | the longest that a buyer's address and browser are kept, sealed; a day more than Meta takes |
| `HASHES_DAYS` | 30 | a purchase's hashes, after it has ended |
| `CLICKS_DAYS`, `VISITS_DAYS` | 90, 90 | longer than `ATTRIBUTION_WINDOW_DAYS` |
| `DEDUPE_DAYS` | 400 | at least 180 |
| `ANALYTICS_REFRESH_S` | 240 | between two refreshes of the numbers; at most 285: fresher than 5 min is promised |
| `DASHBOARD_TIMEOUT_S` | 3 | after which a page says that it took too long |
| `DASHBOARD_SESSION_HOURS` | 12 | after which a browser has to log in again |
| `SCHEDULER_TICK_S` | 1 | the longest pause between two looks at what is due |
| `METRICS_EVERY_S` | 60 | how often each process tells CloudWatch what it has counted; the alarms want 60; 0: never |
| `METRICS_LOOK_S` | 1 | how soon after the end of such a period |
| `METRICS_ENVIRONMENT` | staging | the metrics' dimension `Environment`: the template's parameter of that name |
| `LOG_LEVEL` | INFO | |

AWS is reached as boto3 reads it: `AWS_ENDPOINT_URL`, `AWS_DEFAULT_REGION`, credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

_MAY_BE_ZERO = ("TRUSTED_HOPS", "STRAYS_AFTER_S", "METRICS_EVERY_S")


class BadSettings(Exception):
    """A variable is missing or means nothing; the message names it, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One process's settings; the module's docstring explains each."""

    database_url: str = field(repr=False)
    database_direct_url: str = field(default="", repr=False)
    meta_graph_url: str = "https://graph.facebook.com"
    meta_api_version: str = "v24.0"
    meta_timeout_s: float = 5.0
    queue_name: str = "golive-dispatch"
    page_queue_name: str = "golive-pages"
    dlq_name: str = "golive-dispatch-dlq"
    visibility_s: int = 60
    max_receive_count: int = 5
    strays_after_s: float = 0.0
    consumer_threads: int = 6
    page_threads: int = 2
    web_threads: int = 8
    web_workers: int = 1
    web_drain_s: float = 10.0
    breaker_threshold: int = 5
    breaker_reset_s: float = 30.0
    hold_recheck_s: float = 60.0
    retry_base_s: float = 1.0
    retry_max_s: float = 300.0
    attribution_window_days: int = 7
    max_body_bytes: int = 1024 * 1024
    trusted_hops: int = 0
    secret_ttl_s: float = 60.0
    client_days: int = 8
    hashes_days: int = 30
    clicks_days: int = 90
    visits_days: int = 90
    dedupe_days: int = 400
    analytics_refresh_s: float = 240.0
    dashboard_timeout_s: float = 3.0
    dashboard_session_hours: int = 12
    scheduler_tick_s: float = 1.0
    metrics_every_s: float = 60.0
    metrics_look_s: float = 1.0
    metrics_environment: str = "staging"
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the variables named as the fields, in upper case.

        Raises:
            BadSettings: one is missing, or is no number where one is wanted.
        """
        given: dict[str, Any] = {}
        for one in fields(cls):
            name = one.name.upper()
            text = env.get(name, "").strip()
            if text:
                given[one.name] = _parsed(name, text, str(one.type))
        if "database_url" not in given:
            raise BadSettings("DATABASE_URL is not set: it names the PostgreSQL, like postgresql://user@host/name.")
        settings = cls(**given)
        settings._check()
        return settings

    @property
    def pooled(self) -> bool:
        """Whether `database_url` leads through a pooler that gives each transaction another connection."""
        return bool(self.database_direct_url)

    @property
    def session_url(self) -> str:
        """Where one connection is one session: for LISTEN, for locks that outlive a transaction, for migrations."""
        return self.database_direct_url or self.database_url

    def _check(self) -> None:
        if self.analytics_refresh_s > 285:
            raise BadSettings("ANALYTICS_REFRESH_S must be 285 or less: numbers are promised fresher than 5 minutes.")
        if self.dedupe_days < 180:
            raise BadSettings("DEDUPE_DAYS must be 180 or more: vendors repeat a sale weeks later.")
        if self.clicks_days <= self.attribution_window_days:
            raise BadSettings("CLICKS_DAYS must be more than ATTRIBUTION_WINDOW_DAYS: else purchases lose their click.")
        if self.visibility_s <= self.meta_timeout_s:
            raise BadSettings("VISIBILITY_S must be longer than META_TIMEOUT_S: else a slow answer is sent twice.")


def _parsed(name: str, text: str, kind: str) -> str | int | float:
    if kind == "str":
        return text
    try:
        value = int(text) if kind == "int" else float(text)
    except ValueError:
        raise BadSettings(f"{name} must be a number.") from None
    if name not in _MAY_BE_ZERO and not value > 0:
        raise BadSettings(f"{name} must be more than 0.")
    if not 0 <= value < 1e9:
        raise BadSettings(f"{name} must be a number from 0 to a thousand million.")
    return value
