"""`golive meta-check`, against fakes in Meta's place: the real one is asked by nobody here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.cli.cmd_meta_check import Account, ask, questions
from harness.pytest_fixtures import MetaFixture
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator

GOLIVE = str(Path(sys.executable).parent / "golive")
TOKEN = "EAAnobodysTokenButOurs0123456789"
PIXEL = "123456789012345"
Answer = Callable[[str], tuple[int, bytes]]


def check(
    *more: str, url: str = "", token: str = TOKEN, pixel: str = PIXEL, code: str = "TEST12345"
) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    words = ["--pixel-id", pixel, "--test-event-code", code, "--token-env", "SOME_TOKEN", *more]
    done = subprocess.run(
        [GOLIVE, "meta-check", *words, *(["--meta-url", url] if url else [])],
        env={**os.environ, "SOME_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = done.stdout + done.stderr
    assert not token or token not in told, "a token was shown"
    assert "Traceback" not in told
    return done.returncode, told


@contextmanager
def meta(answer: Answer) -> Iterator[str]:
    """Somebody in Meta's place who answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def meta_capi(tmp_path: Path) -> Iterator[MetaFixture]:
    """Our own fake, with one pixel and one token."""
    nursery = Nursery(lambda _: None)
    try:
        fake = LocalSimulator("meta")
        fake.wait_ready(fake.start(nursery, env=dict(os.environ), log=tmp_path / "meta.log"), within_s=30)
        yield MetaFixture(fake.url, PIXEL, TOKEN)
    finally:
        nursery.stop_all()


def test_one_purchase_is_received_and_nothing_else_counts(meta_capi: MetaFixture) -> None:
    code, told = check("--json", url=meta_capi.url, token=meta_capi.token, pixel=meta_capi.pixel_id)
    assert code == 0, told
    report, _ = json.JSONDecoder().raw_decode(told)
    assert [one["same"] for one in report["calls"]] == [True] * 4
    assert [one["meta"]["facts"][-1] for one in report["calls"]][1::2] == ["valid", "events_received 1"]
    (counted,) = [one for one in meta_capi.events if one["verdict"] == "counted"]
    assert (counted["event_name"], counted["custom_data"]["value"]) == ("Purchase", 0.01)
    assert {call["test_event_code"] for call in meta_capi.calls if call["events"]} == {"TEST12345"}
    assert "@" not in json.dumps(meta_capi.calls), "an invented person is sent hashed too"


def test_a_dead_token_is_told_beside_what_the_fake_says(meta_capi: MetaFixture) -> None:
    meta_capi.expire_token()
    code, told = check(url=meta_capi.url, token=meta_capi.token, pixel=meta_capi.pixel_id)
    assert code == 1
    assert "✗ the token says of itself that it is valid" in told
    assert "one invented purchase is received: " not in told, "nothing is sent with a token that is not valid"
    assert "not asked any more" in told
    assert not [call for call in meta_capi.calls if call["token_last4"] == TOKEN[-4:]]


def graph(*, last: object, valid: object = None) -> Answer:
    """Three right answers, or another than the second, and then that one."""
    unknown = {"error": {"message": "no", "type": "OAuthException", "code": 190, "fbtrace_id": "A"}}
    nobody = {"error": {**unknown["error"], "code": 100, "error_subcode": 2804050}}
    told = iter([(400, unknown), (200, {"data": valid or {"is_valid": True, "expires_at": 0}}), (400, nobody)])

    def answer(_path: str) -> tuple[int, bytes]:
        status, body = next(told, (200, last))
        return status, json.dumps(body).encode()

    return answer


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ({"events_received": 1, "messages": [], "fbtrace_id": "A"}, 0, "has received one event"),
        ({"events_received": 0, "messages": [], "fbtrace_id": "A"}, 1, "events_received 0"),
        ({"events_received": True, "messages": [], "fbtrace_id": "A"}, 1, "events_received True"),
        ({"events_received": 1, "messages": []}, 1, "no fbtrace_id"),
        ({"events_received": 1, "messages": 5, "fbtrace_id": 5}, 0, "has received one event"),
        ({"error": 5}, 1, "no error"),
    ],
)
def test_only_one_event_received_is_one_event_received(last: object, code: int, said: str) -> None:
    with meta(graph(last=last)) as url:
        found, told = check(url=url)
    assert found == code, told
    assert said in told


