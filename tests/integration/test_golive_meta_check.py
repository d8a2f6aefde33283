"""`golive meta-check` against fakes in Meta's place; the real Meta is never asked.

Tables of answers run the command in this process, beside a fake that all of them share. The real command, which
starts a fake of its own, is run once for each exit code.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from harness.cli.cmd_meta_check import Account, ask, questions
from harness.probes.meta import MetaProbe
from harness.pytest_fixtures import MetaFixture
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator
from tests import command_line
from tests.rows import check_rows

TOKEN = "EAAnobodysTokenButOurs0123456789"
PIXEL = "123456789012345"
Answer = Callable[[str], tuple[int, bytes]]
NUMBERS = count(1)


def check(
    *more: str,
    url: str = "",
    token: str = TOKEN,
    pixel: str = PIXEL,
    code: str = "TEST12345",
    as_process: bool = False,
) -> tuple[int, str]:
    """Run the command, in this process unless `as_process`; exit code, and all that was printed."""
    words = ["meta-check", "--pixel-id", pixel, "--test-event-code", code, "--token-env", "SOME_TOKEN", *more]
    words += ["--meta-url", url] if url else []
    run = command_line.golive_process if as_process else command_line.golive
    done = run(*words, env={"SOME_TOKEN": token})
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
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def fake_meta(folder: Path) -> Iterator[str]:
    """A fake Meta as a process; its address."""
    nursery, fake = Nursery(lambda _: None), LocalSimulator("meta")
    try:
        fake.wait_ready(fake.start(nursery, env=dict(os.environ), log=folder / "meta.log"), within_s=30)
        yield fake.url
    finally:
        nursery.stop_all()


@pytest.fixture(scope="module")
def own_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The fake that the command compares with."""
    with fake_meta(tmp_path_factory.mktemp("own")) as url:
        yield url


@pytest.fixture(scope="module")
def real_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our fake in the place of the real Meta."""
    with fake_meta(tmp_path_factory.mktemp("real")) as url:
        yield url


@pytest.fixture
def shared_fake(own_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command compares with a fake that is up already; pixel and token are registered as in one of its own."""

    @contextmanager
    def registered(account: Account) -> Iterator[str]:
        MetaProbe(own_url, account.pixel_id).set_tokens([account.token])
        yield own_url

    monkeypatch.setattr("harness.cli.cmd_meta_check._fake", registered)


@pytest.fixture
def meta_capi(real_url: str) -> MetaFixture:
    """A pixel and a token of this test's own in that fake."""
    number = next(NUMBERS)
    return MetaFixture(real_url, str(int(PIXEL) + number), f"{TOKEN}{number:04d}")


def test_one_purchase_is_received_and_nothing_else_counts(meta_capi: MetaFixture) -> None:
    code, told = check("--json", url=meta_capi.url, token=meta_capi.token, pixel=meta_capi.pixel_id, as_process=True)
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
    code, told = check(url=meta_capi.url, token=meta_capi.token, pixel=meta_capi.pixel_id, as_process=True)
    assert code == 1
    assert "✗ the token says of itself that it is valid" in told
    assert "one invented purchase is received: " not in told, "nothing is sent with a token that is not valid"
    assert "not asked any more" in told
    assert not [call for call in meta_capi.calls if call["token_last4"] == meta_capi.token[-4:]]


def graph(*, last: object, valid: object = None) -> Answer:
    """Three right answers, or another than the second, and then that one."""
    unknown = {"error": {"message": "no", "type": "OAuthException", "code": 190, "fbtrace_id": "A"}}
    nobody = {"error": {**unknown["error"], "code": 100, "error_subcode": 2804050}}
    told = iter([(400, unknown), (200, {"data": valid or {"is_valid": True, "expires_at": 0}}), (400, nobody)])

    def answer(_path: str) -> tuple[int, bytes]:
        status, body = next(told, (200, last))
        return status, json.dumps(body).encode()

    return answer


ONE_EVENT: dict[str, object] = {"events_received": 1, "messages": [], "fbtrace_id": "A"}


