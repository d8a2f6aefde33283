"""The console in a real browser: what a developer sees of a sale, and that nothing a target says becomes markup."""

import contextlib
import hashlib
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.rows import check_rows

pytestmark = pytest.mark.browser
PIXEL = "901234567890123"
HOSTILE = '<img src=x onerror="window.harmed=1">"\'</script><script>window.harmed=2</script>'

CHROMIUM = shutil.which("chromium")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"error": {"code": "bad_signature"}}' if "refuse" in self.path else b'{"status": "accepted"}'
        self.send_response(401 if "refuse" in self.path else 202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextlib.contextmanager
def simulator(*arguments: str) -> Iterator[str]:
    argv = [sys.executable, "-m", "simulators", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield json.loads(child.stdout.readline())["url"]
        finally:
            child.terminate()


class World:
    """The three fakes and a target."""

    def __init__(self, gateways: str, meta: str, console: str, target: str) -> None:
        self.gateways, self.meta, self.console, self.target = gateways, meta, console, target

    def send(self, seed: str, path: str = "/hook", **changes: Any) -> str:
        wish = {"gateway": "hotmart", "event": "approved", "dialect": "vendor", "secret": "s3cr3t", "seed": seed}
        answer = requests.post(
            f"{self.gateways}/_golive/send", json={**wish, "to": self.target + path, **changes}, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["sale_id"])

    def tell_meta(self, order_id: str, *, age_s: int = 5, **changes: Any) -> int:
        event = {
            "event_name": "Purchase",
            "event_time": int(time.time()) - age_s,
            "event_id": hashlib.sha256(order_id.encode()).hexdigest()[:16],
            "action_source": "website",
            "event_source_url": "https://shop.example/thanks?email=joana@example.com",
            "user_data": {"em": [hashlib.sha256(b"joana").hexdigest()], "client_user_agent": "UA Joana"},
            "custom_data": {"value": 97.5, "currency": "BRL", "order_id": order_id},
            **changes,
        }
        url = f"{self.meta}/v25.0/{PIXEL}/events?access_token=EAAdevelopment123"
        return requests.post(url, json={"data": [event]}, timeout=10).status_code


@contextlib.contextmanager
def started() -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateways = stack.enter_context(simulator("gateways"))
        meta = stack.enter_context(simulator("meta", "--open"))
        told = ("--gateways-url", gateways, "--meta-url", meta, "--pixel", PIXEL)
        console = stack.enter_context(simulator("console", *told))
        yield World(gateways, meta, console, f"http://127.0.0.1:{server.server_port}")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Shared: orders of other tests may be on the page too."""
    with started() as it:
        yield it


@pytest.fixture
def new_world() -> Iterator[World]:
    """A test's own: nothing is on the page but what the test has sent."""
    with started() as it:
        yield it


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert trouble == []


def order(page: Page, order_id: str) -> Any:
    return page.locator(".order").filter(has=page.get_by_role("heading", name=order_id, exact=True))


def test_an_empty_page_says_how_to_begin(new_world: World, page: Page) -> None:
    """Where the fakes are, and a command to copy; once something is sent it gives way by itself."""
    page.goto(new_world.console)
    expect(page.locator("#example")).to_contain_text(f"curl -s {new_world.gateways}/_golive/send")
    expect(page.locator("#graph")).to_have_text(f"META_GRAPH_URL={new_world.meta}")
    sale = new_world.send("empty/1")
    expect(order(page, sale)).to_be_visible()
    expect(page.locator("#empty")).to_be_hidden()


def test_a_sale_and_metas_verdict(world: World, page: Page) -> None:
    """Sent and accepted, then on its way, then counted once; told again: a duplicate; a second event id: twice."""
    sale = world.send("sale/1")
    page.goto(world.console)
    card = order(page, sale)
    expect(card).to_contain_text("→ 202 accepted")
    expect(card).to_contain_text("on its way to Meta")
    assert world.tell_meta(sale) == 200
    expect(card).to_contain_text("counted once")
    expect(card).to_contain_text("97.50 BRL")
    assert world.tell_meta(sale) == 200
    expect(card).to_contain_text("same event_name and event_id within 48 hours")
    expect(card.locator("header")).to_contain_text("counted once")
    assert world.tell_meta(sale, event_id="another") == 200
    expect(card.locator("header")).to_contain_text("counted 2 times")


def test_a_refusal_in_plain_words(world: World, page: Page) -> None:
    """Code, subcode and a sentence; the target's own refusal as well."""
    assert world.tell_meta("HP-old", age_s=9 * 86_400) == 400
    refused = world.send("refused/1", "/refuse")
    page.goto(world.console)
    expect(order(page, "HP-old")).to_contain_text("An event is too old: Meta takes seven days.")
    expect(order(page, "HP-old")).to_contain_text("HTTP 400 · code 100 / 2804003")
    expect(order(page, refused)).to_contain_text("target answered 401")
    expect(order(page, refused)).to_contain_text("→ 401 bad_signature")


def test_a_call_without_events_is_seen(world: World, page: Page) -> None:
    """A broken body on a watched pixel is in no list of arrivals, and shown all the same."""
    url = f"{world.meta}/v25.0/{PIXEL}/events?access_token=EAAdevelopment123"
    assert requests.post(url, data="{", headers={"Content-Type": "application/json"}, timeout=5).status_code == 400
    page.goto(world.console)
    expect(order(page, "Without an order id")).to_contain_text("The call itself is malformed")


def test_a_forgery_that_was_taken(world: World, page: Page) -> None:
    """A target that accepts what it should refuse is red; one that refuses it is green."""
    stripe = {"gateway": "stripe", "tamper": "one_byte"}
    taken, refused = world.send("forged/1", **stripe), world.send("forged/2", "/refuse", **stripe)
    page.goto(world.console)
    expect(order(page, taken).locator("header")).to_contain_text("target took one_byte")
    expect(order(page, taken)).to_have_class(re.compile(r"\bbad\b"))
    expect(order(page, refused).locator("header")).to_contain_text("tampering refused")
    expect(order(page, refused)).to_have_class(re.compile(r"\bgood\b"))


def test_the_filter(new_world: World, page: Page) -> None:
    """By a part of the order id; it stays in the address and holds for what comes later; Escape clears it."""
    one, two = new_world.send("filter/1"), new_world.send("filter/2")
    page.goto(new_world.console)
    expect(page.locator("#count")).to_have_text("2 orders")
    page.keyboard.press("/")
    page.keyboard.type(one[2:].lower())
    expect(order(page, one)).to_be_visible()
    expect(order(page, two)).to_be_hidden()
    expect(page.locator("#count")).to_have_text("1 of 2 orders")
    new_world.send("filter/3")
    expect(page.locator("#count")).to_have_text("1 of 3 orders")
    page.reload()
    expect(order(page, one)).to_be_visible()
    expect(order(page, two)).to_be_hidden()
    page.locator("#filter").fill("no such order")
    expect(page.locator("#nothing")).to_be_visible()
    page.locator("#filter").press("Escape")
    expect(order(page, two)).to_be_visible()


def test_only_trouble(world: World, page: Page) -> None:
    """What went well leaves the page."""
    good, bad = world.send("trouble/1"), world.send("trouble/2", "/refuse")
    assert world.tell_meta(good) == 200
    page.goto(world.console)
    expect(order(page, good)).to_contain_text("counted once")
    page.get_by_label("Only trouble").check()
    expect(order(page, bad)).to_be_visible()
    expect(order(page, good)).to_be_hidden()


@pytest.mark.parametrize("field", ["order", "event", "url", "hash"])
def test_hostile_text_stays_text(new_world: World, page: Page, field: str) -> None:
    """Markup in whatever a target sends, or was asked to be sent: shown as it is, never run."""
    hashes = {HOSTILE[:40]: [HOSTILE], "em": ["0" * 64]}
    changes: dict[str, Any] = {
        "order": {},
        "event": {"event_name": HOSTILE[:45], "event_id": HOSTILE},
        "url": {"event_source_url": f"https://shop.example/{HOSTILE}"},
        "hash": {"user_data": hashes},
    }[field]
    order_id = HOSTILE if field == "order" else "HP-hostile"
    new_world.tell_meta(order_id, **changes)
    new_world.send(HOSTILE)
    page.goto(new_world.console)
    expect(page.locator(".order")).to_have_count(2)
    page.locator("summary").first.click()
    if field == "order":
        expect(page.get_by_role("heading", name=HOSTILE, exact=True)).to_be_visible()
    assert page.evaluate("window.harmed") is None
    assert page.locator("main img, main script").count() == 0


def test_marks_that_turn_text_round_are_shown_as_marks(world: World, page: Page) -> None:
    """A right-to-left override in an order id cannot make one order look like another."""
    assert world.tell_meta("HP-1\u202e-2\u0007") == 200
    page.goto(world.console)
    expect(order(page, "HP-1�-2�")).to_be_visible()


def test_no_person_is_shown(world: World, page: Page) -> None:
    """An e-mail in the clear, in an order id, in an address: none of it on the page nor in what it fetches."""
    world.tell_meta("joana@example.com")
    world.tell_meta("HP-clear", user_data={"em": ["joana@example.com"], "client_user_agent": "UA Joana"})
    fetched: list[str] = []
    page.on("response", lambda answer: fetched.append(answer.text()) if "/api/news" in answer.url else None)
    page.goto(world.console)
    clear = order(page, "HP-clear")
    clear.locator("summary").click()
    expect(clear).to_contain_text("em: no hash")
    expect(clear).to_contain_text("it must be hashed with SHA-256")
    expect(order(page, "(e-mail hidden)")).to_be_visible()
    everything = page.content() + "".join(fetched)
    assert "joana" not in everything.lower()
    assert hashlib.sha256(b"joana").hexdigest() not in everything


def test_by_keyboard_alone(new_world: World, page: Page) -> None:
    """j goes to the newest order, t and c copy it, r sends it again; the order keeps the focus when it changes."""
    sale = new_world.send("1/trigger/0")
    newest = new_world.send("keys/2")
    page.goto(new_world.console)
    expect(page.locator("#count")).to_have_text("2 orders")
    page.keyboard.press("j")
    expect(order(page, newest)).to_be_focused()
    page.keyboard.press("j")
    expect(order(page, sale)).to_be_focused()
    page.keyboard.press("t")
    expect(page.locator("#said")).to_have_text("Copied as golive trigger.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"golive trigger hotmart approved --to {new_world.target}/hook --secret-env GOLIVE_SECRET")
    page.keyboard.press("c")
    expect(page.locator("#said")).to_have_text("Copied as curl.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "$GOLIVE_SECRET" in copied
    assert "s3cr3t" not in copied
    page.keyboard.press("r")
    expect(page.locator("#said")).to_contain_text("Sent again: the target answered 202")
    expect(order(page, sale)).to_contain_text("sent again")
    expect(page.locator(".order").first).to_contain_text(sale)  # it has moved to the top
    expect(order(page, sale)).to_be_focused()
    page.keyboard.press("j")
    expect(order(page, newest)).to_be_focused()


def test_pause_holds_the_page_still(world: World, page: Page) -> None:
    """While paused nothing comes; going on brings all of it."""
    first = world.send("pause/1")
    page.goto(world.console)
    expect(order(page, first)).to_be_visible()
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    second = world.send("pause/2")
    with pytest.raises(AssertionError):
        expect(order(page, second)).to_be_visible(timeout=2500)
    page.locator("#pause").click()
    expect(order(page, second)).to_be_visible()


def test_it_fits(new_world: World, chromium: Browser) -> None:
    """No sideways scrolling on a phone, buttons large enough for a thumb, words that stand out from their ground."""
    new_world.tell_meta("HP-" + "9" * 150, age_s=9 * 86_400)
    new_world.send("fits/1")

    def check(look: tuple[int, Any]) -> None:
        width, scheme = look
        context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        with contextlib.closing(context):
            page = context.new_page()
            page.goto(new_world.console)
            expect(page.locator(".order")).to_have_count(2)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            if width < 500:
                heights = page.locator("main button:visible").evaluate_all("all => all.map(one => one.offsetHeight)")
                assert min(heights) >= 36
            assert page.locator(".why, .tag, .soft:visible, .more").evaluate_all(CONTRAST) == []

    check_rows([(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")], check)


#: Elements whose text stands out less than 4.5 to 1 (WCAG 1.4.3) from the nearest painted ground.
CONTRAST = """all => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((one) => one / 255).map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const found = channels(getComputedStyle(node).backgroundColor); if (found.length < 4 || found[3] > 0) return found; } return [255, 255, 255]; };
  return all.filter((node) => node.textContent).map((node) => {
    const [one, two] = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
    return [node.className, node.textContent.slice(0, 30), (one + 0.05) / (two + 0.05)]; }).filter((found) => found[2] < 4.5);
}"""  # noqa: E501 -- it is not Python


def test_a_fake_that_is_gone_is_said(page: Page) -> None:
    """The page stays, and says which one does not answer."""
    with contextlib.ExitStack() as stack:
        gateways = stack.enter_context(contextlib.ExitStack())
        gateways_url = gateways.enter_context(simulator("gateways"))
        console = stack.enter_context(simulator("console", "--gateways-url", gateways_url))
        page.goto(console)
        expect(page.locator("#gateways")).to_have_class("up")
        expect(page.locator("#meta")).to_contain_text("not started")
        gateways.close()
        expect(page.locator("#gateways")).to_contain_text("does not answer")
        page.goto("about:blank")  # before the console ends: a page that goes on asking it would be trouble of its own


def test_an_address_that_the_vendor_gave_up_is_seen_and_switched_on(world: World, page: Page) -> None:
    """A run with retries against a target that refuses: attempts are numbered, and a button mends what Hotmart did."""
    page.goto(world.console)
    to = f"{world.target}/refuse"
    wish = {
        "gateway": "hotmart",
        "event": "approved",
        "dialect": "vendor",
        "secret": "s3cr3t",
        "seed": "off/1",
        "to": to,
    }
    run = requests.post(f"{world.gateways}/_golive/send", json={**wish, "count": 3, "compress": 3600}, timeout=10)
    assert run.status_code == 202
    off = page.get_by_role("list", name="Switched off by the vendor")
    expect(off).to_contain_text(re.compile(rf"hotmart has switched {re.escape(to)} off after 1\d failures in a row"))
    expect(page.locator(".order").first).to_contain_text("attempt 2")
    off.get_by_role("button", name="Switch it on again").click()
    expect(page.locator("#said")).to_have_text(f"hotmart sends to {to} again.")
    expect(off).to_be_empty()
    told = requests.get(f"{world.gateways}/_golive/configurations", timeout=10).json()["configurations"]
    assert [one["off"] for one in told] == [False]
