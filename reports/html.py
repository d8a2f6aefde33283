"""`index.html`: the page for whoever owns the launch. One file, no script, nothing fetched from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.records import RunRecord
from reports import dashboard, plots, timeline, trend, view, words
from reports import history as past

_CODE = re.compile(r"`([^`]+)`")


def render(record: RunRecord, history: Sequence[Mapping[str, Any]] = (), trend_runs: Sequence[trend.Entry] = ()) -> str:
    """The page's text. Every value is escaped; the page's own policy forbids scripts besides.

    `history` holds lines of earlier runs (`reports.history`); `trend_runs` the last load runs of its kind, itself last
    (`reports.trend`).
    """
    template = _environment().get_template("index.html.j2")
    rows = view.plan(record)
    page = template.render(
        run=record,
        rows=rows,
        whole=view.whole(rows),
        plan=view.stories(rows),
        history=past.before(record, history),
        trend_runs=trend_runs,
    )
    return words.printable(page)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "words": words,
        "view": view,
        "timelines": timeline,
        "plots": plots,
        "trends": trend,
        "dashboards": dashboard,
    }
    made.filters |= {"with_code": _with_code, "plain": words.plain, "seconds": words.seconds}
    return made


#: A word of a command that may be kept in one line on a phone, too.
_SHORT = 24


def _whole_words(command: str) -> Markup:
    """A command whose options are not torn after their dashes."""
    return Markup(" ").join(
        Markup('<span class="w">{}</span>').format(one) if one.startswith("-") and len(one) <= _SHORT else escape(one)
        for one in command.split(" ")
    )


def _with_code(text: str) -> Markup:
    """Escaped text, in which what stands between backticks is shown as a command."""
    pieces = _CODE.split(text)  # words, command, words, command, …
    return Markup("").join(
        Markup("<code>{}</code>").format(_whole_words(piece)) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )
