"""What the page shows of a webhook and of an event: pure functions, the only place where people are left out."""

from __future__ import annotations

import json
import re
import shlex
import time
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from simulators.console.words import refusal

#: Longer texts are cut.
SHOWN_CHARS = 160
#: What stands for the secret in what can be copied: the name of an environment variable.
SECRET_VARIABLE = "GOLIVE_SECRET"  # noqa: S105 -- the name of a variable, not a secret

_EMAIL = re.compile(r"[^\s@/?&=<>\"']+(?:@|%40)[^\s@/?&=<>\"']+", re.IGNORECASE)
_TRIGGERED = re.compile(r"([0-9]{1,15})/trigger/0").fullmatch
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
#: Parts of user_data that Meta wants in the clear; that they are there is said, their value is not.
_CLEAR = {
    "client_ip_address",
    "client_user_agent",
    "fbc",
    "fbp",
    "fb_login_id",
    "lead_id",
    "page_id",
    "subscription_id",
}


def shown(value: object) -> str | None:
    """A text for the page: one line, no control or direction marks, no e-mail, not endless. None for other things."""
    if not isinstance(value, str):
        return None
    visible = "".join("�" if unicodedata.category(char) in _INVISIBLE else char for char in value[: 4 * SHOWN_CHARS])
    hidden = _EMAIL.sub("(e-mail hidden)", visible)
    return hidden if len(hidden) <= SHOWN_CHARS else hidden[: SHOWN_CHARS - 1] + "…"


def sent_row(told: Mapping[str, Any], gateways_url: str) -> dict[str, Any]:
    """One webhook as the page wants it, from an entry of `GET /_golive/sent`."""
    plain = ("seq", "at_s", "outcome", "again_of", "expected", "status", "elapsed_ms", "run", "attempt")
    row = {key: told[key] for key in plain}
    texts = {
        key: shown(told[key]) for key in ("gateway", "dialect", "event", "seed", "to", "tamper", "word", "failure")
    }
    return {
        **row,
        **texts,
        "order": shown(told["sale_id"]),
        "trigger": trigger_command(told),
        "same_order": _TRIGGERED(told["seed"]) is not None,
        "curl": curl_command(told, gateways_url),
    }


def off_row(told: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration that its vendor has switched off, from `switched_off` of `GET /_golive/sent`."""
    texts = {key: shown(told[key]) for key in ("gateway", "to")}
    return {"id": told["id"], "failures": told["failures_in_a_row"], **texts}


def trigger_command(told: Mapping[str, Any]) -> str:
    """The `golive trigger` for it; its secret comes from the environment.

    `golive trigger --seed N` begins with the order `N/trigger/0`; of any other key it sends another order, alike.
    """
    same = _TRIGGERED(told["seed"])
    seed = same[1] if same else str(zlib.crc32(told["seed"].encode()) % 10**6)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(told["order_at_s"]))
    words = ["golive", "trigger", told["gateway"], told["event"], "--to", told["to"], "--secret-env", SECRET_VARIABLE]
    words += ["--dialect", told["dialect"], "--seed", seed, "--at", at]
    for path, value in told["set"].items():
        words += ["--set", f"{path}={value if value == '…' else json.dumps(value)}"]
    for name, value in told["switches"].items():
        words += ["--switch", f"{name}={value if value == '…' else json.dumps(value)}"]
    if told["tamper"]:
        words += ["--tamper", told["tamper"]]
    return " ".join(shlex.quote(shown(one) or "") for one in words)


def curl_command(told: Mapping[str, Any], gateways_url: str) -> str:
    """The request to the fake gateways that sends the same order; the shell puts the secret in."""
    wish = {key: told[key] for key in ("gateway", "event", "dialect", "to", "seed")}
    wish = {key: shown(value) or "" for key, value in wish.items()} | {"at_s": told["order_at_s"]}
    wish |= {key: told[key] for key in ("set", "tracking", "tamper", "switches") if told[key]}
    body = json.dumps(wish | {"secret": SECRET_VARIABLE}, ensure_ascii=False)
    # The body ends in `"secret": "GOLIVE_SECRET"}`: leave the quotes there, and let the shell fill the gap.
    head = shlex.quote(body.removesuffix(f'{SECRET_VARIABLE}"}}'))
    quoted = f"""{head}"${SECRET_VARIABLE}"'"}}'"""
    return f"curl -s {shlex.quote(gateways_url + '/_golive/send')} -H 'Content-Type: application/json' -d {quoted}"


def meta_rows(call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each event of a call, from an entry of `GET /_golive/seen`; one for a call without events."""
    common = {key: call[key] for key in ("at_s", "status", "code", "subcode")}
    common |= {"call": call["seq"], "pixel": shown(call["pixel"]), "fault": shown(call["fault"])}
    common |= {"token": shown(call["token_last4"]), "from": shown(call.get("source"))}
    why = refusal(call["status"], call["code"], call["subcode"], common["fault"])
    if not call["events"]:
        yield {**common, **_event({}), "verdict": "refused", "words": why}
    for event in call["events"]:
        verdict = event["verdict"]
        yield {**common, **_event(event), "verdict": verdict, "words": _words(verdict, why)}


def _words(verdict: str, why: str) -> str:
    if verdict == "counted":
        return "Counted."
    if verdict == "duplicate":
        return "Taken and not counted again: same event_name and event_id within 48 hours."
    return why


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    custom = event.get("custom_data")
    custom = custom if isinstance(custom, dict) else {}
    value = custom.get("value")
    return {
        "event": shown(event.get("event_name")),
        "event_id": shown(event.get("event_id")),
        "order": shown(custom.get("order_id")),
        "value": value if isinstance(value, int | float) else shown(value),
        "currency": shown(custom.get("currency")),
        "source": shown(event.get("action_source")),
        "page": _page(event.get("event_source_url")),
        "people": list(_people(event.get("user_data"))),
        "complaints": _names(event.get("complaints")),
        "missing": _names(event.get("missing_keys")),
    }


def _names(told: object) -> list[str]:
    return [shown(one) or "" for one in told] if isinstance(told, list) else []


def _page(url: object) -> str | None:
    """Where it happened, without what rode along."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return shown(url.partition("?")[0])
    return shown(f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" if parts.query else ""))


def _people(user_data: object) -> Iterator[str]:
    """Which keys came and how: a hash by its first digits, everything else without its value."""
    if not isinstance(user_data, dict):
        return
    for key, value in list(user_data.items())[:24]:
        values = value if isinstance(value, list) else [value]
        hashes = [one[:8] for one in values if isinstance(one, str) and _HASH(one)]
        if len(hashes) == len(values) and hashes:
            yield f"{shown(key)} {' '.join(hashes[:4])}"
        elif key in _CLEAR:
            yield f"{shown(key)}"
        elif key == "external_id":
            yield "external_id"
        else:
            yield f"{shown(key)}: no hash"
