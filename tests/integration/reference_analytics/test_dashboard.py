"""The dashboard over HTTP: who gets in, what they see, and what cannot be forged, guessed or overheard."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from reference_impl import users
from reference_impl.analytics import rollup
from reference_impl.provisioning import NotProvisioned
from reference_impl.web import login
from reference_impl.web.app import create_app
from reference_impl.web.dashboard import blueprint
from reference_impl.web.database import Database
from reference_impl.web.login import Door
from tests import command_line
from tests.integration.reference_analytics.conftest import NOON, converted, hours, tenant

PASSWORD = "correct horse battery staple"


class World:
    """A site with two tenants and a user each."""

    def __init__(self, url: str, db: psycopg.Connection[Any]) -> None:
        self.url, self.db = url, db
        self.database = Database(url, size=4)
        self.door = Door(database=self.database, session_hours=12)
        tenant(db, "t2")
        for name, whose in (("ana", "t1"), ("rui", "t2")):
            self.user(name, whose)
        self.app = self.app_over(self.database)

    def app_over(self, database: Any, timeout_s: float = 2.0) -> Flask:
        pages = [blueprint(database=database, door=self.door, now_s=NOON.timestamp, timeout_s=timeout_s)]
        nothing: Any = None
        return create_app(
            database=database, secrets=nothing, seals=nothing, visitors=nothing, queue_complaint=lambda: None,
            now_s=NOON.timestamp, webhook_rules=nothing, trusted_hops=0, max_body_bytes=20_000, pages=pages,
        )  # fmt: skip

    def user(self, name: str, whose: str, password: str = PASSWORD) -> None:
        users.create(self.db, {"tenant": whose, "name": name, "password": password})

    def browser(self, app: Flask | None = None) -> Client:
        return (app or self.app).test_client()


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones take a quarter of a second each, as they should."""
    assert users._NOBODY.startswith(users._METHOD + "$"), "nobody's password must be as slow as somebody's"
    monkeypatch.setattr(users, "_NOBODY", users._NOBODY.replace(users._METHOD, "scrypt:1024:8:1"))
    monkeypatch.setattr(users, "_METHOD", "scrypt:1024:8:1")


@pytest.fixture
def world(url: str, db: psycopg.Connection[Any]) -> Iterator[World]:
    one = World(url, db)
    yield one
    one.database.close()


def log_in(browser: Client, name: str = "ana", password: str = PASSWORD, **changes: Any) -> TestResponse:
    https = {"base_url": changes.pop("base_url", "http://localhost")}
    form = browser.get("/dashboard/login", **https)
    given = {"stamp": stamp_of(form), "name": name, "password": password, **changes}
    return browser.post("/dashboard/login", data=given, **https)


