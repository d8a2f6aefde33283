"""`golive meta-check`: four calls to the real Meta, beside the same four to our fake. Only for who names each word."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import requests
import typer
from requests.auth import AuthBase
from rich.table import Table

from harness.cli import common, terminal
from harness.errors import HarnessError, UsageError
from harness.probes.meta import MetaProbe
from harness.stack.processes import Nursery
from harness.stack.simulators import LocalSimulator
from simulators.loopback import NotLoopback, check_address, is_loopback
from simulators.meta.versions import LATEST, OLDEST
from simulators.people import order

EXAMPLES = """
[bold]Example[/]

  export META_TOKEN=…                  from Events Manager, of a pixel that no campaign uses
  golive meta-check --pixel-id 123456789012345 --test-event-code TEST12345 --token-env META_TOKEN \\
                    --allow-host graph.facebook.com

[bold]What is sent[/]  One invented purchase of 0.01 BRL, one event that must be refused, a question about the token,
and a call with a token that nobody has. A test event code shows an event in Events Manager; [bold]it does not keep it
out of measurement and targeting[/]. So use a pixel of its own, never a customer's.
"""

META_URL = "https://graph.facebook.com"
VERSION = f"v{LATEST}.0"
#: One call; Meta's own clients wait a minute, nobody who looks on does.
ANSWER_S = 20
READY_S = 20
#: An answer of Meta's is a few hundred bytes.
MAX_BYTES = 100_000
_CODE = re.compile(r"TEST[0-9]{1,12}").fullmatch
_PIXEL = re.compile(r"[0-9]{5,20}").fullmatch
_TOKEN = re.compile(r"[!-~]{20,1000}").fullmatch


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("meta-check", epilog=EXAMPLES, no_args_is_help=True)(meta_check)


def meta_check(
    pixel_id: Annotated[str, typer.Option(help="A pixel of its own, that no campaign uses.")],
    test_event_code: Annotated[str, typer.Option(help="TEST12345, from Events Manager, Test Events.")],
    token_env: Annotated[str, typer.Option(help="The environment variable that holds the token. Its name.")],
    allow_host: Annotated[
        str | None, typer.Option(help="Permit the host: graph.facebook.com. Without it nothing leaves this machine.")
    ] = None,
    meta_url: Annotated[str, typer.Option(help="Another address, of a fake for example.")] = META_URL,
    version: Annotated[str, typer.Option(help="Of the Graph API.")] = VERSION,
    as_json: Annotated[bool, typer.Option("--json", help="For a program: one JSON object on standard output.")] = False,
) -> None:
    """Ask the real Meta whether it takes your token and answers as our fake does: four calls, one test event.

    Exit code: 0 it does · 1 it answers otherwise · 2 usage, or our own fault · 3 no answer, so nothing can be said.
    """
    with common.exit_codes():
        account = _account(pixel_id, test_event_code, token_env, version)
        _check_url(meta_url, allow_host)
        asked = questions(account)
        out = terminal.console()
        out.print("four calls to our fake, then four to " + terminal.escape(meta_url))
        with _fake(account) as fake_url:
            ours = [ask(one, fake_url, account) for one in asked]
        check_ours(asked, ours)
        theirs = [NOT_ASKED] * len(asked)
        for number, one in enumerate(asked):
            theirs[number] = ask(one, meta_url, account)
            out.print(f"  {one.name}: {terminal.escape(theirs[number].in_words())}")
            if theirs[number].facts != ours[number].facts:
                break  # nothing more is sent to who is not Meta, or does not know this token
        code = judge(ours, theirs)
        if as_json:
            terminal.print_json(json.dumps(_told(meta_url, account, asked, ours, theirs, code), indent=2))
        else:
            _show(meta_url, account, asked, ours, theirs, code)
        raise typer.Exit(code)


# -- what was asked for --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A pixel, its token and its test event code."""

    pixel_id: str
    test_event_code: str
    token: str = field(repr=False)
    version: str = VERSION


