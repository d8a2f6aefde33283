"""The dashboard in a real browser, over the real web process and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from harness.stack.processes import Nursery, wait_ready
from reference_impl.analytics import rollup
from tests import command_line
from tests.rows import check_rows

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery staple"
HOSTILE = '<img src=x onerror="window.harmed=1">'
SHOTS = os.environ.get("GOLIVE_SHOTS")
"""A folder for pictures of every page, for somebody who wants to look at them."""
GATEWAYS = ("hotmart", "kiwify", "perfectpay", "stripe")


@pytest.fixture(scope="module")
def database_url(postgres: Any) -> str:
    url: str = postgres.new()
    with psycopg.connect(url, autocommit=True) as db:
        fill(db)
    for tenant, name in (("loja-da-ana", "ana"), ("loja-do-rui", "rui"), ("loja-nova", "nova")):
        command(url, "user", "create", given={"tenant": tenant, "name": name, "password": PASSWORD})
    return url


def command(url: str, *arguments: str, given: Any = None) -> Any:
    env = {"DATABASE_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}
    done = command_line.reference(*arguments, given=json.dumps(given), env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fill(db: psycopg.Connection[Any]) -> None:
    """Thirty days of a shop that grows, one small shop, and one that has not begun."""
    rng = random.Random(7)
    for tenant in ("loja-da-ana", "loja-do-rui", "loja-nova"):
        db.execute("INSERT INTO tenants (id, pixel_id, timezone) VALUES (%s, '1', 'America/Sao_Paulo')", [tenant])
    now = datetime.now(UTC)  # noqa: TID251 -- the page shows the last thirty days of whoever looks
    with db.transaction(), db.cursor() as cursor:
        for days_ago in range(30):
            for number in range(0 if days_ago == 17 else 40 - days_ago + rng.randrange(14)):
                state = rng.choices(["delivered", "dead_lettered", "suppressed"], [96, 1, 3])[0]
                if days_ago == 0:
                    state = rng.choices([state, "pending", "held"], [80, 10, 10])[0]
                write(cursor, "loja-da-ana", now - timedelta(days=days_ago, minutes=number), rng, state)
        for _ in range(3):
            write(cursor, "loja-do-rui", now, rng, "delivered")
        write(cursor, "loja-do-rui", now, rng, "dead_lettered", sale=HOSTILE)
        for kind in ("pageview", "checkout"):
            write(cursor, "loja-da-ana", now, rng, "delivered", kind=kind, gateway="site")
    rollup.refresh(db)


def write(
    cursor: psycopg.Cursor[Any],
    tenant: str,
    at: datetime,
    rng: random.Random,
    state: str,
    *,
    sale: str | None = None,
    kind: str = "purchase",
    gateway: str | None = None,
) -> None:
    one = uuid.UUID(int=rng.getrandbits(128))
    reason = {"held": "token", "dead_lettered": "Meta refuses it"}.get(state)
    cursor.execute(
        "INSERT INTO conversions (id, tenant_id, gateway, sale_id, kind, event_id, event_name, event_time, "
        "received_at, amount, currency, user_data, state, hold_reason, last_code) "
        "VALUES (%s, %s, %s, %s, %s, 'e', 'Purchase', %s, %s, 1, 'BRL', '{}', %s, %s, %s)",
        [
            *(one, tenant, gateway or rng.choices(GATEWAYS, [5, 3, 1, 2])[0], sale or f"HP{rng.randrange(10**9)}"),
            *(kind, at, at, state, reason, 100 if state == "dead_lettered" else None),
        ],
    )
    if kind == "purchase" and rng.random() < 0.76:
        cursor.execute("INSERT INTO matches VALUES (%s, %s, 'c', 'click_id', %s)", [one, tenant, at])


@pytest.fixture(scope="module")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The web process, as `python -m reference_impl web` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nursery = Nursery(lambda _: None)
    environment = {
        **os.environ,
        **{"DATABASE_URL": database_url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        **{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "DASHBOARD_TIMEOUT_S": "0.5"},
    }
    log = tmp_path_factory.mktemp("web") / "web.log"
    argv = [sys.executable, "-m", "reference_impl", "web", "--port", str(port)]
    child = nursery.start("web", argv, owner="target", env=environment, log=log)

    def complaint() -> str | None:
        with socket.socket() as probe:
            return None if probe.connect_ex(("127.0.0.1", port)) == 0 else "nothing listens"

    try:
        wait_ready(child, complaint, within_s=30)
        yield f"http://127.0.0.1:{port}/dashboard"
    finally:
        nursery.stop_all()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A browser's tab that may talk to the site and to nobody else, and complains of nothing."""

    def __init__(self, chromium: Browser, site: str, **looks: Any) -> None:
        self.site = site
        self.context: BrowserContext = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **looks})
        self.page: Page = self.context.new_page()
        self.trouble: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda asked: self.hosts.add(asked.url.split("/")[2]))

    def log_in(self, name: str, password: str = PASSWORD) -> Page:
        self.page.goto(self.site)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        return self.page

    def picture(self, name: str) -> None:
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)

    def close(self) -> None:
        self.context.close()
        assert self.trouble == []
        assert self.hosts == {self.site.split("/")[2]}


