"""The report in a real browser: readable by everybody, on a phone, in the dark and on paper, without a network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from harness.readiness import rows
from harness.records import (
    Ledger,
    LoadResult,
    PrivacyResult,
    RowState,
    RunRecord,
    ScenarioResult,
    SloResult,
    TargetInfo,
    TimelineEvent,
    Verdict,
)
from reports import history
from reports.write import write_run

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
SHOTS = os.environ.get("GOLIVE_SHOTS")
"""A folder for pictures of every page, for somebody who wants to look at them."""
MOST_BYTES = 2_000_000
P95 = SloResult(
    name="webhook latency p95", target=200, unit="ms", measured=152.34, samples=2_000, ci95=(148.1, 157.9), met=True
)
KEPT = ScenarioResult(
    id="R-01",
    title="A consumer killed before the delete doubles nothing.",
    story="011.3",
    criterion="dlq",
    proves=("011.3/dlq",),
    suite="recovery",
    outcome="passed",
    duration_s=3.0,
    given="a tenant",
    when="a process dies",
    then="nothing is lost",
    evidence=("answered 202",),
    reproduce="golive run -k R-01",
    timeline=(
        TimelineEvent(t_s=1.0, kind="fault", what="the consumer is killed", until_s=3.0),
        TimelineEvent(t_s=2.0, kind="backlog", what="waiting", value=9),
        TimelineEvent(t_s=4.0, kind="fact", what="all were counted"),
    ),
)
BROKEN = replace(
    KEPT, id="G-03", suite="gateways", outcome="failed", blame="target", message="wanted 401, got " + "2" * 300
)


def record(*scenarios: ScenarioResult, **changed: Any) -> RunRecord:
    stories, checklist = rows.judge(rows.load(), scenarios, (P95,), reproduce="golive run")
    states = [*RowState]
    stories = tuple(
        replace(row, state=states[place % 7]) if place % 5 == 0 else row for place, row in enumerate(stories)
    )
    made = RunRecord(
        run_id="20260301T120000Z-1f2e",
        kind="readiness",
        seed=7,
        target=TargetInfo(name="reference", commit="1a2b3c4d5e6f"),
        clock_origin="2026-03-01T12:00:00Z",
        started_at="2026-03-01T12:00:00Z",
        duration_s=48.3,
        machine="Linux x86_64, 2 cores, Python 3.11.9",
        command="golive readiness --attestations launch.toml",
        verdict=Verdict.GO,
        exit_code=0,
        headline="GO: 190 of 191 rows of the launch plan were observed, all of them met",
        reasons=("Every promise that was tested was kept.",),
        next_steps=("Look again: `golive readiness`",),
        scenarios=scenarios,
        slo=(P95,),
        load=LoadResult(
            profile="baseline", planned_per_s=11.6, achieved_per_s=11.5, duration_s=60, requests=700, failures=0,
            scheduler_lag_p99_ms=1.8, meta_latency_median_ms=150, meta_latency_p95_ms=600,
        ),
        ledger=Ledger(deliveries=12_345, accepted=12_345, delivered=12_345),
        privacy=PrivacyResult(canaries=3, places=("a log",)),
        alarms=(
            {"name": "dlq", "fires": True, "silent": True, "once": None, "resolves": False, "minutes_to_page": 1.5},
        ),
        saboteurs={"caught": 89, "total": 90},
        stories=stories,
        checklist=checklist,
        timings={"target": 2.1, "scenarios": 31.0},
    )  # fmt: skip
    return replace(made, **changed)


RECORDS = {
    "green": record(KEPT),
    "red": record(
        BROKEN, KEPT, verdict=Verdict.NO_GO, exit_code=1, headline="NO GO: 1 promise is broken",
        ledger=Ledger(deliveries=2, accepted=2, delivered=1, lost=1),
        privacy=PrivacyResult(canaries=3, places=("a",), leaks=("a: an email",)),
        harness_errors=("the fake Meta died",), next_steps=("See G-03 fail again: `" + "golive " * 40 + "`",),
    ),
    "empty": record(
        verdict=Verdict.INCONCLUSIVE, exit_code=3, headline="INCONCLUSIVE: nothing ran", ledger=Ledger(),
        privacy=PrivacyResult(), slo=(), load=None, alarms=(), saboteurs={"caught": 0, "total": 0}, timings={},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, one in RECORDS.items():
        folder = tmp_path_factory.mktemp(name)
        before = [
            history.line(replace(one, run_id=str(place), started_at=f"2026-02-2{place}T12:00:00Z"))
            for place in range(4)
        ]
        write_run(one, folder, history=before)
        made[name] = folder / "index.html"
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.mark.parametrize("name", list(RECORDS))
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        # Axe takes five seconds a page. Every width and every colour has been seen above with every record.
        pytest.param(1280, "dark", marks=pytest.mark.nightly),
        pytest.param(390, "light", marks=pytest.mark.nightly),
    ],
)
def test_everybody_can_read_it(browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: Any) -> None:
    """Axe finds nothing, with every fold open; nothing reaches out of a phone; nothing is asked of a network."""
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.locator("fieldset input").first.check(force=True)  # all rows, whatever was picked at first
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/report-{name}-{width}-{scheme}.png", full_page=True)
    found = Axe().run(page).response["violations"]
    context.close()
    assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
    assert asked == [pages[name].as_uri()]


@pytest.mark.parametrize("name", list(RECORDS))
def test_the_answer_stands_on_the_first_screen(browser: Browser, pages: dict[str, Path], name: str) -> None:
    """Go or not, and why, and what to do next, without scrolling on a desk; go or not and why on a phone."""
    for width, height, seen in ((1280, 900, ("#verdict", "#why h2", "#next h2")), (390, 844, ("#verdict", "#why h2"))):
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.goto(pages[name].as_uri())
        for place in seen:
            box = page.locator(place).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height, place
        context.close()


def test_paper_holds_every_row_and_no_buttons(browser: Browser, pages: dict[str, Path]) -> None:
    """What a filter hides on the screen, and folds that are closed, stand on paper."""
    page = browser.new_page()
    page.goto(pages["red"].as_uri())
    page.emulate_media(media="print")
    hidden = [row for row in page.locator(".row").all() if not row.is_visible()]
    assert not hidden
    assert not page.locator("nav").is_visible()
    assert not page.locator(".filters").is_visible()
    assert len(page.pdf(format="A4")) > 10_000
    page.close()


def test_it_is_one_small_file(pages: dict[str, Path]) -> None:
    for path in pages.values():
        assert path.stat().st_size < MOST_BYTES
        assert not re.search(r"""(src|href)\s*=\s*["']?[^#"']""", path.read_text(encoding="utf-8"))