@pytest.mark.usefixtures("shared_fake")
def test_only_one_event_received_is_one_event_received() -> None:
    rows: list[tuple[object, int, str]] = [
        ({"events_received": 1, "messages": [], "fbtrace_id": "A"}, 0, "has received one event"),
        ({"events_received": 0, "messages": [], "fbtrace_id": "A"}, 1, "events_received 0"),
        ({"events_received": True, "messages": [], "fbtrace_id": "A"}, 1, "events_received True"),
        ({"events_received": 1, "messages": []}, 1, "no fbtrace_id"),
        ({"events_received": 1, "messages": 5, "fbtrace_id": 5}, 0, "has received one event"),
        ({"error": 5}, 1, "no error"),
    ]

    def answered(row: tuple[object, int, str]) -> None:
        last, code, said = row
        with meta(graph(last=last)) as url:
            exit_code, told = check(url=url)
        assert exit_code == code, told
        assert said in told

    check_rows(rows, answered)


@pytest.mark.usefixtures("shared_fake")
def test_what_is_told_besides_may_be_anything() -> None:
    rows: list[dict[str, object]] = [
        {"is_valid": True, "expires_at": 10**400, "granular_scopes": 5},
        {"is_valid": True, "expires_at": -5, "granular_scopes": [5, {"target_ids": 5}]},
        {"is_valid": True, "expires_at": None, "granular_scopes": [{"target_ids": ["1"]}]},
    ]

    def answered(valid: object) -> None:
        with meta(graph(last=ONE_EVENT, valid=valid)) as url:
            code, told = check(url=url)
        assert code == 0, told
        assert ("is for other pixels: 1" in told) is ('"1"' in json.dumps(valid))

    check_rows(rows, answered)


def test_a_netrc_file_does_not_take_the_tokens_place(
    meta_capi: MetaFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login me password another-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("harness.cli.cmd_meta_check.is_loopback", lambda _host: False)  # as if it were far away
    account = Account(pixel_id=meta_capi.pixel_id, test_event_code="TEST1", token=meta_capi.token)
    answers = [ask(one, meta_capi.url, account) for one in questions(account)]
    assert answers[-1].facts == ("HTTP 200", "events_received 1")


@pytest.mark.usefixtures("shared_fake")
def test_what_is_no_answer_of_metas_says_nothing() -> None:
    rows: dict[str, tuple[Answer, str]] = {
        "html": (lambda _: (502, b"<html>Bad gateway</html>"), "HTTP 502, and no JSON object"),
        "a redirect is not followed": (lambda _: (302, b""), "HTTP 302, and no JSON object"),
        "deep": (lambda _: (200, b"[" * 90_000), "HTTP 200, and no JSON object"),
        "endless": (lambda _: (200, b'{"a": "' + b"x" * 2_000_000 + b'"}'), "HTTP 200, and no JSON object"),
    }

    def answered(name: str) -> None:
        answer, said = rows[name]
        with meta(answer) as url:
            code, told = check(url=url)
        assert code == 3, told
        assert said in told

    check_rows(rows, answered)


@pytest.mark.usefixtures("shared_fake")
def test_what_quotes_the_token_does_not_show_it() -> None:
    def quotes(_path: str) -> tuple[int, bytes]:
        told = {"error": {"message": f"Bad token {TOKEN}", "type": TOKEN, "code": 190, "fbtrace_id": TOKEN}}
        return 400, json.dumps(told).encode()

    with meta(quotes) as url:
        assert check(url=url)[0] == 1
        assert check("--json", url=url)[0] == 1


def test_nobody_there_is_no_verdict() -> None:
    code, told = check(url="http://127.0.0.1:1", as_process=True)
    assert code == 3
    assert "no answer: ConnectionError" in told


NOT_ENOUGH: list[tuple[list[str], dict[str, str], str]] = [
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
]


def test_each_word_is_needed() -> None:
    def refused(row: tuple[list[str], dict[str, str], str]) -> None:
        options, given, said = row
        code, told = check(*options, **given)
        assert code == 2
        assert said in " ".join(told.split())

    check_rows(NOT_ENOUGH, refused)


def test_a_usage_error_is_the_same_in_this_process_and_in_a_shell() -> None:
    options, given, said = NOT_ENOUGH[0]
    code, told = check(*options, **given, as_process=True)
    assert (code, told) == check(*options, **given)
    assert said in " ".join(told.split())