def _account(pixel_id: str, code: str, variable: str, version: str) -> Account:
    if not _PIXEL(pixel_id):
        raise UsageError(f"--pixel-id {pixel_id!r}: a pixel's id is digits only, as Events Manager shows it.")
    if not _CODE(code):
        raise UsageError(
            f"--test-event-code {code!r}: Events Manager shows one like TEST12345. Without it this would be a sale."
        )
    known = [f"v{number}.0" for number in range(OLDEST, LATEST + 1)]
    if version not in known:
        raise UsageError(f"--version {version!r}: our fake, to compare with, serves {', '.join(known)}.")
    token = os.environ.get(variable, "") if re.fullmatch(r"[A-Za-z_]\w*", variable, re.ASCII) else ""
    if not token:
        raise UsageError("--token-env names no environment variable that is set. It takes a name, not the token.")
    if not _TOKEN(token):
        raise UsageError(f"What {variable} holds is no token: 20 to 1000 printable characters without spaces.")
    return Account(pixel_id=pixel_id, test_event_code=code, token=token, version=version)


def _check_url(url: str, allow_host: str | None) -> None:
    try:
        check_address(url, allow_host=allow_host)
    except NotLoopback:
        host = urlsplit(url).hostname
        raise UsageError(f"Four calls and your token would go to {host!r}: only with --allow-host {host}.") from None
    except ValueError as error:
        raise UsageError(f"--meta-url {url!r}: {error}") from None
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise UsageError("A token leaves this machine by https only.")
    if parts.query or parts.fragment:
        raise UsageError(f"--meta-url {url!r}: without a query; an address like {META_URL}.")


# -- the four calls ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One call, and what of its answer is compared."""

    name: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str = field(repr=False)
    facts: Callable[[int, Mapping[str, Any]], tuple[str, ...]]
    """From status and body: words that must be the same at our fake and at Meta."""
    wanted: str
    """The last of them, where all is well: two that refuse alike have proved nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: its facts, or why there is none."""

    facts: tuple[str, ...] = ()
    trace: str = ""
    """Meta's own name for the call, which its support asks for."""
    notes: tuple[str, ...] = ()
    problem: str = ""

    def in_words(self) -> str:
        """One line."""
        return self.problem or ", ".join(self.facts)


NOT_ASKED = Answer(problem="not asked any more")


def questions(account: Account) -> list[Question]:
    """The four calls, in the order in which they are made: who may not send is known before an event is sent."""
    now_s = int(time.time())
    key = secrets.token_hex(12)
    path = f"/{account.version}/{account.pixel_id}/events"
    buyer = order(f"golive meta-check {key}", now_s=now_s).buyer
    event = {
        "event_name": "Purchase",
        "event_time": now_s,
        "event_id": f"golive-meta-check-{key}",
        "action_source": "website",
        "event_source_url": "https://example.com/",
        "custom_data": {"value": 0.01, "currency": "BRL", "order_id": f"golive-meta-check-{key}"},
    }
    user = {
        "em": [hashlib.sha256(buyer.email.strip().lower().encode()).hexdigest()],
        "client_ip_address": buyer.ip_address,
        "client_user_agent": buyer.user_agent,
    }
    nobody = {**event, "event_id": f"golive-meta-check-nobody-{key}", "user_data": {"client_user_agent": "golive"}}
    batch = {"test_event_code": account.test_event_code}
    return [
        Question(
            name="a token that nobody has is refused",
            method="POST",
            path=path,
            body={"data": [{**event, "user_data": user}], **batch},
            token=f"EAAgolive{key}",
            facts=_code_alone,
            wanted="code 190",
        ),
        Question(
            name="the token says of itself that it is valid",
            method="GET",
            path=f"/{account.version}/debug_token",
            params={"input_token": account.token},
            token=account.token,
            facts=_validity,
            wanted="valid",
        ),
        Question(
            name="an event that can match nobody is refused",
            method="POST",
            path=path,
            body={"data": [nobody], **batch},
            token=account.token,
            facts=_refusal,
            wanted="code 100/2804050",
        ),
        Question(
            name="one invented purchase is received",
            method="POST",
            path=path,
            body={"data": [{**event, "user_data": user}], **batch},
            token=account.token,
            facts=_receipt,
            wanted="events_received 1",
        ),
    ]


