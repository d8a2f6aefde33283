"""A web process that is asked to end: what it says, and what it still does."""

from __future__ import annotations

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import requests

from harness.waiting import wait_until

if TYPE_CHECKING:
    from conftest import Site  # type: ignore[import-not-found]  # pytest finds it, mypy does not look at tests

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_not_ready_before_it_is_gone_and_a_kept_connection_is_told(site: Site) -> None:
    """After SIGTERM it answers on, says 503 at /health/ready, and ends each connection with a word of warning."""
    url, child = site.start_web()
    line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    line.request("GET", "/health/live")
    answer = line.getresponse()
    answer.read()
    assert answer.headers.get("Connection") != "close", "else nothing is kept, and this test sees nothing"
    child.ask_to_stop()
    ready = wait_until(
        lambda: requests.get(f"{url}/health/ready", timeout=3),
        lambda seen: seen.status_code == 503,
        goal="not ready while it drains",
        within_s=5,
    )
    assert ready.json() == {"status": "not ready", "reason": "this process is about to end"}
    line.request("GET", "/health/live")  # on the connection from before
    answer = line.getresponse()
    answer.read()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    line.close()
    assert site.order().deliver(via=url).status == 202, "a sale that still comes is taken"
    site.stop(child)


def test_what_is_in_flight_at_the_end_is_finished(site: Site) -> None:
    """A webhook that waits for a lock when the drain is over is answered 202, and stored, before the process ends."""
    url, child = site.start_web()
    sale = site.order()
    with site.connect() as blocker, site.connect() as looker, ThreadPoolExecutor(1) as pool:
        with blocker.transaction(force_rollback=True):  # a twin that is not committed yet, and never will be
            blocker.execute(
                "INSERT INTO dedupe_registry (tenant_id, gateway, sale_id, kind, event_id, first_seen_at) "
                "VALUES (%s, 'hotmart', %s, 'purchase', 'x', now())",
                [site.tenant, sale.sale_id],
            )
            answer = pool.submit(sale.deliver, via=url)
            wait_until(
                lambda: looker.execute(WAITING).fetchall(),
                lambda seen: seen != [(0,)],
                goal="the webhook waiting",
                within_s=10,
            )
            child.ask_to_stop()
            wait_until(lambda: _refuses(url), bool, goal="no new connection taken", within_s=10)
            assert not answer.done()
            assert child.running()
        assert answer.result(timeout=10).status == 202
        site.stop(child)
        assert looker.execute("SELECT count(*) FROM conversions").fetchall() == [(1,)]


def _refuses(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return True
    return False
