"""`golive trigger` against a small receiver.

Most commands run in this process. The real command is started once for each exit code, and for signals.
"""

import hashlib
import hmac
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import stripe

from tests import command_line
from tests.rows import check_rows

SECRET = "whsec_4Jq8wTz1Rb7Yc3Kd9Lm2Np6"
OLD = "whsec_0ldQx7Vn2Hs5Wf8Tb1Gj4Pd3"
WITHIN_S = 30


@dataclass(frozen=True, kw_only=True)
class Request:
    """What has arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Keeps what arrives and answers as it is told."""

    url: str = ""
    got: list[Request] = field(default_factory=list)
    answer: Callable[[Request], tuple[int, bytes]] = lambda _request: (202, b"")
    arrived: threading.Event = field(default_factory=threading.Event)

    def take(self, request: Request) -> tuple[int, bytes]:
        self.got.append(request)
        self.arrived.set()
        return self.answer(request)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens on a port of its own."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, told = found.take(Request(path=self.path, headers=dict(self.headers.items()), body=body))
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(told)))
            if status == 307:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 512

        def handle_error(self, *_: object) -> None:
            """Who hangs up on us is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WITHIN_S)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


Done = subprocess.CompletedProcess[str]


def golive(*words: str, **variables: str) -> Done:
    """Run `golive trigger` in this process; its output never holds a secret."""
    return _checked(command_line.golive("trigger", *words, env=variables))


def golive_process(*words: str, **variables: str) -> Done:
    """Run the real `golive trigger`; its output never holds a secret."""
    return _checked(command_line.golive_process("trigger", *words, env=variables, within_s=WITHIN_S))


def _checked(done: Done) -> Done:
    assert SECRET not in done.stdout + done.stderr
    assert OLD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def judged(request: Request) -> tuple[int, bytes]:
    """Stripe's own SDK decides."""
    try:
        stripe.Webhook.construct_event(request.body, request.headers.get("Stripe-Signature", ""), SECRET)
    except (stripe.SignatureVerificationError, ValueError):
        return 401, b'{"error": {"code": "bad_signature"}}'
    return 200, b"{}"


def stamp_s(request: Request) -> int:
    return int(re.findall(r"t=(\d+)", request.headers["Stripe-Signature"])[0])


# -- one and many --------------------------------------------------------------------------------------------


def test_the_official_sdk_takes_what_is_sent(receiver: Receiver) -> None:
    """Exit 0, one line with the count by status; only Stripe's own headers arrive."""
    receiver.answer = judged
    done = golive_process("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--json")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 accepted: 1 × 200" in done.stderr
    told = json.loads(done.stdout)
    assert (told["planned"], told["accepted"], told["by_status"]) == (1, 1, {"200": 1})
    assert json.loads(receiver.got[0].body)["type"] == "payment_intent.succeeded"
    assert set(receiver.got[0].headers) - {"Host", "Content-Length"} == {
        *("User-Agent", "Stripe-Signature", "Cache-Control", "Accept", "Accept-Encoding", "Content-Type"),
    }
    assert receiver.got[0].headers["User-Agent"].startswith("Stripe/1.0")


def test_many_sales_arrive_once_each() -> None:
    """Hundreds on kept connections: none lost, none doubled, and somebody watching learns how far it is."""

    def check(gateway: str) -> None:
        with receiving() as receiver:
            words = (gateway, "approved", "--to", receiver.url, "--secret", SECRET, "--count", "300", "--seed", "5")
            done = golive(*words)
        assert done.returncode == 0, done.stderr
        assert "300 of 300 accepted: 300 × 202" in done.stderr
        assert "sending: " in done.stderr
        assert len({request.body for request in receiver.got}) == len(receiver.got) == 300

    check_rows(["perfectpay", "hotmart", "kiwify", "stripe"], check)


