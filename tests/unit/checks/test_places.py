"""What is left in a file, a report or an event is read from there, and what lies beside it is not."""

import os
from pathlib import Path
from typing import Any

import pytest

from harness.checks.privacy import Canary, Hunt, leaks
from harness.probes import places
from harness.tenants import Tenant
from simulators.meta.inbox import Call, Inbox
from tests.rows import each_row

HUNT = Hunt(
    [Canary(kind="email", text="Joana.q7f3k2x9@Mail.Example.com"), Canary(kind="ip_address", text="192.0.2.17")]
)
NEAR = "Joana.q7f3k2x8@Mail.Example.com"


@each_row("name", ["export.csv", "deep/down/export.csv", ".hidden"])
def test_a_file_that_the_target_leaves_is_searched(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1;joana.q7f3k2x9@mail.example.com\n", encoding="utf-8")
    assert leaks(HUNT, places.files(tmp_path, since_s=0)) == (f"file {name}: a plain email",)
    path.write_text(NEAR, encoding="utf-8")
    assert leaks(HUNT, places.files(tmp_path, since_s=0)) == ()


def test_what_was_there_before_the_run_is_not_the_targets(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("x", encoding="utf-8")
    new.write_text("x", encoding="utf-8")
    os.utime(old, (1000, 1000))
    assert list(places.files(tmp_path, since_s=2000)) == ["file new"]


@each_row("name", [".git/x", ".venv/x", "reports/out/run/report.json", "mine/x", "a/__pycache__/x"])
def test_what_is_nobodys_export_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("x", encoding="utf-8")
    assert places.files(tmp_path, since_s=0, but=tmp_path / "mine") == {}


def test_bytes_that_are_no_text_and_links_break_nothing(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"\xff\xfe\x00joana.q7f3k2x9@mail.example.com")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert leaks(HUNT, places.files(tmp_path, since_s=0)) == ("file blob: a plain email",)


@each_row("name", ["report.json", "index.html", "junit.xml", "summary.md", "found/found-1.toml"])
def test_our_own_reports_are_searched_as_logs_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("of jo***@mail.example.com from 192.0.2.17", encoding="utf-8")
    found = leaks(HUNT, places.reports(tmp_path))
    assert found == (f"our {name}: a plain ip_address", f"our {name}: a masked email")
    path.write_text(f"of {NEAR} from 192.0.2.170", encoding="utf-8")
    assert leaks(HUNT, places.reports(tmp_path)) == ()


@each_row(
    "event",
    [
        {"event_name": "Purchase", "buyer_email": "joana.q7f3k2x9@mail.example.com"},
        {"event_name": "Purchase", "custom_data": {"note": "joana.q7f3k2x9@mail.example.com"}},
        {"event_name": "Purchase", "user_data": {"joana.q7f3k2x9@mail.example.com": 1}},
        {"event_name": "Purchase", "x": [{"y": "am9hbmEucTdmM2syeDlAbWFpbC5leGFtcGxlLmNvbQ=="}]},
        "joana.q7f3k2x9@mail.example.com",
    ],
)
def test_whatever_an_event_holds_is_searched(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that Meta does not know, names of members, and what is no event at all."""
    inbox = Inbox()
    call = Call(
        seq=1, pixel="1", at_s=0, status=200, code=None, subcode=None, fault=None, token_last4=None,
        events=[event], verdicts=["counted"],
    )  # fmt: skip
    inbox.put(call)
    monkeypatch.setattr(places.MetaProbe, "calls", lambda _: [call.to_json()])
    tenant = Tenant(
        tenant="t", pixel_id="1", meta_token="EAA", meta_token_expires_at_s=None, timezone="UTC", gateways={}
    )
    found = places.told_to_meta("http://127.0.0.1:1", [tenant])
    assert leaks(HUNT, found) == ("what Meta was told: a plain email",)