@pytest.mark.parametrize(
    "valid",
    [
        {"is_valid": True, "expires_at": 10**400, "granular_scopes": 5},
        {"is_valid": True, "expires_at": -5, "granular_scopes": [5, {"target_ids": 5}]},
        {"is_valid": True, "expires_at": None, "granular_scopes": [{"target_ids": ["1"]}]},
    ],
)
def test_what_is_told_besides_may_be_anything(valid: object) -> None:
    with meta(graph(last={"events_received": 1, "messages": [], "fbtrace_id": "A"}, valid=valid)) as url:
        code, told = check(url=url)
    assert code == 0, told
    assert ("is for other pixels: 1" in told) is ('"1"' in json.dumps(valid))


def test_a_netrc_file_does_not_take_the_tokens_place(
    meta_capi: MetaFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login me password another-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("harness.cli.cmd_meta_check.is_loopback", lambda _host: False)  # as if it were far away
    account = Account(pixel_id=PIXEL, test_event_code="TEST1", token=TOKEN)
    answers = [ask(one, meta_capi.url, account) for one in questions(account)]
    assert answers[-1].facts == ("HTTP 200", "events_received 1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: (502, b"<html>Bad gateway</html>"), "HTTP 502, and no JSON object"),
        (lambda _: (302, b""), "HTTP 302, and no JSON object"),
        (lambda _: (200, b"[" * 90_000), "HTTP 200, and no JSON object"),
        (lambda _: (200, b'{"a": "' + b"x" * 2_000_000 + b'"}'), "HTTP 200, and no JSON object"),
    ],
    ids=["html", "a redirect is not followed", "deep", "endless"],
)
def test_what_is_no_answer_of_metas_says_nothing(answer: Answer, said: str) -> None:
    with meta(answer) as url:
        code, told = check(url=url)
    assert code == 3, told
    assert said in told


def test_what_quotes_the_token_does_not_show_it() -> None:
    def quotes(_path: str) -> tuple[int, bytes]:
        told = {"error": {"message": f"Bad token {TOKEN}", "type": TOKEN, "code": 190, "fbtrace_id": TOKEN}}
        return 400, json.dumps(told).encode()

    with meta(quotes) as url:
        assert check(url=url)[0] == 1
        assert check("--json", url=url)[0] == 1


def test_nobody_there_is_no_verdict() -> None:
    code, told = check(url="http://127.0.0.1:1")
    assert code == 3
    assert "no answer: ConnectionError" in told


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ([], {}, "only with --allow-host graph.facebook.com"),
        (["--allow-host", "graph.facebok.com"], {}, "only with --allow-host graph.facebook.com"),
        (["--allow-host", "example.com"], {"url": "http://example.com"}, "by https only"),
        ([], {"url": "http://127.0.0.1:1/?a=b"}, "without a query"),
        ([], {"url": "graph.facebook.com"}, "begins with http"),
        ([], {"code": "TEST"}, "like TEST12345"),
        ([], {"code": ""}, "like TEST12345"),
        ([], {"pixel": "12/../34567"}, "digits only"),
        ([], {"token": ""}, "names no environment variable that is set"),
        ([], {"token": "EAA with a space, and long enough"}, "is no token"),
        (["--version", "26"], {}, "serves v21.0"),
        (["--version", "v27.0"], {}, "serves v21.0"),
        ([], {"code": "TEST١٢"}, "like TEST12345"),
        ([], {"url": "http://[::1"}, "--meta-url"),
        (["--allow-host", "h"], {"url": "https://h:99999"}, "Port out of range"),
    ],
)
def test_each_word_is_needed(options: list[str], given: dict[str, str], said: str) -> None:
    code, told = check(*options, **given)
    assert code == 2
    assert said in " ".join(told.split())