def test_the_same_seed_and_time_give_the_same_bytes(receiver: Receiver) -> None:
    """Signature, time and all."""
    words = ("stripe", "approved,refunded", "--to", receiver.url, "--secret", SECRET, "--count", "3", "--shuffle")
    for seed in ("7", "7", "8"):
        golive(*words, "--seed", seed, "--at", "2026-03-01T12:00:00Z", "--concurrency", "1")
    first, second, other = receiver.got[:6], receiver.got[6:12], receiver.got[12:]
    assert first == second
    assert not {one.body for one in first} & {one.body for one in other}
    assert {stamp_s(one) for one in receiver.got} == {1_772_366_400}


def test_a_rate_is_kept(receiver: Receiver) -> None:
    """Thirty at twenty a second take a second and a half, however fast the receiver is."""
    done = golive(
        "kiwify", "approved", "--to", receiver.url, "--secret", SECRET, "--json", "--count", "30", "--rate", "20"
    )
    told = json.loads(done.stdout)
    assert 1.4 < told["duration_s"] < 5
    assert told["accepted"] == len(receiver.got) == 30


def test_twins_are_on_the_way_together(receiver: Receiver) -> None:
    """The receiver answers neither before it has both: byte for byte the same."""
    both = threading.Barrier(2)

    def when_both_are_here(_request: Request) -> tuple[int, bytes]:
        both.wait(WITHIN_S / 2)
        return 202, b""

    receiver.answer = when_both_are_here
    done = golive("hotmart", "approved", "--to", receiver.url, "--secret", SECRET, "--twin", "2", "--count", "3")
    assert done.returncode == 0, done.stderr
    assert len(receiver.got) == 6
    assert len({one.body for one in receiver.got}) == 3


# -- one's own body ------------------------------------------------------------------------------------------


def test_my_own_body_arrives_byte_for_byte_and_signed(receiver: Receiver, tmp_path: Path) -> None:
    """Whatever the bytes are: no JSON, no UTF-8, line ends of both kinds."""
    mine = tmp_path / "mine.json"
    mine.write_bytes(b'\xef\xbb\xbf{ "a" : 1,\r\n"a":2 }\n' + bytes(range(256)))
    done = golive("stripe", "--body-file", str(mine), "--to", receiver.url, "--secret", SECRET)
    assert done.returncode == 0, done.stderr
    got = receiver.got[0]
    assert got.body == mine.read_bytes()
    signed = b"%d." % stamp_s(got) + mine.read_bytes()
    assert f"v1={hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()}" in got.headers["Stripe-Signature"]


def test_a_value_can_be_set_before_the_body_is_signed(receiver: Receiver) -> None:
    """JSON where it is JSON, else text; the address keeps its own query (Kiwify signs in the query)."""
    done = golive(
        *("kiwify", "approved", "--to", f"{receiver.url}?a=%2F%20x", "--secret", SECRET),
        *("--set", "Commissions.charge_amount=1990", "--set", "Customer.city=Olinda"),
    )
    assert done.returncode == 0, done.stderr
    got = receiver.got[0]
    order = json.loads(got.body)
    assert (order["Commissions"]["charge_amount"], order["Customer"]["city"]) == (1990, "Olinda")
    signature = hmac.new(SECRET.encode(), got.body, hashlib.sha1).hexdigest()
    assert got.path == f"/webhooks?a=%2F%20x&signature={signature}"


# -- what must be refused ------------------------------------------------------------------------------------


def test_tampering_is_refused_by_the_official_sdk() -> None:
    """Exit 1: not accepted, as it should be; the summary says by what word."""

    def check(row: tuple[str, Callable[..., Done]]) -> None:
        kind, run = row
        with receiving() as receiver:
            receiver.answer = judged
            done = run("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--tamper", kind, "--json")
        assert done.returncode == 1, done.stderr
        summary = json.loads(done.stdout)
        assert (summary["expected"], summary["by_status"]) == ("refused", {"401": 1})
        assert summary["words"] == {"401 bad_signature": 1}
        assert "A right receiver: refused." in done.stderr
        assert "right: each was refused, as it must be" in done.stderr

    kinds = ("wrong_secret", "stale_timestamp", "missing_signature", "compressed")
    check_rows([("one_byte", golive_process), *((kind, golive) for kind in kinds)], check)