def stamp_of(page: TestResponse) -> str:
    found = re.search(r'name="stamp" value="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found.group(1)


def session_cookie(answer: TestResponse) -> str:
    return next(line for line in answer.headers.getlist("Set-Cookie") if "golive-session" in line)


def test_nobody_sees_anything_without_logging_in(world: World) -> None:
    """Not with no cookie, a made-up one, one with a NUL, or the hash that the database holds."""
    log_in(world.browser())
    hashes = [row[0] for row in world.db.execute("SELECT token_hash FROM dashboard_sessions").fetchall()]
    assert len(hashes) == 1
    for cookie in ("", "A" * 43, "A" * 42 + "\x00", hashes[0], "' OR 1=1 --", "x" * 4000):
        browser = world.browser()
        browser.set_cookie("golive-session", cookie)
        answer = browser.get("/dashboard")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/login"), cookie
        assert "t1" not in answer.text


def test_each_sees_its_own_tenant_whatever_is_asked(world: World) -> None:
    """No parameter, header or form field names a tenant."""
    for _ in range(3):
        converted(world.db, "t1", state="delivered")
    converted(world.db, "t2", state="dead_lettered")
    world.db.execute("UPDATE conversions SET sale_id = 'secret-of-t2' WHERE tenant_id = 't2'")
    rollup.refresh(world.db)
    ana, rui = world.browser(), world.browser()
    log_in(ana, "ana")
    log_in(rui, "rui", tenant="t1", tenant_id="t1")
    for path in ("/dashboard", "/dashboard?tenant=t1", "/dashboard?tenant_id=t1&name=ana", "/dashboard/"):
        page = rui.get(path, headers={"X-Tenant": "t1"}).text
        assert "<strong>t2</strong>" in page
        assert "secret-of-t2" in page
        assert "1 purchases in 30 days" in page
    page = ana.get("/dashboard").text
    assert "<strong>t1</strong>" in page
    assert "3 purchases in 30 days" in page
    assert "secret-of-t2" not in page


def test_a_wrong_name_and_a_wrong_password_are_told_apart_by_nothing(world: World) -> None:
    """The same status, the same page, and a hash is computed for both."""
    computed: list[bool] = []
    original = users.check_password_hash
    pages = []
    try:
        users.check_password_hash = lambda kept, given: computed.append(True) or original(kept, given)  # type: ignore[func-returns-value]
        for name in ("ana", "anb"):
            page = log_in(world.browser(), name, "wrong wrong wrong")
            pages.append((page.status_code, re.sub(r'value="[^"]*"', "", page.text)))
    finally:
        users.check_password_hash = original
    assert pages[0] == pages[1]
    assert pages[0][0] == 401
    assert len(computed) == 2


def test_guessing_is_slowed_down_for_users_and_for_nobody_alike(world: World) -> None:
    """Ten tries in a quarter of an hour; then not even the right password helps, and nobody learns who exists."""
    for name in ("ana", "nobody-at-all"):
        answers = [log_in(world.browser(), name, "wrong wrong wrong").status_code for _ in range(10)]
        assert answers == [401] * 10
        last = log_in(world.browser(), name, PASSWORD)
        assert last.status_code == 429
        assert "15 min" in last.text
    assert log_in(world.browser(), "rui").status_code == 303
    world.db.execute("UPDATE dashboard_failures SET until = now()")
    assert log_in(world.browser(), "ana").status_code == 303
    assert log_in(world.browser(), "ana", "wrong wrong wrong").status_code == 401, "the count began anew"


def test_a_window_is_as_long_as_from_its_first_try(world: World) -> None:
    """Or whoever goes on guessing would lock the name's owner out for ever."""
    world.door.most_failures = 1
    assert log_in(world.browser(), "ana", "wrong wrong wrong").status_code == 401
    world.db.execute("UPDATE dashboard_failures SET until = now() + interval '90 s'")
    for _ in range(2):
        assert "Please wait 2 min" in log_in(world.browser(), "ana", "wrong wrong wrong").text


def test_a_window_that_ends_in_this_very_moment_is_over(world: World) -> None:
    """Between the sweep and the count; here another login holds the row, so that the sweep passes it over."""
    world.door.most_failures = 1
    assert [log_in(world.browser(), "ana", "wrong wrong wrong").status_code for _ in range(2)] == [401, 429]
    world.db.execute("UPDATE dashboard_failures SET until = now()")
    ana, statuses = [hashlib.sha256(b"ana").hexdigest()], []
    with psycopg.connect(world.url) as other:
        other.execute("SELECT 1 FROM dashboard_failures WHERE name_hash = %s FOR UPDATE", ana)
        guess = threading.Thread(
            target=lambda: statuses.append(log_in(world.browser(), "ana", "wrong wrong wrong").status_code)
        )
        guess.start()
        eventually_waits_for_a_lock(world)
    guess.join(timeout=30)
    assert statuses == [401]
    kept = world.db.execute("SELECT failures, until > now() FROM dashboard_failures WHERE name_hash = %s", ana)
    assert kept.fetchone() == (1, True), "and another has begun"


def eventually_waits_for_a_lock(world: World) -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 10
    while world.db.execute(query).fetchone() is None:
        assert time.monotonic() < deadline, "nobody waits for a lock"


def test_a_login_forgets_the_tries_before_it(world: World) -> None:
    """Who mistypes now and then is never locked out."""
    world.door.most_failures = 2
    for _ in range(3):
        assert log_in(world.browser(), "ana", "wrong wrong wrong").status_code == 401
        assert log_in(world.browser(), "ana").status_code == 303


def guess_from(world: World, address: str, name: str, password: str = "wrong wrong wrong") -> int:
    """A login through our own proxy, which was called from there; whatever the caller says stands before that."""
    browser = world.browser()
    said = {"X-Forwarded-For": f"192.0.2.{len(name)}, {address}"}
    stamp = stamp_of(browser.get("/dashboard/login"))
    given = {"stamp": stamp, "name": name, "password": password}
    return browser.post("/dashboard/login", data=given, headers=said).status_code


@pytest.mark.parametrize(
    ("guesser", "again", "neighbour"),
    [("203.0.113.9", "203.0.113.9", "203.0.113.10"), ("2001:db8:0:1::9", "2001:db8:0:1:ffff::1", "2001:db8:0:2::9")],
    ids=["IPv4", "IPv6"],
)
def test_one_address_cannot_try_a_password_with_every_name(
    world: World, guesser: str, again: str, neighbour: str
) -> None:
    """Each name is tried once; nobody else is refused, and a login of one's own takes back one try, not all."""
    world.door.trusted_hops, world.door.most_failures_of_address, world.door.most_failures = 1, 5, 1
    assert [guess_from(world, guesser, f"name-{number}") for number in range(4)] == [401] * 4
    assert guess_from(world, again, "ana", PASSWORD) == 303
    assert guess_from(world, again, "name-5") == 401
    assert guess_from(world, again, "ana", PASSWORD) == 429
    assert guess_from(world, again, "rui") == 429
    assert guess_from(world, neighbour, "rui", PASSWORD) == 303, "who is refused by the address is not counted by name"
    world.db.execute("UPDATE dashboard_failures SET until = now()")
    assert guess_from(world, again, "name-6") == 401
    kept = world.db.execute("SELECT count(*) FROM dashboard_failures").fetchone()
    assert kept == (2,), "what is over is swept up"


def test_without_an_address_the_names_are_still_counted(world: World) -> None:
    """A proxy of ours that does not say from where: nobody is locked out for somebody else."""
    world.door.trusted_hops, world.door.most_failures_of_address = 1, 1
    assert [log_in(world.browser(), name, "wrong wrong wrong").status_code for name in ("ana", "rui")] == [401, 401]


def test_many_tries_at_once_are_many_tries(world: World) -> None:
    """The count is taken before the password is looked at."""
    world.door.most_failures = 3
    statuses: list[int] = []

    def guess() -> None:
        statuses.append(log_in(world.browser(), "ana", "wrong wrong wrong").status_code)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(timeout=30)
    assert statuses.count(401) + statuses.count(503) == 3
    assert statuses.count(429) == 5


def test_two_hash_at_once_and_the_third_is_told_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hash takes 32 MiB and a processor that webhooks need."""
    monkeypatch.setattr(login, "_PATIENCE_S", 0.05)
    original, hashing, go_on = users.check_password_hash, threading.Semaphore(0), threading.Event()

    def slow(kept: str, given: str) -> bool:
        hashing.release()
        return go_on.wait(30) and original(kept, given)

    monkeypatch.setattr(users, "check_password_hash", slow)
    statuses: list[int] = []
    first = [threading.Thread(target=lambda: statuses.append(log_in(world.browser()).status_code)) for _ in range(2)]
    for one in first:
        one.start()
        assert hashing.acquire(timeout=30)
    third = threading.Thread(target=lambda: statuses.append(log_in(world.browser()).status_code))
    third.start()
    third.join(timeout=5)
    go_on.set()
    for one in (*first, third):
        one.join(timeout=30)
    assert statuses == [503, 303, 303]


def test_a_hash_that_fails_takes_nobodys_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are two turns; more failures than that must not shut everybody out."""
    monkeypatch.setattr(login, "_PATIENCE_S", 0.05)

    def no_memory(_kept: str, _given: str) -> bool:
        raise MemoryError

    with monkeypatch.context() as while_it_lasts:
        while_it_lasts.setattr(users, "check_password_hash", no_memory)
        assert [log_in(world.browser()).status_code for _ in range(3)] == [500] * 3
    assert log_in(world.browser()).status_code == 303


def test_what_is_typed_into_the_wrong_field_is_kept_nowhere(world: World) -> None:
    """A password or an e-mail in the name's field reaches no table."""
    for typed in ("Correct Horse!", "ana@canary.example", "a\x00b", "x" * 500, ""):
        assert log_in(world.browser(), typed, "wrong wrong wrong").status_code == 401
    assert world.db.execute("SELECT count(*) FROM dashboard_failures").fetchone() == (0,)


def test_a_password_that_nobody_can_have_costs_no_hash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest that a user may have is let in."""
    longest = "x" * users.PASSWORD_MAX
    world.user("eva", "t1", longest)
    assert log_in(world.browser(), "eva", longest).status_code == 303
    monkeypatch.setattr(users, "check_password_hash", lambda _kept, _given: pytest.fail("a hash was computed"))
    assert log_in(world.browser(), "eva", longest + "x").status_code == 401


def test_a_user_who_is_deleted_while_logging_in_is_not_let_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same as a wrong password, and no error of ours."""

    def gone_meanwhile(_kept: str, _given: str) -> bool:
        users.delete(world.db, {"name": "ana"})
        return True

    monkeypatch.setattr(users, "check_password_hash", gone_meanwhile)
    assert log_in(world.browser(), "ana").status_code == 401


@pytest.mark.parametrize("change", ["no stamp", "another's stamp", "no cookie", "other site"])
def test_a_login_is_only_taken_from_our_own_form(world: World, change: str) -> None:
    """Another site cannot log a visitor in as somebody else."""
    browser, other = world.browser(), world.browser()
    stamp, headers = stamp_of(browser.get("/dashboard/login")), {}
    match change:
        case "no stamp":
            stamp = ""
        case "another's stamp":
            stamp = stamp_of(other.get("/dashboard/login"))
        case "no cookie":
            browser = world.browser()
        case "other site":
            headers = {"Sec-Fetch-Site": "cross-site"}
    given = {"stamp": stamp, "name": "ana", "password": PASSWORD}
    answer = browser.post("/dashboard/login", data=given, headers=headers)
    assert answer.status_code == 400
    assert browser.get("/dashboard").status_code == 303


def test_logging_out_ends_the_session_itself(world: World) -> None:
    """Whoever kept a copy of the cookie is out, too; and another site cannot log anybody out."""
    browser, thief = world.browser(), world.browser()
    token = session_cookie(log_in(browser)).split(";")[0].partition("=")[2]
    thief.set_cookie("golive-session", token)
    assert thief.get("/dashboard").status_code == 200
    assert browser.post("/dashboard/logout", data={"stamp": "0" * 64}).status_code == 400
    assert browser.get("/dashboard").status_code == 200
    assert browser.post("/dashboard/logout", data={"stamp": stamp_of(browser.get("/dashboard"))}).status_code == 303
    assert thief.get("/dashboard").status_code == 303
    assert world.browser().post("/dashboard/logout").status_code == 303


def test_sessions_end(world: World) -> None:
    """With their time, with a new password, with the user, with the tenant."""
    browser = world.browser()
    for end in (
        "UPDATE dashboard_sessions SET expires_at = now()",
        lambda: world.user("ana", "t1"),
        lambda: users.delete(world.db, {"name": "ana"}),
        "DELETE FROM tenants WHERE id = 't1'",
    ):
        tenant(world.db, "t1")
        world.user("ana", "t1")
        log_in(browser)
        assert browser.get("/dashboard").status_code == 200
        if callable(end):
            end()
        else:
            world.db.execute(end.encode())
        assert browser.get("/dashboard").status_code == 303


def test_sessions_that_are_over_are_swept_up(world: World) -> None:
    """By the next login, whosever it is."""
    log_in(world.browser(), "ana")
    world.db.execute("UPDATE dashboard_sessions SET expires_at = now()")
    log_in(world.browser(), "rui")
    assert world.db.execute("SELECT name FROM dashboard_sessions").fetchall() == [("rui",)]


def test_a_login_gives_a_new_session(world: World) -> None:
    """A token that was there before is worth nothing afterwards: nobody can plant one."""
    browser = world.browser()
    first = session_cookie(log_in(browser)).split(";")[0]
    second = session_cookie(log_in(browser)).split(";")[0]
    assert first != second
    planted = world.browser()
    planted.set_cookie("golive-session", first.partition("=")[2])
    assert planted.get("/dashboard").status_code == 303


@pytest.mark.parametrize(
    ("base_url", "headers", "safe"),
    [
        ("http://localhost", {}, False),
        ("https://localhost", {}, True),
        ("http://localhost", {"X-Forwarded-Proto": "https"}, True),
    ],
)
def test_the_cookie(world: World, base_url: str, headers: dict[str, str], safe: bool) -> None:
    """No script reads it, no other site sends it; under TLS, also behind a proxy, it never travels without."""
    browser = world.browser()
    form = browser.get("/dashboard/login", base_url=base_url, headers=headers)
    name = "__Host-golive-form" if safe else "golive-form"
    token = next(line for line in form.headers.getlist("Set-Cookie") if name in line).split(";")[0].partition("=")[2]
    plain = world.app.test_client(use_cookies=False)
    given = {"stamp": stamp_of(form), "name": "ana", "password": PASSWORD}
    sent = {**headers, "Cookie": f"{name}={token}"}
    answer = plain.post("/dashboard/login", data=given, base_url=base_url, headers=sent)
    cookie = session_cookie(answer)
    assert answer.status_code == 303
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert ("Secure" in cookie, cookie.startswith("__Host-")) == (safe, safe)
    assert ("Strict-Transport-Security" in answer.headers) is safe
    assert "Domain" not in cookie


def test_every_page_forbids_what_it_does_not_need(world: World) -> None:
    """No inline script or style, no frame, no other host, no copy in a cache; and no page asks for any of it."""
    browser = world.browser()
    log_in(browser)
    for path in ("/dashboard", "/dashboard/login"):
        page = browser.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=|https?://", page.text)


def test_what_others_have_written_is_only_text(world: World) -> None:
    """A sale's id and a gateway's reason are escaped."""
    one = converted(world.db, state="dead_lettered")
    hostile = '"><script>alert(1)</script>'
    world.db.execute("UPDATE conversions SET sale_id = %s, hold_reason = %s WHERE id = %s", [hostile, hostile, one])
    browser = world.browser()
    log_in(browser)
    page = browser.get("/dashboard").text
    assert "<script>alert" not in page
    assert page.count("&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    shown = log_in(world.browser(), '"><b>', "wrong wrong wrong").text
    assert "<b>" not in shown


def test_freshness_is_shown_and_old_numbers_are_warned_of(world: World) -> None:
    """Older than five minutes, or never refreshed at all."""
    browser = world.browser()
    log_in(browser)
    assert 'id="stale" class="stale" role="alert">' in browser.get("/dashboard").text
    assert "have never been brought up to date" in browser.get("/dashboard").text
    rollup.refresh(world.db)
    assert 'role="alert" hidden>' in browser.get("/dashboard").text
    world.db.execute("UPDATE analytics_state SET refreshed_at = now() - interval '299 s'")
    assert 'role="alert" hidden>' in browser.get("/dashboard").text
    world.db.execute("UPDATE analytics_state SET refreshed_at = now() - interval '301 s'")
    page = browser.get("/dashboard").text
    assert 'id="stale" class="stale" role="alert">' in page
    assert "5 min ago" in page


def test_today_is_the_tenants(world: World) -> None:
    """At noon in São Paulo it is tomorrow in Kiritimati, and so is the last column."""
    converted(world.db, at=NOON - hours(1))
    for zone, shown in (("America/Sao_Paulo", "10 Mar: 1 waiting"), ("Pacific/Kiritimati", "11 Mar: 1 waiting")):
        tenant(world.db, "t1", zone)
        rollup.refresh(world.db)
        browser = world.browser()
        log_in(browser)
        assert f"<title>{shown}</title>" in browser.get("/dashboard").text


def test_a_slow_query_is_a_page_and_ends(world: World) -> None:
    """It says so, asks to come again, and the connection is free for others."""
    browser = world.browser(world.app_over(world.database, timeout_s=0.2))
    log_in(browser)
    with psycopg.connect(world.url) as blocker:
        blocker.execute("LOCK TABLE analytics_daily IN ACCESS EXCLUSIVE MODE")
        answers = [browser.get("/dashboard") for _ in range(6)]
    assert [one.status_code for one in answers] == [503] * 6
    assert "This takes too long" in answers[0].text
    assert answers[0].headers["Retry-After"]
    assert browser.get("/dashboard").status_code == 200


class Gone:
    """A database that is away, or worse."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def connection(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(psycopg.OperationalError("secret-host refused"), 503), (ValueError("secret-value"), 500)]
)
def test_trouble_is_a_page_without_details(world: World, error: Exception, status: int) -> None:
    """Never a trace, never what the error said."""
    browser = world.browser(world.app_over(Gone(error)))
    answer = browser.get("/dashboard")
    assert answer.status_code == status
    assert "secret" not in answer.text
    assert "<h1>" in answer.text
    assert answer.headers["Content-Security-Policy"]


def command(url: str, *arguments: str, given: str, as_process: bool = False) -> tuple[int, Any]:
    """Run one of the reference's commands, in this process unless `as_process`; exit code and answer."""
    env = {"DATABASE_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}
    run = command_line.reference_process if as_process else command_line.reference
    done = run(*arguments, given=given, env=env)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_users_are_made_and_unmade_by_command(world: World) -> None:
    """The password comes by standard input, is answered nowhere, and is kept as a slow, salted hash."""
    good = {"tenant": "t1", "name": "eva", "password": "only-said-to-stdin"}
    made = command(world.url, "user", "create", given=json.dumps(good), as_process=True)
    assert made == (0, {"name": "eva", "tenant": "t1"})
    row = world.db.execute("SELECT password_hash FROM dashboard_users WHERE name = 'eva'").fetchone() or ("",)
    assert row[0].startswith("scrypt:32768:8:3$")
    assert "only-said" not in row[0]
    assert log_in(world.browser(), "Eva ", "only-said-to-stdin").status_code == 303
    assert command(world.url, "user", "delete", given='{"name": "eva"}') == (0, {"name": "eva"})
    assert log_in(world.browser(), "eva", "only-said-to-stdin").status_code == 401
    assert command(world.url, "user", "delete", given='{"name": "eva"}', as_process=True)[0] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tenant": "nobody"}, "no tenant 'nobody'"),
        ({"name": "rui"}, "another tenant"),
        ({"name": "ana@shop.example"}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 300}, "password"),
        ({"more": 1}, "more"),
    ],
)
def test_a_user_that_cannot_be(world: World, change: dict[str, Any], told: str) -> None:
    """A sentence that names the field and never the password; nobody's user is taken over."""
    wish = {"tenant": "t1", "name": "eva", "password": "long enough to be", **change}
    with pytest.raises(NotProvisioned, match=told) as refused:
        users.create(world.db, wish)
    assert wish["password"] not in str(refused.value)
    assert world.db.execute("SELECT count(*) FROM dashboard_users").fetchone() == (2,)


def test_the_database_holds_no_token(world: World) -> None:
    """Only its hash: a stolen copy of the table opens nothing."""
    token = session_cookie(log_in(world.browser())).split(";")[0].partition("=")[2]
    assert world.db.execute("SELECT token_hash FROM dashboard_sessions").fetchall() == [
        (hashlib.sha256(token.encode()).hexdigest(),)
    ]


def test_analytics_by_command(world: World) -> None:
    """An operator can refresh and rebuild by hand."""
    converted(world.db)
    code, told = command(world.url, "analytics", given="", as_process=True)
    assert (code, told["changes"]) == (0, 1)
    converted(world.db)
    assert command(world.url, "analytics", given="")[1]["changes"] == 1
    assert command(world.url, "analytics", "--rebuild", "2026-03-01T00:00-03:00", given="")[0] == 0
    assert world.db.execute("SELECT total_events FROM analytics_metrics_daily").fetchall() == [(2,)]
