"""Where a target may have left something, as texts to be searched: logs, tables, queues, metrics, files, its words to
Meta; and our own reports. Each function gives places by name.

Not looked into: what another machine keeps; a queue, metric or file of a target that was not started here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from harness.errors import HarnessError
from harness.probes.database import DatabaseProbe
from harness.probes.meta import MetaProbe, hashes_of
from harness.probes.queue import QueueProbe
from harness.stack.aws import CREDENTIALS
from harness.tenants import Tenant
from simulators.loopback import is_loopback

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient

Places = dict[str, list[str]]

#: More of one file than this is not read; its place says so.
MOST_BYTES = 50 * 1024 * 1024

#: What changes in a folder of work without any target's doing.
_NOT_THE_TARGETS = frozenset(
    {".git", ".venv", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
)


def logs(folder: Path) -> Places:
    """What the target's processes and commands have said."""
    return {f"log {path.name}": _lines(path) for path in sorted(folder.glob("target-*.log"))}


def tables(database_url: str) -> Places:
    """Every row of every table and materialised view, as text."""
    database = DatabaseProbe(database_url)
    try:
        return {f"table {schema}.{table}": list(database.rows(schema, table)) for schema, table in database.tables()}
    finally:
        database.close()


def queues(aws_url: str, named: Iterable[str]) -> Places:
    """All that stands in the queues: of this machine's own endpoint all of them, elsewhere the named ones."""
    names = set(named)
    if _is_ours(aws_url):
        sqs: SQSClient = _client("sqs", aws_url)
        urls = sqs.list_queues(MaxResults=1000).get("QueueUrls", [])
        names |= {url.rpartition("/")[2] for url in urls}
    return {f"queue {name}": QueueProbe(aws_url, name).everything() for name in sorted(names)}


def metrics(aws_url: str) -> Places:
    """Names and dimensions of what was published, at this machine's own endpoint; empty where nothing was."""
    if not _is_ours(aws_url):
        return {}
    cloudwatch: CloudWatchClient = _client("cloudwatch", aws_url)
    found = [str(one) for page in cloudwatch.get_paginator("list_metrics").paginate() for one in page["Metrics"]]
    return {"metrics": found} if found else {}


def put_metrics(cloudwatch_url: str) -> Places:
    """Names and dimensions of what was put at the run's own CloudWatch."""
    found: set[str] = set()
    after = 0
    while True:
        told = requests.get(f"{cloudwatch_url}/_golive/datapoints", params={"after": after}, timeout=30).json()
        if not told["datapoints"]:
            return {"metrics put": sorted(found)} if found else {}
        found |= {f"{one['namespace']} {one['name']} {one['dimensions']}" for one in told["datapoints"]}
        after = told["next"]


def told_to_meta(meta_url: str, tenants: Iterable[Tenant]) -> Places:
    """Every member of every event that Meta was sent, but for the hashes that belong there."""
    found: list[str] = []
    for tenant in tenants:
        calls = MetaProbe(meta_url, tenant.pixel_id).calls()
        found += [_without_hashes(event) for call in calls for event in call["events"]]
    return {"what Meta was told": found}


def files(folder: Path, *, since_s: float, but: Path | None = None, called: str = "") -> Places:
    """What was written below a folder since then (seconds since 1970), `but` for one folder below it.

    `called` stands before each name. Of git, virtual environments, caches and `reports/out` nothing is read.
    """
    return {
        f"file {called}{path.relative_to(folder)}": _lines(path)
        for path in sorted(_written(folder, since_s=since_s, but=but))
    }


def reports(folder: Path) -> Places:
    """What we ourselves tell of a run."""
    return {f"our {path.name}": _lines(path) for path in sorted(folder.iterdir()) if path.is_file()} | {
        f"our found/{path.name}": _lines(path) for path in sorted(folder.glob("found/*.toml"))
    }


def _written(folder: Path, *, since_s: float, but: Path | None) -> Iterator[Path]:
    for here, below, names in os.walk(folder):
        below[:] = [one for one in below if not _is_not_the_targets(Path(here, one), but)]
        for name in names:
            path = Path(here, name)
            try:
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since_s:
                    yield path
            except OSError:
                continue  # gone again, or not ours to see


def _is_not_the_targets(folder: Path, but: Path | None) -> bool:
    return folder.name in _NOT_THE_TARGETS or folder.parts[-2:] == ("reports", "out") or folder == but


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []


def _is_ours(aws_url: str) -> bool:
    return is_loopback(urlsplit(aws_url).hostname or "")


def _client(service: Any, aws_url: str) -> Any:
    try:
        import boto3  # noqa: PLC0415 -- an extra, and slow to import
    except ImportError:
        raise HarnessError("Looking into SQS and CloudWatch needs boto3: install golive[aws].") from None
    return boto3.client(
        service,
        endpoint_url=aws_url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


def _without_hashes(event: Mapping[str, Any]) -> str:
    known = set(hashes_of(dict(event)))
    return " ".join(text for text in _strings(event) if text not in known)


def _strings(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for key, one in value.items() for text in (str(key), *_strings(one))]
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [str(value)]