def _code_alone(status: int, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Of an unknown token: which subcode and HTTP status Meta adds is not on record."""
    error = body.get("error")
    return (f"code {error.get('code')}" if isinstance(error, dict) else f"HTTP {status}, no error",)


def _refusal(status: int, body: Mapping[str, Any]) -> tuple[str, ...]:
    error = body.get("error")
    if not isinstance(error, dict):
        return (f"HTTP {status}", "no error")
    subcode = error.get("error_subcode")
    return (f"HTTP {status}", f"{error.get('type')}", f"code {error.get('code')}" + (f"/{subcode}" if subcode else ""))


def _validity(status: int, body: Mapping[str, Any]) -> tuple[str, ...]:
    data = body.get("data")
    if status != 200 or not isinstance(data, dict):
        return _refusal(status, body)
    return (f"HTTP {status}", "valid" if data.get("is_valid") is True else "not valid")


def _receipt(status: int, body: Mapping[str, Any]) -> tuple[str, ...]:
    if "error" in body:
        return _refusal(status, body)
    missing = [f"no {name}" for name in ("messages", "fbtrace_id") if name not in body]
    return (f"HTTP {status}", f"events_received {body.get('events_received')!r}", *missing)


def _notes(question: Question, body: Mapping[str, Any], account: Account) -> tuple[str, ...]:
    """What the answer says besides, for the person who looks on."""
    error, data = body.get("error"), body.get("data")
    if isinstance(error, dict):
        return tuple(str(error[key]) for key in ("error_user_msg", "message") if error.get(key))[:1]
    if not isinstance(data, dict) or question.facts is not _validity:
        return tuple(str(one) for one in _list(body.get("messages")))
    found = []
    expires_at_s = data.get("expires_at")
    if expires_at_s == 0:
        found.append("never expires")
    elif isinstance(expires_at_s, int) and 0 < expires_at_s < 10**11:
        found.append(f"expires in {(expires_at_s - time.time()) / 86_400:.1f} days")
    scopes = [one for one in _list(data.get("granular_scopes")) if isinstance(one, dict)]
    targets = {str(target) for one in scopes for target in _list(one.get("target_ids"))}
    if targets and account.pixel_id not in targets:
        found.append(f"is for other pixels: {', '.join(sorted(targets))}")
    return tuple(found)


def _list(given: object) -> list[Any]:
    return given[:100] if isinstance(given, list) else []


class _Bearer(AuthBase):
    """The token as a header. Given as `auth`, for else requests looks into ~/.netrc and sends what stands there."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def ask(question: Question, base_url: str, account: Account) -> Answer:
    """Make the call. No token is in what is returned: an answer may quote one, and the text of an exception does."""

    def hidden(text: object) -> str:
        return str(text).replace(account.token, "…").replace(question.token, "…")[:300]

    with requests.Session() as session:
        session.trust_env = not is_loopback(urlsplit(base_url).hostname or "")
        try:
            with session.request(
                question.method,
                base_url.rstrip("/") + question.path,
                params=question.params,
                json=question.body,
                auth=_Bearer(question.token),
                headers={"User-Agent": "golive meta-check"},
                timeout=ANSWER_S,
                allow_redirects=False,
                stream=True,
            ) as answer:
                raw = _bounded(answer)
        except (requests.RequestException, OSError) as error:
            return Answer(problem=f"no answer: {type(error).__name__}")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Answer(problem=f"HTTP {answer.status_code}, and no JSON object")
    told = body.get("error")
    trace = body.get("fbtrace_id") or (told.get("fbtrace_id") if isinstance(told, dict) else "") or ""
    return Answer(
        facts=tuple(map(hidden, question.facts(answer.status_code, body))),
        trace=hidden(trace),
        notes=tuple(map(hidden, _notes(question, body, account))),
    )


def _bounded(answer: requests.Response) -> bytes:
    """The body, of so many bytes and so long at most; what is cut is no JSON."""
    raw, until_s = bytearray(), time.monotonic() + ANSWER_S
    for piece in answer.iter_content(1):  # a larger piece is waited for, however slowly it comes
        raw += piece
        if len(raw) > MAX_BYTES or time.monotonic() > until_s:
            return b""
    return bytes(raw)


@contextmanager
def _fake(account: Account) -> Iterator[str]:
    """Our fake Meta, with that pixel and that token."""
    nursery = Nursery(lambda _: None)
    try:
        with tempfile.TemporaryDirectory(prefix="golive-meta-check-") as folder:
            fake = LocalSimulator("meta")
            child = fake.start(nursery, env=dict(os.environ), log=Path(folder) / "meta.log")
            fake.wait_ready(child, within_s=READY_S)
            MetaProbe(fake.url, account.pixel_id).set_tokens([account.token])
            yield fake.url
    finally:
        nursery.stop_all()


# -- the answer ----------------------------------------------------------------------------------------------


def check_ours(asked: list[Question], ours: list[Answer]) -> None:
    """Return if our fake says what is right.

    Raises:
        HarnessError: it does not, so that nothing can be compared with it.
    """
    for question, fake in zip(asked, ours, strict=True):
        if not fake.facts or fake.facts[-1] != question.wanted:
            raise HarnessError(f"our fake says of {question.name!r}: {fake.in_words()}. {question.wanted} was expected")


def judge(ours: list[Answer], theirs: list[Answer]) -> int:
    """The exit code: what was not answered says nothing, what was answered otherwise says no."""
    if any(meta.facts and meta.facts != fake.facts for fake, meta in zip(ours, theirs, strict=True)):
        return 1
    return 0 if all(one.facts for one in theirs) else 3


_SENTENCES = {
    0: "It answers as our fake does, and has received one event.",
    1: "It answers otherwise than our fake: either something is wrong with this pixel or token, or our fake is.",
    3: "Not everything was answered, so nothing can be said.",
}
_NEXT = {
    0: "Whether the test event code was right only Events Manager shows: Test Events, one Purchase of 0.01 BRL.",
    1: "Read what it says beside the mark. If token and pixel are right, tell us both: our fake must follow Meta.",
    3: "Try again; docs/scale.md says what leaves this machine and where to.",
}


def _show(
    url: str, account: Account, asked: list[Question], ours: list[Answer], theirs: list[Answer], code: int
) -> None:
    table = Table("", "our fake", "it said", box=None, pad_edge=False)
    for question, fake, meta in zip(asked, ours, theirs, strict=True):
        mark = "[yellow]?[/]" if not meta.facts else "[green]✓[/]" if fake.facts == meta.facts else "[red]✗[/]"
        said = terminal.escape(meta.in_words())
        table.add_row(f"{mark} {question.name}", terminal.escape(fake.in_words()), said)
        for note in meta.notes:
            table.add_row("", "", f"  {terminal.escape(note)}")
        if meta.trace and fake.facts != meta.facts:
            table.add_row("", "", f"  fbtrace_id {terminal.escape(meta.trace)}")
    out = terminal.output()
    out.print(table)
    out.print(f"\n[bold]{_SENTENCES[code]}[/]\n{_NEXT[code]}")
    out.print(f"Asked was {terminal.escape(url)}, pixel {account.pixel_id}, test event code {account.test_event_code}.")


def _told(
    url: str, account: Account, asked: list[Question], ours: list[Answer], theirs: list[Answer], code: int
) -> dict[str, Any]:
    def of(answer: Answer) -> dict[str, Any]:
        return {"facts": answer.facts, "notes": answer.notes, "fbtrace_id": answer.trace, "problem": answer.problem}

    calls = [
        {
            "name": question.name,
            "same": bool(meta.facts) and fake.facts == meta.facts,
            "fake": of(fake),
            "meta": of(meta),
        }
        for question, fake, meta in zip(asked, ours, theirs, strict=True)
    ]
    return {
        "meta_url": url,
        "pixel_id": account.pixel_id,
        "test_event_code": account.test_event_code,
        "exit_code": code,
        "summary": _SENTENCES[code],
        "calls": calls,
    }
