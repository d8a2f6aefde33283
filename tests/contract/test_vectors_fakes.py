"""What the fakes sign is what openssl computes: the third witness, written by neither half of a gateway.

The files of tests/vectors are the greater part; its README says how they were made, and its commands are run here.
Three more bodies are written by hand below, byte for byte; each digest was computed outside of Python with

    openssl dgst -sha256 -hmac SECRET BODY_FILE        (plan dialect; Stripe: the file begins with `t.`)
    openssl dgst -sha1   -hmac SECRET BODY_FILE        (Kiwify)
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe

from simulators.gateways import FakeGateway, gateway
from tests.rows import each_row

URL = "http://127.0.0.1:8080/hook"
NOW_S = 1_772_366_400
PLAN_BODY = (
    '{"order_id":"HT12345","customer":{"email":"João@example.com","phone":"+5511987654321"},"amount":99.90,'
    '"currency":"BRL","status":"approved","event_time":"2026-02-24T10:00:00Z","product_id":"prod-123"}'
).encode()
KIWIFY_BODY = (
    '{"order_id":"c5b2","webhook_event_type":"order_approved","Customer":{"full_name":"José / Açaí"},'
    '"Commissions":{"charge_amount":5073}}'
).encode()
STRIPE_BODY = b'{\n  "id": "evt_1",\n  "object": "event",\n  "type": "payment_intent.succeeded"\n}'


@each_row("name", ["hotmart", "kiwify", "perfectpay"])
def test_plan_signatures_are_openssls(name: str) -> None:
    """HMAC-SHA256 over the raw bytes, accents and 99.90 included, with a secret that is not ASCII."""
    sent = gateway(name).sign(PLAN_BODY, dialect="plan", secret="plan-secret-ção", url=URL, now_s=NOW_S)
    assert sent.headers["X-Signature"] == "sha256=61cf98fcce3a17eeb42592c77bdb17ff92d28b0df0e95ca6de3314fa65fa7c61"
    assert (sent.url, sent.body) == (URL, PLAN_BODY)


def test_kiwify_signatures_are_openssls() -> None:
    """HMAC-SHA1 over the raw UTF-8 bytes, in the query."""
    sent = gateway("kiwify").sign(KIWIFY_BODY, dialect="vendor", secret="kw0token9", url=URL, now_s=NOW_S)
    assert sent.url == f"{URL}?signature=b00a4e0fc76acdf49d78f091aff1d59f8e9464e8"
    assert sent.body == KIWIFY_BODY


def test_stripe_signatures_are_openssls() -> None:
    """HMAC-SHA256 over `t.body` with the whole secret, which is never decoded."""
    secret = "whsec_dGhpcyBpcyBub3QgZGVjb2RlZA=="
    sent = gateway("stripe").sign(STRIPE_BODY, dialect="vendor", secret=secret, url=URL, now_s=NOW_S)
    wanted = "t=1772366400,v1=8a0db51f712da4feaec198048689cd43c098bf277269c83779bef6f936167201"
    assert (sent.headers["Stripe-Signature"], sent.body) == (wanted, STRIPE_BODY)


VECTORS = Path(__file__).parents[1] / "vectors"
ALL = sorted(path.relative_to(VECTORS).with_suffix("").as_posix() for path in VECTORS.glob("*/*/*.json"))
# The README's one block of commands: `# case`, then the lines that compute its digests.
BLOCK = (VECTORS / "README.md").read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
COMMANDS = [
    (case.strip(), command)
    for case, *commands in (part.splitlines() for part in BLOCK.split("# ")[1:])
    for command in commands
]
FIRST_OF_PYTHON = next(command for _, command in COMMANDS if command.startswith("python"))


def vector(case: str) -> tuple[dict[str, Any], bytes]:
    said: dict[str, Any] = json.loads((VECTORS / f"{case}.json").read_text(encoding="utf-8"))
    return said, (VECTORS / f"{case}.body").read_bytes()


def speaker(case: str, said: dict[str, Any]) -> FakeGateway:
    """The fake, set up as the case needs it."""
    name = case.partition("/")[0]
    fake: Any = gateway(name)
    if case.endswith("_wrapped"):
        return replace(fake, wrapped=True)  # type: ignore[no-any-return]
    if "old_secret" in said:
        return replace(fake, old_secret=said["old_secret"])  # type: ignore[no-any-return]
    return fake  # type: ignore[no-any-return]


@each_row("case", ALL)
@each_row("url", [URL, f"{URL}?tenant=1"], ids=["bare", "query"])
def test_the_fakes_prove_themselves_as_the_vectors_do(case: str, url: str) -> None:
    """The same bytes, secret and time give the same header or query, beside which nothing else of the URL changes."""
    said, body = vector(case)
    dialect = case.split("/")[1]
    sent = speaker(case, said).sign(body, dialect=dialect, secret=said["secret"], url=url, now_s=said["at_s"])
    assert sent.body == body
    assert {name: sent.headers[name] for name in said["headers"]} == said["headers"]
    address, _, query = sent.url.partition("?")
    given = dict(parse_qsl(urlsplit(url).query))
    assert (address, dict(parse_qsl(query))) == (URL, given | said["query"])
    assert said["headers"] or said["query"] or json.loads(body)["token"] == said["secret"]


@each_row("case", [case for case in ALL if case.split("/")[1] == "plan" or case[:3] in ("kiw", "str")])
def test_the_fakes_signature_depends_on_each_byte_and_on_the_secret(case: str) -> None:
    """Another last byte, or another secret, and it is another signature."""
    said, body = vector(case)
    fake, dialect = speaker(case, said), case.split("/")[1]

    def proof(body: bytes, secret: str) -> tuple[str, dict[str, str]]:
        sent = fake.sign(body, dialect=dialect, secret=secret, url=URL, now_s=said["at_s"])
        return sent.url, {name: sent.headers[name] for name in said["headers"]}

    genuine, end = proof(body, said["secret"]), body.rindex(b"}")
    at = body.rindex(b'"', 0, end)
    assert proof(body[:at] + b"?" + body[at:], said["secret"]) != genuine
    assert proof(body, said["secret"] + "?") != genuine


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the commands want openssl")
@each_row(("case", "command"), COMMANDS, ids=[f"{case}-{command[:7]}" for case, command in COMMANDS])
def test_the_readmes_commands_still_give_what_was_written_down(case: str, command: str) -> None:
    """Word for word, in a shell: what they print is the proof in the json. Python's but one, in this process."""
    in_a_shell = not command.startswith("python") or command == FIRST_OF_PYTHON
    the_proof_is_printed(case, printed_by_a_shell(command) if in_a_shell else printed_by_python(command))