@pytest.fixture
def tab(chromium: Browser, site: str) -> Iterator[Tab]:
    one = Tab(chromium, site)
    yield one
    one.close()


def tile(page: Page, label: str) -> Any:
    return page.locator(".tile").filter(has=page.get_by_role("heading", name=label, exact=True))


def test_log_in_look_and_log_out(tab: Tab, database_url: str) -> None:
    """The numbers are those of the tables, the charts have words for who cannot see them, and logging out ends it."""
    page = tab.log_in("ana")
    with psycopg.connect(database_url) as db:
        purchases, delivered, days = db.execute(
            "SELECT count(*), count(*) FILTER (WHERE state = 'delivered'), "
            "count(DISTINCT (received_at AT TIME ZONE 'America/Sao_Paulo')::date) FROM conversions "
            "WHERE tenant_id = 'loja-da-ana' AND kind = 'purchase' AND (received_at AT TIME ZONE "
            "'America/Sao_Paulo')::date > (now() AT TIME ZONE 'America/Sao_Paulo')::date - 30"
        ).fetchone() or (0, 0, 0)
    expect(tile(page, "Purchases, 30 days").locator(".value")).to_have_text(f"{purchases:,}")
    expect(tile(page, "Purchases, 30 days")).to_contain_text(f"{delivered:,} sent to Meta")
    expect(page.get_by_role("img", name=f"{purchases:,} purchases in 30 days")).to_be_visible()
    expect(page.get_by_role("img", name="Match rate by day")).to_be_visible()
    expect(page.locator(".fresh")).to_contain_text("Data as of")
    expect(page.locator("#stale")).to_be_hidden()
    tab.picture("light")
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("table", name="Purchases by day").get_by_role("row")).to_have_count(1 + days)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{tab.site}/login")
    page.goto(tab.site)
    expect(page).to_have_url(f"{tab.site}/login")


def test_a_wrong_password_is_told_once_and_politely(tab: Tab) -> None:
    """The same words for a wrong password and for nobody; the name stays in its field."""
    page = tab.log_in("ana", "wrong wrong wrong")
    expect(page.get_by_role("alert")).to_have_text("Name and password do not go together.")
    expect(page.get_by_label("Name")).to_have_value("ana")
    tab.picture("login")
    tab.trouble.clear()  # the browser itself remarks on the 401


