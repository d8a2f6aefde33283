"""What a scenario put on the wire and heard, in words for the report: personal data and secrets masked."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.privacy import Canary, Hunt, without_people
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


def in_words(exchange: Exchange, calls: Sequence[Mapping[str, Any]], people: Sequence[Canary]) -> list[str]:
    """The last webhook as curl, its answer, and the last that Meta was sent and said.

    Args:
        exchange: The webhook.
        calls: What Meta has heard of the scenario's pixel.
        people: Whoever must not be named: buyers and secrets.
    """
    lines = [
        f"the last webhook ({exchange.event}): {curl(exchange, people)}",
        f"its answer: {without_people(exchange.answer.said, people)}",
    ]
    if not calls:
        return [*lines, "Meta was sent nothing"]
    last = calls[-1]
    events = json.dumps(masked([dict(one) for one in last["events"]], people), ensure_ascii=False)
    said = f"{last['status']}" + (f", code {last['code']}/{last['subcode']}" if last.get("code") else "")
    lines.append(f"Meta's last call of {len(calls)}: {without_people(events[:SHOWN], people)} · it answered {said}")
    return lines


def curl(exchange: Exchange, people: Sequence[Canary]) -> str:
    """A command that sends it again; what is masked in it has to be filled in, and the signature made anew."""
    try:
        if len(exchange.body) > _LARGE:
            raise ValueError("too large to be looked through")
        body = json.dumps(masked(json.loads(exchange.body), people), ensure_ascii=False)
    except (ValueError, RecursionError):
        body = exchange.body[:SHOWN].decode(errors="replace")
    words = ["curl", "-X", "POST", exchange.url]
    for name, value in exchange.headers.items():
        if name.lower() not in _USUAL:
            words += ["-H", f"{name}: {value}"]
    words += ["--data-binary", body[:SHOWN]]
    return without_people(shlex.join(words), people)


def masked(value: Any, people: Sequence[Canary]) -> Any:
    """The same JSON, with `<email>` in the place of each text or number in which a buyer's e-mail stands."""
    return _masked(value, Hunt(people))


def _masked(value: Any, hunt: Hunt) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(one, hunt) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, hunt) for one in value]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        kinds = sorted(hunt.kinds_in(str(value)))
        return f"<{kinds[0].removeprefix('masked ')}>" if kinds else value
    return value
