"""Writes docs/catalogue.md: everything that the fakes can be made to say, read off their own registries.

    python -m simulators.catalogue docs/catalogue.md           writes it (`make docs`)
    python -m simulators.catalogue --check docs/catalogue.md   exit 1 when it is not what would be written

Nothing is listed here: whoever adds an event, a switch, an answer or a fault to its registry finds it in the page, and
`tests/contract/test_catalogue.py` makes it happen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, cast

from simulators.gateways import _catalogue, known
from simulators.gateways._delivery import SCHEDULES, Fact
from simulators.gateways._switches import switches
from simulators.meta import browser
from simulators.meta import errors as meta_errors
from simulators.meta.diagnostics import COMPLAINTS, WANTED_KEYS
from simulators.meta.faults import FAULTS as META_FAULTS
from simulators.meta.nodes import LISTED
from simulators.meta.tokens import ERROR_OF_STATE, STATES
from simulators.pagerduty import errors as pagerduty_errors
from simulators.pagerduty.faults import FAULTS as PAGERDUTY_FAULTS

HEAD = """# What the fakes can say

Written by `make docs` from the registries in the code; a test fails when it is not, and another one makes every row
happen (`tests/contract/test_catalogue.py`). What the fakes are and how they are used: [fakes.md](fakes.md).