def test_what_takes_a_tampered_webhook_or_crashes_on_it_is_not_called_right() -> None:
    """Only an answer of 4xx is a refusal."""

    def check(row: tuple[int, str]) -> None:
        status, said = row
        with receiving() as receiver:
            receiver.answer = lambda _request: (status, b"")
            done = golive("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--tamper", "one_byte")
        assert said in done.stderr
        assert "right: each" not in done.stderr
        assert len(receiver.got) == 1

    check_rows([(202, "wrong: 1 accepted that a right receiver refuses"), (500, "")], check)


def test_a_receiver_that_quotes_the_secret_is_not_quoted(receiver: Receiver) -> None:
    """What it says is shown only when it is a plain word without the secret."""
    receiver.answer = lambda _request: (400, json.dumps({"error": SECRET}).encode())
    done = golive("stripe", "approved", "--to", receiver.url, "--secret-env", "MINE", MINE=SECRET)
    assert done.returncode == 1
    assert "1 × 400" in done.stderr


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """Every vendor counts it as a failure."""
    receiver.answer = lambda _request: (307, b"")
    done = golive("kiwify", "approved", "--to", receiver.url, "--secret", SECRET)
    assert (done.returncode, len(receiver.got)) == (1, 1)


def test_nobody_listening_is_an_answer_too() -> None:
    """Exit 1 and a word for it."""
    done = golive("stripe", "approved", "--to", "http://127.0.0.1:1/x", "--secret", SECRET)
    assert done.returncode == 1
    assert "0 of 1 accepted: 1 × refused" in done.stderr
    assert "refused is the connection: nobody listens on 127.0.0.1, port 1" in done.stderr


# -- while a secret is rolled ---------------------------------------------------------------------------------


def signed_by(secret: str, request: Request) -> bool:
    """Whether Stripe's own SDK takes it with that secret alone."""
    try:
        stripe.WebhookSignature.verify_header(request.body, request.headers["Stripe-Signature"], secret, tolerance=300)
    except stripe.SignatureVerificationError:
        return False
    return True


def kiwify_signer(request: Request) -> str:
    """`new` or `old`, by the documented HMAC-SHA1 in the query."""
    given = request.path.rpartition("signature=")[2]
    macs = {name: hmac.new(one.encode(), request.body, hashlib.sha1).hexdigest() for name, one in BOTH.items()}
    return next(name for name, mac in macs.items() if mac == given)


BOTH = {"new": SECRET, "old": OLD}
ROLLED = ("--secret-env", "NEW", "--old-secret-env", "OLD")


def test_stripe_signs_with_both_secrets(receiver: Receiver) -> None:
    """Stripe's SDK takes each delivery with the new secret alone and with the old one alone."""
    done = golive("stripe", "approved", "--to", receiver.url, *ROLLED, "--json", NEW=SECRET, OLD=OLD)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rotation"] == "both"
    assert "each is signed with both" in done.stderr
    (got,) = receiver.got
    assert got.headers["Stripe-Signature"].count("v1=") == 2
    assert [signed_by(one, got) for one in (SECRET, OLD, "whsec_another")] == [True, True, False]


def test_a_receiver_that_knows_one_secret_loses_half(receiver: Receiver) -> None:
    """Kiwify signs once: the secrets take turns, a retry keeps its own, and the receiver is caught."""
    receiver.answer = lambda request: (202, b"") if kiwify_signer(request) == "new" else (401, b"")
    words = ("kiwify", "approved", "--to", receiver.url, *ROLLED, "--count", "6", "--concurrency", "1", "--json")
    done = golive(*words, "--compress", "1000000", NEW=SECRET, OLD=OLD)
    told = json.loads(done.stdout)
    assert (done.returncode, told["accepted"], told["not_accepted"], told["rotation"]) == (1, 3, 3, "alternate")
    assert [kiwify_signer(one) for one in receiver.got].count("new") == 3
    assert len([one for one in receiver.got if kiwify_signer(one) == "old"]) == 3 * 5
    bodies = {one.body: kiwify_signer(one) for one in receiver.got}
    assert sorted(bodies.values()) == ["new"] * 3 + ["old"] * 3