def test_each_tenant_sees_only_its_own(chromium: Browser, site: str) -> None:
    """Two people at two browsers; and what a gateway calls a sale is text, whatever it looks like."""
    ana, rui = Tab(chromium, site), Tab(chromium, site)
    ours, theirs = ana.log_in("ana"), rui.log_in("rui")
    expect(tile(theirs, "Purchases, 30 days").locator(".value")).to_have_text("4")
    expect(theirs.locator("header")).to_contain_text("loja-do-rui")
    expect(theirs.locator("body")).not_to_contain_text("loja-da-ana")
    expect(ours.locator("body")).not_to_contain_text("loja-do-rui")
    expect(theirs.locator(".sale")).to_have_text(HOSTILE)
    assert theirs.evaluate("window.harmed") is None
    theirs.goto(f"{site}?tenant=loja-da-ana")
    expect(theirs.locator("header")).to_contain_text("loja-do-rui")
    rui.picture("small_shop")
    ana.close()
    rui.close()


def test_before_the_first_sale(tab: Tab) -> None:
    """A new tenant is told what will happen, not shown six zeros."""
    page = tab.log_in("nova")
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    expect(page.locator("svg")).to_have_count(0)
    tab.picture("empty")


def test_small_screens_and_the_dark(tab: Tab) -> None:
    """Nothing is wider than the screen, and text stands out from its ground."""
    page = tab.log_in("ana")
    expect(tile(page, "Match rate")).to_be_visible()

    def check(look: tuple[int, Any]) -> None:
        width, scheme = look
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme=scheme)
        page.reload()
        expect(tile(page, "Match rate")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRASTS) == []
        tab.picture(f"{scheme}_{width}")

    check_rows([(width, scheme) for width in (360, 768) for scheme in ("light", "dark")], check)


#: Texts whose contrast with what is behind them is under 4.5 : 1 (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const light = (colour) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parsed = (text) => text.match(/[0-9.]+/g).map(Number);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const found = parsed(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const one of document.querySelectorAll("h1, h2, p, span, td, th, button, summary, time, strong")) {
    if (!one.innerText?.trim() || !one.checkVisibility()) continue;
    const pair = [parsed(getComputedStyle(one).color), ground(one)].map((c) => light(c.slice(0, 3))).sort();
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.push(`${one.innerText.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


def test_numbers_that_grow_old_say_so(tab: Tab, database_url: str) -> None:
    """At once when they are old already, and by themselves while the page stays open."""
    page = tab.page
    page.clock.install()
    tab.log_in("ana")
    expect(page.locator("#stale")).to_be_hidden()
    page.route("**/dashboard", lambda route: route.abort())
    page.clock.run_for(6 * 60 * 1000)
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#age")).to_have_text("6 min ago")
    page.unroute("**/dashboard")
    page.clock.run_for(61 * 1000)
    expect(page.locator("#stale")).to_be_hidden()
    tab.trouble.clear()  # the browser itself remarks on what was not answered
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("UPDATE analytics_state SET refreshed_at = refreshed_at - interval '3 hours'")
        page.reload()
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("#age")).to_have_text("3 h ago")
        tab.picture("stale")
        rollup.refresh(db)


def test_a_slow_database_is_a_clear_page(tab: Tab, database_url: str) -> None:
    """Half a second of waiting is the limit here; then there are words, and a way to try again."""
    page = tab.log_in("ana")
    expect(tile(page, "Match rate")).to_be_visible()
    with psycopg.connect(database_url) as db:
        db.execute("LOCK TABLE analytics_daily IN ACCESS EXCLUSIVE MODE")
        page.reload()
        expect(page.get_by_role("heading", name="This takes too long")).to_be_visible()
        tab.picture("slow")
    page.get_by_role("link", name="Try again").click()
    expect(tile(page, "Match rate")).to_be_visible()
    tab.trouble.clear()  # the browser itself remarks on the 503


def test_without_scripts(chromium: Browser, site: str) -> None:
    """The page is complete without its script."""
    tab = Tab(chromium, site, java_script_enabled=False)
    page = tab.log_in("ana")
    expect(tile(page, "Success rate")).to_be_visible()
    expect(page.locator("#age")).to_contain_text("ago")
    tab.close()