@pytest.mark.nightly  # starts a Python for each of Stripe's vectors; the test above starts one
@each_row(("case", "command"), [(case, command) for case, command in COMMANDS if command.startswith("python")])
def test_the_readmes_commands_of_python_give_the_same_in_a_shell(case: str, command: str) -> None:
    the_proof_is_printed(case, printed_by_a_shell(command))


def printed_by_a_shell(command: str) -> str:
    """What it prints, run where the README says."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-c", command], cwd=VECTORS, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def printed_by_python(command: str) -> str:
    """What `python -c "..."` prints, run in this process; a shell would change nothing in such quotes."""
    assert not set("$`\\!") & set(command)
    name, option, code = shlex.split(command)
    assert (name, option) == ("python", "-c")
    with contextlib.chdir(VECTORS), contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})  # noqa: S102 -- the README's own line
    return printed.getvalue()


def the_proof_is_printed(case: str, printed: str) -> None:
    """One digest, and it stands in the json of the case."""
    said, _ = vector(case)
    digest = re.findall(r"\b[0-9a-f]{40,64}\b", printed)
    proof = " ".join([*said["headers"].values(), *said["query"].values()])
    assert len(digest) == 1
    assert digest[0] in re.split(r"[=, ]", proof)


def test_every_computed_signature_has_its_command() -> None:
    """All but the two static tokens, for which nothing is computed; Stripe's each by openssl and by the SDK."""
    computed = {case for case in ALL if not case.startswith(("hotmart/vendor/", "perfectpay/vendor/"))}
    assert {case for case, _ in COMMANDS} == computed
    by_sdk = {case for case, command in COMMANDS if "stripe.WebhookSignature" in command}
    assert by_sdk == {case for case in ALL if case.startswith("stripe/")}


@each_row("case", [case for case in ALL if case.startswith("stripe/")])
def test_stripes_own_sdk_accepts_the_vectors(case: str) -> None:
    """The official receiver takes body and header, and not a changed body; a thin event has a receiver of its own."""
    said, body = vector(case)
    text, header = body.decode(), said["headers"]["Stripe-Signature"]
    client = stripe.StripeClient("sk_test_of_nobody")
    receive: Any = client.parse_event_notification if case.endswith("/thin") else stripe.Webhook.construct_event
    assert receive(text, header, said["secret"], tolerance=0).id == json.loads(body)["id"]
    with pytest.raises(stripe.SignatureVerificationError):
        receive(text + " ", header, said["secret"], tolerance=0)