def test_a_receiver_that_knows_both_loses_nothing(receiver: Receiver, tmp_path: Path) -> None:
    """From a file as well; the command that is given for repetition holds neither."""
    (tmp_path / "old").write_text(OLD + "\n", encoding="utf-8")
    words = ("kiwify", "approved", "--dialect", "plan", "--to", receiver.url, "--secret", SECRET, "--count", "4")
    done = golive(*words, "--old-secret-file", str(tmp_path / "old"))
    assert done.returncode == 0, done.stderr
    macs = [
        {f"sha256={hmac.new(one.encode(), got.body, hashlib.sha256).hexdigest()}": name for name, one in BOTH.items()}
        for got in receiver.got
    ]
    signers = [mac[got.headers["X-Signature"]] for mac, got in zip(macs, receiver.got, strict=True)]
    assert sorted(signers) == ["new", "new", "old", "old"]
    done = golive(*words, "--old-secret", OLD)
    assert "--old-secret '…'" in done.stderr


def test_printed_curl_commands_hide_both_secrets() -> None:
    """Signed with both; what stands there are signatures."""
    done = golive("stripe", "approved", "--to", "http://127.0.0.1:1/", *ROLLED, "--print-curl", NEW=SECRET, OLD=OLD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("v1=") == 2


def test_another_tenants_token_is_masked() -> None:
    """It stands in the request, and not in what is printed."""

    def check(gateway: str) -> None:
        words = (gateway, "approved", "--to", "http://127.0.0.1:1/", "--secret", SECRET, "--tamper")
        done = golive(*words, "another_tenants_secret", "--other-tenant-secret", OLD, "--print-curl")
        assert done.returncode == 0, done.stderr
        assert "***" in done.stdout
        sent = golive(*words, "another_tenants_secret", "--other-tenant-secret-env", "O", O=OLD)
        assert "Signed rightly" in sent.stderr

    check_rows(["hotmart", "perfectpay"], check)


def test_another_tenants_secret_is_refused_by_the_official_sdk(receiver: Receiver) -> None:
    """By name, with the secret that is given."""
    receiver.answer = judged
    words = ("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--tamper", "another_tenants_secret")
    done = golive(*words, "--other-tenant-secret-env", "THEIRS", "--json", THEIRS=OLD)
    assert (done.returncode, json.loads(done.stdout)["by_status"]) == (1, {"401": 1})
    assert signed_by(OLD, receiver.got[0])


def test_a_switch_is_thrown_by_name(receiver: Receiver) -> None:
    """Kiwify's wrapped body: the signature is inside, over the order alone."""
    done = golive(
        *("kiwify", "approved", "--to", receiver.url, "--secret", SECRET, "--switch", "wrapped=true"),
        *("--switch", "user_agent=mine/1"),
    )
    assert done.returncode == 0, done.stderr
    (got,) = receiver.got
    assert set(json.loads(got.body)) == {"url", "signature", "order"}
    assert got.headers["User-Agent"] == "mine/1"


def test_chunks_arrive_as_the_same_bytes() -> None:
    """Without a length, in pieces; the official SDK takes what they make."""
    arrived: list[tuple[bytes, bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                head = b"".join(iter(stream.readline, b"\r\n"))
                body = b""
                while size := int(stream.readline(), 16):
                    body += stream.read(size)
                    stream.readline()
                arrived.append((head, body))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        to = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        done = golive("stripe", "approved", "--to", to, "--secret", SECRET, "--tamper", "chunked")
        thread.join(WITHIN_S)
    assert done.returncode == 0, done.stderr
    ((head, body),) = arrived
    assert b"Transfer-Encoding: chunked" in head
    assert head.lower().count(b"transfer-encoding") == 1
    assert b"content-length" not in head.lower()
    (signature,) = re.findall(rb"Stripe-Signature: (.*)\r\n", head)
    stripe.WebhookSignature.verify_header(body, signature.decode(), SECRET, tolerance=300)


# -- retries -------------------------------------------------------------------------------------------------


def test_the_official_sdk_takes_every_attempt_of_a_retried_delivery(receiver: Receiver) -> None:
    """Verified, then failed on purpose: the next attempt is signed anew, at its own time, around the same body."""
    verdicts: list[int] = []

    def busy_twice(request: Request) -> tuple[int, bytes]:
        verdicts.append(judged(request)[0])
        return (500, b"") if len(verdicts) < 3 else (200, b"")

    receiver.answer = busy_twice
    done = golive("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--compress", "250", "--json")
    assert done.returncode == 0, done.stderr
    assert verdicts == [200, 200, 200]
    assert len({stamp_s(one) for one in receiver.got}) == 3
    assert len({one.body for one in receiver.got}) == 1
    told = json.loads(done.stdout)
    assert (told["attempts"], told["retries"], told["by_status"]) == (3, 2, {"200": 1, "500": 2})


def test_three_days_of_stripe_pass_in_a_second(receiver: Receiver) -> None:
    """Where time stands, an attempt says the very second at which Stripe would have made it."""
    began_s = int(time.time())
    verdicts: list[int] = []

    def always_busy(request: Request) -> tuple[int, bytes]:
        verdicts.append(judged(request)[0])
        return 503, b""

    receiver.answer = always_busy
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began_s))
    done = golive("stripe", "approved", "--to", receiver.url, "--secret", SECRET, "--at", at, "--compress", "259200")
    assert done.returncode == 1
    assert "0 of 1 accepted: 11 × 503" in done.stderr
    assert verdicts == [200] * 11
    assert [stamp_s(one) - began_s for one in receiver.got][:4] == [0, 300, 900, 2100]
    assert stamp_s(receiver.got[-1]) - began_s == 3 * 86_400


def test_hotmart_switches_a_failing_configuration_off(receiver: Receiver) -> None:
    """After ten failures in a row nothing is sent any more, though the receiver would be well again."""
    receiver.answer = lambda _request: (500, b"") if len(receiver.got) <= 10 else (200, b"")
    done = golive(
        *("hotmart", "approved", "--to", receiver.url, "--secret", SECRET, "--json"),
        *("--retries", "--count", "30", "--concurrency", "1"),
    )
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["switched_off"]
    # On a slow machine some of the ten are second attempts already.
    assert (told["attempts"], told["not_sent"] - told["retries"], told["accepted"]) == (10, 20, 0)
    never = f"switched the configuration off after 10 failures in a row; {told['not_sent']} never sent"
    assert never in done.stderr


def test_identical_bytes_come_again_from_who_signs_no_time(receiver: Receiver) -> None:
    """Kiwify's second attempt is the first one: same body, same signature."""
    receiver.answer = lambda _request: (500, b"") if len(receiver.got) == 1 else (200, b"")
    done = golive("kiwify", "approved", "--to", receiver.url, "--secret", SECRET, "--compress", "1000")
    assert done.returncode == 0, done.stderr
    assert len(receiver.got) == 2
    assert receiver.got[0] == receiver.got[1]


# -- curl ----------------------------------------------------------------------------------------------------


def curl_words(command: str, **variables: str) -> list[str]:
    """What a shell would hand to curl."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    shell = shutil.which("sh") or "sh"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, env=variables)
    return done.stdout.split("\0")[:-1]


def test_a_printed_curl_command_is_the_request_and_hides_the_token() -> None:
    """Nothing is sent; a shell that has the variable makes the very same request of it."""

    def check(gateway: str) -> None:
        with receiving() as receiver:
            where = ("--to", f"{receiver.url}/it's", "--seed", "3", "--at", "2026-03-01T12:00:00Z")
            words = (gateway, "approved", *where, "--secret-env", "TOKEN")
            printed = golive(*words, "--print-curl", TOKEN=SECRET)
            assert printed.returncode == 0, printed.stderr
            assert receiver.got == []
            golive(*words, TOKEN=SECRET)
            sent = receiver.got[0]
        assert "nothing was sent; the same again with --seed" in printed.stderr
        shell = curl_words(printed.stdout, TOKEN=SECRET)
        assert shell[shell.index("--data-raw") + 1].encode() == sent.body
        assert shell[4].endswith(sent.path)
        headers = dict(
            word.split(": ", 1)
            for word, before in zip(shell[1:], shell, strict=False)
            if before == "-H" and ": " in word
        )
        assert headers == {
            name: value for name, value in sent.headers.items() if name not in ("Host", "Content-Length")
        }

    check_rows(["perfectpay", "hotmart", "kiwify", "stripe"], check)


def test_a_spoiled_token_is_masked_as_well() -> None:
    """Most of a token is nearly the token."""

    def check(row: tuple[str, str]) -> None:
        gateway, kind = row
        done = golive(
            *(gateway, "approved", "--to", "http://127.0.0.1:1/", "--secret", SECRET, "--print-curl", "--tamper", kind)
        )
        assert done.returncode == 0, done.stderr
        assert "***" in done.stdout
        assert SECRET[:8].lower() not in done.stdout.lower()

    kinds = ("truncated_signature", "uppercase_signature", "prefix_only")
    check_rows([(gateway, kind) for gateway in ("perfectpay", "hotmart") for kind in kinds], check)


def test_a_token_in_ones_own_body_is_masked_though_it_is_another(tmp_path: Path) -> None:
    """PerfectPay's token is part of the user's bytes."""
    mine = tmp_path / "mine.json"
    mine.write_text('{"token": "0123456789abcdef", "code": "PPC1"}')
    words = ("perfectpay", "--to", "http://127.0.0.1:1/", "--secret", SECRET, "--body-file", str(mine), "--print-curl")
    done = golive(*words)
    assert "0123456789abcdef" not in done.stdout
    assert '"code": "PPC1"' in done.stdout


# -- usage ---------------------------------------------------------------------------------------------------

HERE = ("--to", "http://127.0.0.1:1/x")
MINE = ("--secret", SECRET)


CANNOT_BE_DONE = [
    (
        ("strpe", "approved", *HERE, *MINE),
        "Did you mean 'stripe'? Known: eduzz, hotmart, kiwify, perfectpay, stripe",
    ),
    (("stripe", "aproved", *HERE, *MINE), "Did you mean 'approved'? Known: abandoned, approved"),
    (("stripe", *HERE, *MINE), "Say which event of stripe: abandoned, approved"),
    (("stripe", "approved", *HERE, *MINE, "--dialect", "vendr"), "Did you mean 'vendor'?"),
    (
        ("stripe", "approved", *HERE, *MINE, "--tamper", "one_bite"),
        "Did you mean 'one_byte'? Known: another_tenants_secret",
    ),
    (("stripe", "approved", *HERE, *MINE, "--tamper", "forged_wrapper"), "Only Kiwify"),
    (("stripe", "approved", *MINE), "--to http://"),
    (("stripe", "approved", "--to", "localhost:80", *MINE), "begins with http://"),
    (("stripe", "approved", "--to", "http://example.com/", *MINE), "--allow-host example.com"),
    (("stripe", "approved", "--to", "http://me@127.0.0.1/", *MINE), "--allow-host"),
    (("stripe", "approved", *HERE), "Give the secret once"),
    (("stripe", "approved", *HERE, *MINE, "--secret-env", "PATH"), "Give the secret once"),
    (("stripe", "approved", *HERE, "--secret-env", SECRET), "no environment variable that is set"),
    (("stripe", "approved", *HERE, "--secret-file", "/nowhere"), "cannot be read: No such file"),
    (("stripe", "approved", *HERE, "--secret", ""), "The secret is empty"),
    (("stripe", "approved", *HERE, *MINE, "--set", "id"), "has no value"),
    (("stripe", "approved", *HERE, *MINE, "--set", "no.where=1"), "Nothing at 'no'"),
    (("stripe", *HERE, *MINE, "--body-file", "/nowhere"), "cannot be read"),
    (("stripe", "approved", *HERE, *MINE, "--at", "noon"), "is not a time"),
    (("stripe", "approved", *HERE, *MINE, "--old-secret", SECRET), "The old secret is the new one"),
    (("stripe", "approved", *HERE, *MINE, "--old-secret", ""), "The old-secret is empty"),
    (("stripe", "approved", *HERE, *MINE, "--old-secret", OLD, "--old-secret-env", "PATH"), "old-secret once"),
    (("stripe", "approved", *HERE, *MINE, "--old-secret-env", OLD), "no environment variable that is set"),
    (("kiwify", "approved", *HERE, *MINE, "--old-secret", OLD), "add --count 2"),
    (("hotmart", "approved", *HERE, *MINE, "--old-secret", OLD, "--count", "2"), "one static token"),
    (("perfectpay", "approved", *HERE, *MINE, "--old-secret", OLD, "--count", "2"), "one static token"),
    (("stripe", "approved", *HERE, *MINE, "--old-secret", OLD, "--tamper", "one_byte"), "not both"),
    (("stripe", "approved", *HERE, *MINE, "--tamper", "another_tenants_secret"), "No other tenant's secret"),
    (("kiwify", "approved", *HERE, *MINE, "--switch", "wraped=true"), "Did you mean 'wrapped'?"),
    (("kiwify", "approved", *HERE, *MINE, "--switch", "wrapped=1"), "kiwify wrapped is true or false"),
    (("kiwify", "approved", *HERE, *MINE, "--switch", "wrapped"), "like --switch wrapped=true"),
    (("stripe", "approved", *HERE, *MINE, "--switch", f"old_secret={OLD}"), "an option of its own"),
    (("stripe", "approved", *HERE, *MINE, "--rate", "0"), "above 0"),
    (("stripe", "approved", *HERE, *MINE, "--burst", "3"), "needs a rate"),
    (("stripe", "approved", *HERE, *MINE, "--compress", "0"), "a factor above 0"),
    (("stripe", "approved", *HERE, *MINE, "--print-curl", "--tamper", "huge"), "no command line"),
    (("stripe", "approved", *HERE, *MINE, "--print-curl", "--tamper", "not_utf8"), "not UTF-8"),
]


def test_what_cannot_be_done_is_said() -> None:
    """Exit 2, a sentence with the nearest guess and all that there is; no secret, no stack trace."""

    def check(row: tuple[tuple[str, ...], str]) -> None:
        words, said = row
        refused(golive(*words), said)

    check_rows(CANNOT_BE_DONE, check)


def test_a_usage_error_is_the_same_in_this_process_and_in_a_shell() -> None:
    """Exit code 2 and the same line: otherwise the table above would prove nothing of the real command."""
    words, said = CANNOT_BE_DONE[0]
    real, here = golive_process(*words), golive(*words)
    refused(real, said)
    assert (real.returncode, real.stdout, real.stderr) == (here.returncode, here.stdout, here.stderr)


def refused(done: Done, said: str) -> None:
    """Check that the command has refused, in one line that holds these words."""
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_alone_it_shows_examples() -> None:
    """To read, to copy, to change."""
    wanted = "golive trigger stripe approved --to http://127.0.0.1:8080/webhooks/stripe --secret-env STRIPE_SECRET"

    def check(words: tuple[str, ...]) -> None:
        done = golive(*words, COLUMNS="200")
        assert wanted in done.stdout + done.stderr
        assert done.returncode == (0 if words else 2)

    check_rows([(), ("--help",)], check)


# -- the end -------------------------------------------------------------------------------------------------


@contextmanager
def hanging(receiver: Receiver) -> Iterator[None]:
    """A receiver that answers nobody, until the test is over."""
    over = threading.Event()
    receiver.answer = lambda _request: (202, b"") if over.wait(WITHIN_S) else (500, b"")
    try:
        yield
    finally:
        over.set()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(sign: signal.Signals, receiver: Receiver) -> None:
    """Ended at once though nobody answers: exit 130, what was done so far is said, no process and no socket is left."""
    with hanging(receiver):
        words = [
            command_line.GOLIVE,
            "trigger",
            "stripe",
            "approved",
            "--to",
            receiver.url,
            "--secret",
            SECRET,
            "--count",
            "200",
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            assert receiver.arrived.wait(WITHIN_S)
            assert psutil.Process(running.pid).children(recursive=True) == []
            running.send_signal(sign)
            _out, said = running.communicate(timeout=5)
        assert running.returncode == 130, said
        assert "0 of 200 accepted" in said
        assert "200 not finished" in said
        assert "stopped; everything that was started has been ended" in said
        assert "Traceback" not in said
        assert SECRET not in said
