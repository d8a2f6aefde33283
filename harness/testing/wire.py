"""What a scenario put on the wire and heard, in words for the report: personal data and secrets masked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.privacy import Mask
from harness.testing.answers import Answer

#: Bodies are shown up to here: a report is read by people.
SHOWN = 2_000
#: Larger bodies are cut before they are looked through: no vendor sends them, scenarios do.
_LARGE = 64 * 1024
#: Headers that every client adds by itself.
_USUAL = ("content-length", "transfer-encoding", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One webhook and its answer."""

    event: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer


def in_words(exchange: Exchange, calls: Sequence[Mapping[str, Any]], mask: Mask) -> list[str]:
    """The last webhook as curl, its answer, and the last that Meta was sent and said.

    Args:
        exchange: The webhook.
        calls: What Meta has heard of the scenario's pixel.
        mask: Knows whom not to name: buyers and secrets.
    """
    lines = [
        f"the last webhook ({exchange.event}): {curl(exchange, mask)}",
        f"its answer: {mask.text(exchange.answer.said)}",
    ]
    if not calls:
        return [*lines, "Meta was sent nothing"]
    last = calls[-1]
    events = json.dumps(mask.json(last["events"]), ensure_ascii=False)
    said = f"{last['status']}" + (f", code {last['code']}/{last['subcode']}" if last.get("code") else "")
    lines.append(f"Meta's last call of {len(calls)}: {mask.text(events[:SHOWN])} · it answered {said}")
    return lines


def curl(exchange: Exchange, mask: Mask) -> str:
    """A command that sends it again; what is masked in it has to be filled in, and the signature made anew."""
    try:
        if len(exchange.body) > _LARGE:
            raise ValueError("too large to be looked through")
        body = json.dumps(mask.json(json.loads(exchange.body)), ensure_ascii=False)
    except (ValueError, RecursionError):
        body = exchange.body[:SHOWN].decode(errors="replace")
    words = ["curl", "-X", "POST", exchange.url]
    for name, value in exchange.headers.items():
        if name.lower() not in _USUAL:
            words += ["-H", f"{name}: {value}"]
    words += ["--data-binary", body[:SHOWN]]
    return mask.text(shlex.join(words))