Confidence of what vendors do not publish: **DOC** documented · **CODE** seen in public code or captures · **!** sources
disagree · **?** unpublished, and therefore ours. `uncertain` names what of an answer no recorded one proves.
"""


def page() -> str:
    """The whole page."""
    parts = (HEAD, _events(), _switches(), _tamperings(), _schedules(), _meta(), _pagerduty())
    return "\n".join(parts).rstrip() + "\n"


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(_cell(one) for one in line)} |\n" for line in lines)


def _cell(value: object) -> str:
    text = "–" if value is None or value == "" else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def _code(value: object) -> str:
    return f"`{value}`"


def _codes(values: Iterable[object]) -> str:
    return ", ".join(_code(one) for one in values)


def _first_sentence(thing: object) -> str:
    return ((thing.__doc__ or "").strip().partition("\n\n")[0]).strip()


# -- gateways


def _events() -> str:
    rows = [
        (
            row.gateway,
            row.dialect,
            _code(row.event.name),
            _code(row.event.vendor_name) + (" **?**" if row.event.uncertain else ""),
            _codes(row.statuses),
            row.meaning,
            row.event.about,
        )
        for row in _catalogue.events()
    ]
    about = (
        "A right receiver makes a Purchase of `purchase`, suppresses or records for `reversal` (of a part: the sale\n"
        "stands), and answers 2xx and does nothing else for `ignored`. Statuses are those of the rendered body.\n"
    )
    titles = ("gateway", "dialect", "event", "the vendor's word", "status", "meaning", "what happened")
    return f"## Gateway events\n{about}\n{_table(titles, rows)}"


def _switches() -> str:
    rows = [
        (
            name,
            _code(one.name),
            _code(json.dumps(one.default, ensure_ascii=False)),
            _codes(json.dumps(other, ensure_ascii=False) for other in one.others),
            f"**{one.mark}**" if one.mark else "",
            one.about + (" Given with `--old-secret`." if one.is_secret else ""),
        )
        for name, fake in sorted(known().items())
        for one in switches(fake)
    ]
    about = (
        "Set with `golive trigger --switch NAME=VALUE`, `switches` in `POST /_golive/send`, or `dataclasses.replace`.\n"
    )
    titles = ("gateway", "switch", "default", "else", "confidence", "what it decides")
    return f"## Switches of the gateways\n{about}\n{_table(titles, rows)}"


def _tamperings() -> str:
    spoken = [(fake.name, dialect) for fake, dialect in _catalogue.spoken()]
    rows = [
        (_code(row.name), row.does, *(row.expected.get(scheme, "") for scheme in spoken))
        for row in _catalogue.tamperings()
    ]
    about = (
        "What a right receiver answers: a refusal is a 4xx; `either` where both are right; – where the scheme has\n"
        "nothing of the kind. Static tokens (vendor Hotmart and PerfectPay) prove nothing of the body.\n"
    )
    titles = ("tampering", "what it does", *(f"{name} {dialect}" for name, dialect in spoken))
    return f"## Tamperings\n{about}\n{_table(titles, rows)}"


def _schedules() -> str:
    rows = [
        (
            name,
            _marked(", ".join(_span(delay) for delay in one.delays_s), one.facts["delays_s"]),
            _span(one.gives_up_after_s),
            _marked(_span(one.timeout_s), one.facts["timeout_s"]),
            _marked(
                "same body, new time and signature" if one.signs_each_attempt else "the very same bytes",
                one.facts["signs_each_attempt"],
            ),
            _marked(
                "never" if one.off_after_failures is None else f"after {one.off_after_failures} failures in a row",
                one.facts["off_after_failures"],
            ),
        )
        for name, one in sorted(SCHEDULES.items())
    ]
    titles = ("vendor", "delays between attempts", "gives up after", "time-out", "a new attempt", "switched off")
    return f"## How vendors send again\n{_table(titles, rows)}"


def _marked(text: str, fact: Fact) -> str:
    return f"{text} (**{fact.mark}**)"


def _span(seconds: float) -> str:
    hours, rest_s = divmod(seconds, 3_600)
    minutes, rest_s = divmod(rest_s, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest_s, "s"))
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number)


# -- Meta


def _meta() -> str:
    return "\n".join(
        (
            "## Meta",
            "### Answers\n"
            "`armed`: no request makes the fake say so by itself; `{\"fault\": \"refusal\", \"error\": …}` does,\n"
            "as it does every other row.\n",
            _table(("answer", "HTTP", "code", "subcode", "is_transient", "title or message", "uncertain", "made by"),
                   _meta_answers()),
            "### Faults\n`POST /_golive/pixels/{pixel}/faults`; parameters with their defaults.\n",
            _table(("fault", "parameters", "what it does"), _meta_faults()),
            "### States of a token\n",
            _table(("state", "answer", "HTTP", "code", "subcode"), _token_states()),
            "### Complaints\nWhat Meta takes and complains of later: in `complaints` of an event in `/_golive/seen`.\n",
            _table(("complaint", "when"), ((_code(name), one.words) for name, one in COMPLAINTS.items())),
            f"`missing_keys` names of {_codes(WANTED_KEYS)} those that a website's event does not have.\n",
            "### Beside the events\n",
            _table(("request", "what it answers"), _beside()),
        )
    )  # fmt: skip


def _meta_answers() -> Iterator[Sequence[object]]:
    for name, row in meta_errors.TABLE.items():
        yield (
            _code(name),
            row.status,
            row.code,
            row.subcode,
            {None: "", True: "true", False: "false"}[row.is_transient],
            row.title or row.message,
            row.uncertain,
            "armed" if row.armed_only else "request",
        )


def _meta_faults() -> Iterator[Sequence[object]]:
    for name, kind in META_FAULTS.items():
        yield _code(name), _parameters(kind), _first_sentence(kind)


def _parameters(kind: object) -> str:
    return ", ".join(
        f"`{one.name}` ({'required' if one.default is MISSING else json.dumps(one.default)})"
        for one in fields(cast("Any", kind))
    )


def _beside() -> Iterator[Sequence[object]]:
    for name, node in {**LISTED, "GET /tr/": browser.take}.items():
        text = _first_sentence(node)
        yield _code(name), text.partition("`: ")[2] or text


def _token_states() -> Iterator[Sequence[object]]:
    for state in STATES:
        name = ERROR_OF_STATE.get(state)
        row = meta_errors.TABLE[name] if name else None
        yield (
            _code(state),
            _code(name) if name else "",
            *((row.status, row.code, row.subcode) if row else ("200", "", "")),
        )


# -- PagerDuty


def _pagerduty() -> str:
    answers = ((_code(name), row.status, row.text, row.uncertain) for name, row in pagerduty_errors.TABLE.items())
    faults = (
        (
            _code(name),
            "nothing for `hang_s`, then a reset" if one.hangs else
            f"{pagerduty_errors.TABLE[one.answer].status}" if one.answer else "a reset before the answer",
            "yes" if one.works else "no",
        )
        for name, one in PAGERDUTY_FAULTS.items()
    )  # fmt: skip
    return "\n".join(
        (
            "## PagerDuty",
            "### Refusals\n",
            _table(("refusal", "HTTP", "text", "uncertain"), answers),
            "### Faults\n`POST /_golive/faults`.\n",
            _table(("fault", "the client sees", "the work is done"), faults),
        )
    )


def main(arguments: Sequence[str]) -> int:
    """Write or check the page; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m simulators.catalogue", description="Writes docs/catalogue.md.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is another")
    asked = parser.parse_args(arguments)
    text = page()
    if not asked.check:
        asked.file.write_text(text, encoding="utf-8")
        return 0
    if asked.file.exists() and asked.file.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{asked.file} is not what the code says: make docs\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
