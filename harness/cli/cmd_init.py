"""`golive init`: a target file to start from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from string import Template
from typing import Annotated
from urllib.parse import urlsplit

import typer

from harness.cli import common, terminal
from harness.errors import UsageError
from harness.target import Target

TEMPLATE = Path(__file__).with_name("golive.toml.template")
#: Without --url golive starts the target itself, on a free port.
STARTED = "http://127.0.0.1:${port}"
_THERE = (
    "meta_port = 8790  # golive's fake Meta: give your pipeline http://127.0.0.1:8790 for https://graph.facebook.com"
)
_ANYWHERE = "# meta_port = 8790  # of the fake Meta; only for a pipeline that already runs"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", epilog="golive init   ·   golive init staging.toml --url http://127.0.0.1:8000")(init)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("golive.toml"),
    url: Annotated[str, typer.Option(help="Where the target already listens; without it golive starts it.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented target file to start from, and say what comes next."""
    with common.exit_codes():
        if path.is_dir():
            path /= "golive.toml"
        if path.exists() and not force:
            raise UsageError(f"{path} is there already. Give another name, or --force to overwrite it.")
        if not url and sys.stdin.isatty():
            url = typer.prompt("Where does your pipeline listen? (empty: golive is to start it)", default="", err=True)
        text = written(url.rstrip("/"), name=path.resolve().parent.name)
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
        Target.load(path)  # what we write ourselves must be a target file
        out, name = terminal.output(), terminal.escape(str(path))
        out.print(f"{name} is written. Next:")
        places = "[target.paths]" if url else "[target.start], [target.env]"
        say = terminal.escape(f"{places}, [target.gateways] and [target.tenants]")
        for number, step in enumerate(
            (
                f"open it, and say in {say} how your pipeline is reached",
                f"golive doctor --target {name}      what golive can see of it, and what to add for more",
                f"golive run --target {name} -k S-01  one purchase from the webhook to Meta",
                f"golive run --target {name}          everything that can be seen",
            ),
            1,
        ):
            out.print(f"  {number}. {step}")
        out.print("docs/bring-your-own.md goes through it step by step.")


def written(url: str, *, name: str) -> str:
    """The file's text, for a target that golive starts (no URL), or for one that already listens there.

    Raises:
        UsageError: that is no http(s) URL.
    """
    if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise UsageError(f"{url!r} is no URL of a target; one begins with http:// or https://.")
    runs = bool(url)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=json.dumps(name or "mine", ensure_ascii=False),
        base_url=json.dumps(url or STARTED),
        port=_THERE if runs else _ANYWHERE,
        started="# " if runs else "",
        provision=f"{url or STARTED}/admin/tenants",
    )
