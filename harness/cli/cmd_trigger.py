"""`golive trigger`: send signed webhooks to anything, as the vendor would, or spoiled on purpose."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, overload
from urllib.parse import urlsplit

import typer
from rich.console import Console

from harness.cli import common, terminal
from harness.clock import RunClock
from harness.errors import HarnessError, UsageError
from simulators.gateways import FakeGateway, UnknownName, Webhook, _delivery, gateway
from simulators.gateways._json import with_values
from simulators.gateways._rotation import NoOverlap, Signer, signers, signs_with_both
from simulators.gateways._switches import with_switches
from simulators.gateways._tamper import TAMPERINGS, Signing, expected, tamper
from simulators.loopback import check_address
from simulators.people import order

if TYPE_CHECKING:
    from simulators.sending import Sender, Tally

EXAMPLES = """
[bold]Examples[/]

  golive trigger stripe approved --to http://127.0.0.1:8080/webhooks/stripe --secret-env STRIPE_SECRET
  golive trigger hotmart approved,refunded --to URL --secret-file hottok.txt     one sale, two events
  golive trigger hotmart refunded --to URL --secret-file hottok.txt --seed 7     of the sale that --seed 7 made before
  golive trigger stripe --body-file mine.json --to URL --secret S                your own bytes, signed
  golive trigger kiwify approved --to URL --secret S --set Commissions.charge_amount=1990
  golive trigger stripe approved --to URL --secret S --tamper one_byte           exit 1 is right: it must be refused
  golive trigger stripe approved --to URL --secret S --count 5000                as fast as it goes
  golive trigger kiwify approved --to URL --secret-env NEW --old-secret-env OLD --count 20   a secret is rolled
  golive trigger kiwify approved --to URL --secret S --switch wrapped=true       as other accounts have it
  golive trigger stripe approved --to URL --secret S --count 600 --rate 100 --burst 20 --twin 2 --shuffle
  golive trigger stripe approved --to URL --secret S --retries --compress 3600   Stripe's three days in 72 s
  golive trigger hotmart approved --to URL --secret-env HOTTOK --print-curl      sends nothing

All events, tamperings and switches: a wrong name lists them, and so do golive list and docs/catalogue.md.
"""

#: Open connections at most; usual limits of a process are 1024 files.
MAX_CONNECTIONS = 512
#: Linux takes no longer argument (MAX_ARG_STRLEN).
_LONGEST_ARGUMENT = 131_072
#: Options whose value is a secret.
_SECRETS = ("secret", "old_secret", "other_tenant_secret")
_PLACE = "\ue000"  # stands where the secret was; of Unicode's private use area, in no webhook


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trigger", epilog=EXAMPLES, no_args_is_help=True)(trigger)


def trigger(
    ctx: typer.Context,
    gateway_name: Annotated[str, typer.Argument(metavar="GATEWAY", help="perfectpay, hotmart, kiwify, stripe …")],
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help="approved, refunded … (golive list events); several with commas, told of one sale."
        ),
    ] = "",
    to: Annotated[str, typer.Option(help="Where to: the address as you would register it with the vendor.")] = "",
    secret: Annotated[
        str | None, typer.Option(help="Signing secret or token. Others can see it in the list of processes.")
    ] = None,
    secret_env: Annotated[str | None, typer.Option(help="Take it from this environment variable.")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="Take it from this file; its last line end is cut.")] = None,
    old_secret: Annotated[
        str | None, typer.Option(help="A secret that is being rolled out of use: some are signed with it, or all too.")
    ] = None,
    old_secret_env: Annotated[str | None, typer.Option(help="The same, from this environment variable.")] = None,
    old_secret_file: Annotated[Path | None, typer.Option(help="The same, from this file.")] = None,
    other_tenant_secret: Annotated[
        str | None, typer.Option(help="Of another of your tenants, for --tamper another_tenants_secret.")
    ] = None,
    other_tenant_secret_env: Annotated[
        str | None, typer.Option(help="The same, from this environment variable.")
    ] = None,
    other_tenant_secret_file: Annotated[Path | None, typer.Option(help="The same, from this file.")] = None,
    dialect: Annotated[str | None, typer.Option(help="vendor (as the vendor documents it), or plan.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Every buyer, order and id follows from it: the same seed, the same sales.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Pretend that it is this time (2026-03-01T12:00:00Z): same seed, same bytes.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Put into the body before it is signed.")
    ] = None,
    switches: Annotated[
        list[str] | None,
        typer.Option("--switch", metavar="NAME=VALUE", help="What vendors leave open (golive list switches)."),
    ] = None,
    body_file: Annotated[Path | None, typer.Option(help="Sign and send these bytes, exactly.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many sales.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Webhooks a second; without it as fast as it goes.")] = None,
    burst: Annotated[int, typer.Option(min=1, help="So many at an instant, at the same mean rate.")] = 1,
    gap: Annotated[float, typer.Option(min=0, help="Seconds of silence somewhere; what was due comes after it.")] = 0.0,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Out of order, by the seed.")] = False,
    twin: Annotated[int, typer.Option(min=1, max=100, help="Each one N times, in the same instant.")] = 1,
    tampering: Annotated[
        str | None, typer.Option("--tamper", metavar="KIND", help="Spoil each one (golive list tamperings).")
    ] = None,
    retries: Annotated[
        bool, typer.Option("--retries", help="What is not answered by 2xx comes again, as from the vendor.")
    ] = False,
    compress: Annotated[
        float | None, typer.Option(help="Retries so many times faster; 3600 unless said. Means --retries.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=MAX_CONNECTIONS, help="So many on the way at once.")] = 32,
    print_curl: Annotated[
        bool,
        typer.Option("--print-curl", help="Print curl commands, static tokens masked; send nothing. To see a body."),
    ] = False,
    allow_host: Annotated[str | None, typer.Option(help="Permit this host, which is not this machine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program: one JSON object on standard output.")] = False,
) -> None:
    """Send signed payment webhooks to any address and count what it answers.

    Exit code: 0 all accepted (2xx) · 1 not all · 2 usage.
    """
    from simulators.sending import Sender  # noqa: PLC0415 -- aiohttp takes 0.1 s, other commands wait too

    with common.exit_codes():
        try:
            source = _secret_source(secret, secret_env, secret_file)
            old = _secret_source(old_secret, old_secret_env, old_secret_file, option="old-secret", needed=False)
            theirs = _secret_source(
                other_tenant_secret,
                other_tenant_secret_env,
                other_tenant_secret_file,
                option="other-tenant-secret",
                needed=False,
            )
            source = replace(source, others=tuple(one.secret for one in (old, theirs) if one))
            check_address(_given(to), allow_host=allow_host)
            clock = common.clock_of(at)
            maker = Maker(
                gateway=with_switches(gateway(gateway_name), _changes(switches or [], "--switch", "wrapped=true")),
                dialect=dialect,
                told=event,
                url=to,
                secret=source.secret,
                old_secret=old.secret if old else None,
                another_tenants_secret=theirs.secret if theirs else None,
                seed=common.seed_of(seed),
                clock=clock,
                time_stands=at is not None,
                changes=_changes(changes or []),
                body=_body(body_file, changes),
                tampering=tampering,
            )
            maker.check()
            slots = _delivery.plan(
                count,
                seed=maker.seed,
                events=len(maker.events),
                rate_per_s=rate,
                burst=burst,
                gap_s=gap,
                shuffle=shuffle,
                copies=twin,
            )
            maker.check_overlap(len(slots))
            if print_curl:
                _print_curl(maker, slots, source, as_json=as_json)
                return
            schedule = _delivery.schedule(maker.gateway.name)
            sender = Sender(
                slots=slots,
                make=maker,
                schedule=schedule,
                retries=retries or compress is not None,
                compress=_factor(compress),
                concurrency=min(concurrency, max(1, MAX_CONNECTIONS // twin)),
            )
        except (ValueError, LookupError) as error:
            raise UsageError(str(error.args[0])) from None
        _send(sender, maker, source, command=_command(ctx, maker.seed), as_json=as_json)
        raise typer.Exit(0 if sender.tally.accepted == sender.tally.planned else 1)


# -- what was asked for --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A secret and how it was given."""

    secret: str = field(repr=False)
    variable: str | None = None
    """The environment variable that holds it."""
    others: tuple[str, ...] = field(default=(), repr=False)
    """Further secrets that must not be shown either."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every secret that must not be shown."""
        return (self.secret, *self.others)


@overload
def _secret_source(secret: str | None, variable: str | None, file: Path | None) -> Source: ...
@overload
def _secret_source(
    secret: str | None, variable: str | None, file: Path | None, *, option: str, needed: Literal[False]
) -> Source | None: ...
def _secret_source(
    secret: str | None, variable: str | None, file: Path | None, *, option: str = "secret", needed: bool = True
) -> Source | None:
    given = [one for one in (secret, variable, file) if one is not None]
    if not given and not needed:
        return None
    if len(given) != 1:
        raise UsageError(f"Give the {option} once: --{option} S, --{option}-env VARIABLE or --{option}-file FILE.")
    if variable is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) or variable not in os.environ:
            raise UsageError(
                f"--{option}-env names no environment variable that is set. It takes a name, not the secret."
            )
        found = Source(secret=os.environ[variable], variable=variable)
    elif file is not None:
        text = _read(file, f"--{option}-file").decode(errors="replace").removesuffix("\n").removesuffix("\r")
        found = Source(secret=text)
    else:
        found = Source(secret=secret or "")
    if not found.secret or not found.secret.isprintable():
        raise UsageError(f"The {option} is empty, or holds a line end or another control character.")
    return found


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {file} cannot be read: {error.strerror}.") from None


def _given(to: str) -> str:
    if not to:
        raise UsageError("Say where to: --to http://127.0.0.1:8080/your/webhook.")
    return to


def _body(file: Path | None, changes: Sequence[str] | None) -> bytes | None:
    if file is None:
        return None
    if changes:
        raise UsageError("--set changes a rendered body, and --body-file is sent as it is: give one of them.")
    return _read(file, "--body-file")


def _changes(
    given: Sequence[str], option: str = "--set", example: str = "data.purchase.price.value=10.5"
) -> dict[str, Any]:
    """`a.b=1` as JSON where it is JSON, else as text."""
    found: dict[str, Any] = {}
    for one in given:
        path, equals, text = one.partition("=")
        if not path or not equals:
            raise UsageError(f"{option} {path!r} has no value. Write it like {option} {example}")
        try:
            found[path] = json.loads(text)
        except ValueError:
            found[path] = text
    return found


def _factor(given: float | None) -> float:
    factor = 3600.0 if given is None else given
    if not factor > 0:
        raise UsageError(f"--compress {factor:g}: a factor above 0; 1 is the vendor's own pace, 3600 an hour a second.")
    return factor


class Maker:
    """Makes the request for a slot of the plan; with `--at` a function of its arguments alone."""

    def __init__(
        self,
        *,
        gateway: FakeGateway,
        dialect: str | None,
        told: str,
        url: str,
        secret: str,
        old_secret: str | None,
        another_tenants_secret: str | None,
        seed: int,
        clock: RunClock,
        time_stands: bool,
        changes: dict[str, Any],
        body: bytes | None,
        tampering: str | None,
    ) -> None:
        self.gateway, self.url, self.seed, self.tampering = gateway, url, seed, tampering
        self.dialect = dialect or ("vendor" if "vendor" in gateway.dialects else gateway.dialects[0])
        self.events = tuple(told.split(",")) if told else ("",)
        self.clock, self.time_stands = clock, time_stands
        self._changes, self._body = changes, body
        self._another_tenants_secret = another_tenants_secret
        gateway.events(self.dialect)  # raises for a dialect that it does not speak
        self._signers = signers(gateway, dialect=self.dialect, secret=secret, old_secret=old_secret)
        self.rolls = old_secret is not None
        if self.rolls and tampering:
            raise NoOverlap("--tamper or --old-secret, not both: a spoiled request would bear a good signature still.")

    def check(self) -> None:
        """Make one of each event.

        Raises:
            UnknownName, ValueError, LookupError: something cannot be made as asked.
        """
        known = self.gateway.events(self.dialect)
        if self._body is None and self.events == ("",):
            raise UsageError(f"Say which event of {self.gateway.name}: {', '.join(sorted(known))}.")
        for name in filter(None, self.events):
            if name not in known:
                raise UnknownName(f"{self.gateway.name} event in the {self.dialect} dialect", name, known)
        if self._body is not None and len(self.events) > 1:
            raise UsageError("--body-file is one body: name one event, or none.")
        for number in range(len(self.events)):
            self(_delivery.Slot(at_s=0.0, sale=0, event=number, copies=1), 0.0)

    def check_overlap(self, slots: int) -> None:
        """Return if each of two secrets has its turn.

        Raises:
            NoOverlap: there are fewer webhooks than secrets.
        """
        if slots < len(self._signers):
            raise NoOverlap(
                f"{self.gateway.name} signs with one secret at a time, and one webhook shows one: add --count 2."
            )

    @property
    def rotation(self) -> str | None:
        """How two secrets share the deliveries: `both` sign each, or they take turns (`alternate`)."""
        if not self.rolls:
            return None
        return "both" if signs_with_both(self.gateway) else "alternate"

    @property
    def expected(self) -> str:
        """What a right receiver does: `accepted`, `refused` or `either`."""
        return expected(self.tampering, self.gateway.name, self.dialect) if self.tampering else "accepted"

    def __call__(self, slot: _delivery.Slot, signed_after_s: float) -> Webhook:
        """The request; `signed_after_s` is the vendor's time since the plan began, and counts where time stands."""
        now_s = self.clock.origin_s + int(signed_after_s) if self.time_stands else int(self.clock.now_s())
        signer = self._signers[(slot.sale * len(self.events) + slot.event) % len(self._signers)]
        signing = Signing(
            gateway=signer.gateway,
            dialect=self.dialect,
            secret=signer.secret,
            url=self.url,
            now_s=now_s,
            another_tenants_secret=self._another_tenants_secret,
        )
        sent = signing.sign(self._render(slot, signer) if self._body is None else self._body)
        return tamper(self.tampering, sent, signing) if self.tampering else sent

    def _render(self, slot: _delivery.Slot, signer: Signer) -> bytes:
        """The same for every attempt: its times are those of the slot."""
        at_s = self.clock.origin_s + int(slot.at_s)
        body = signer.gateway.render(
            order(f"{self.seed}/trigger/{slot.sale}", now_s=at_s),
            self.events[slot.event],
            dialect=self.dialect,
            secret=signer.secret,
            url=self.url,
            now_s=at_s,
        )
        return with_values(body, self._changes)


# -- sending -------------------------------------------------------------------------------------------------


def _send(sender: Sender, maker: Maker, source: Source, *, command: str, as_json: bool) -> None:
    screen = terminal.console()
    _announce(sender, maker, screen)
    many = sender.tally.planned > 20 or sender.retries
    try:
        if many:
            with terminal.Progress(screen) as progress:
                progress.phase("sending")
                sender.told = Told(progress)
                asyncio.run(sender.run())
        else:
            asyncio.run(sender.run())
    except ExceptionGroup as errors:  # of the TaskGroup; NothingToTamper is a ValueError
        if errors.split((ValueError, LookupError))[1] is not None:
            raise
        raise HarnessError(f"A webhook could not be made: {_first(errors)}") from None
    finally:  # Ctrl-C as well: what has been sent, has been sent
        _summarise(sender, maker, source, screen, command=command)
        if as_json:
            terminal.print_json(json.dumps(to_json(sender, maker, source), ensure_ascii=False, indent=2))


def _first(errors: ExceptionGroup[Exception]) -> str:
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error)


class Told:
    """Passes a tally on to the screen, ten times a second at most."""

    def __init__(self, progress: terminal.Progress) -> None:
        self._progress, self._next_s = progress, 0.0

    def __call__(self, tally: Tally) -> None:
        """An attempt has ended."""
        now_s = time.monotonic()
        if now_s < self._next_s and tally.done < tally.planned:
            return
        self._next_s = now_s + 0.1
        words = f"{tally.done} of {tally.planned}, {tally.rate_per_s:.0f}/s: {_by_name(tally)}"
        self._progress.so_far(tally.done / tally.planned, words)


def _announce(sender: Sender, maker: Maker, screen: Console) -> None:
    fake, tally = maker.gateway, sender.tally
    what = ", ".join(filter(None, maker.events)) or "your own body"
    screen.print(
        f"golive trigger: {tally.planned} × {fake.name} {terminal.escape(what)} ({maker.dialect} dialect) "
        f"to {terminal.escape(_without_query(maker.url))}, seed {maker.seed}"
    )
    if maker.tampering:
        done = (TAMPERINGS[maker.tampering].__doc__ or "").strip().splitlines()[0]
        screen.print(f"tampered: {maker.tampering} – {done} A right receiver: {maker.expected}.")
    if maker.rotation:
        how = {"both": "each is signed with both", "alternate": "they take turns, the new one first"}[maker.rotation]
        screen.print(f"a secret is rolled: {how}. A right receiver takes all of it.")
    if sender.retries:
        schedule = sender.schedule
        ours = "" if schedule.facts["delays_s"].mark == "DOC" else " (not published: docs/catalogue.md)"
        screen.print(
            f"retries: {len(schedule.delays_s)} over {_span(schedule.gives_up_after_s)}{ours}, here within "
            f"{_span(schedule.gives_up_after_s / sender.compress)} and the time that answers take"
        )


def _span(seconds: float) -> str:
    for unit_s, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.3g} s"


def _by_name(tally: Tally) -> str:
    return ", ".join(f"{count} × {name}" for name, count in sorted(tally.by_name.items())) or "nothing sent"


def _summarise(sender: Sender, maker: Maker, source: Source, screen: Console, *, command: str) -> None:
    """One line with counts and rate, and what should be known besides."""
    tally = sender.tally
    parts = [f"{tally.attempts} sent in {tally.duration_s:.2f} s"]
    if tally.attempts > 1:
        parts[0] += f" ({tally.rate_per_s:.0f}/s)"
    if tally.retries:
        parts.append(f"{tally.retries} of them again")
    if tally.elapsed_s:
        parts.append(f"answered in {_ms(tally, 0.5):.3g} ms (median), {_ms(tally, 0.95):.3g} ms (p95)")
    refused = maker.expected == "refused" and _only_refusals(tally)
    colour = "green" if refused or tally.accepted == tally.planned else "red"
    screen.print(
        f"[{colour}]{tally.accepted} of {tally.planned} accepted[/]: {_by_name(tally)}  ·  {'  ·  '.join(parts)}"
    )
    if words := _words(tally, source):
        screen.print(f"  it says: {terminal.escape(', '.join(f'{n} × {word}' for word, n in words.items()))}")
    for sentence in _meaning(tally, maker, refused=refused):
        screen.print(f"  {terminal.escape(sentence)}")
    if tally.switched_off:
        screen.print(
            f"  {maker.gateway.name} has switched the configuration off after "
            f"{sender.schedule.off_after_failures} failures in a row; {tally.not_sent} never sent"
        )
    if unasked := tally.planned - tally.done:
        screen.print(f"  {unasked} not finished")
    screen.print(f"[dim]again: {terminal.escape(command)}[/]")


def _only_refusals(tally: Tally) -> bool:
    """Whether something was answered, and all of it by 4xx; a crash or silence is no refusal."""
    return bool(tally.by_name) and all(re.fullmatch("4..", name) for name in tally.by_name)


def _meaning(tally: Tally, maker: Maker, *, refused: bool) -> list[str]:
    """What the counts do not say by themselves."""
    said = []
    if refused:
        said.append("right: each was refused, as it must be; the exit code still counts what was accepted")
    elif maker.expected == "refused" and tally.accepted:
        said.append(f"wrong: {tally.accepted} accepted that a right receiver refuses")
    if tally.by_name["refused"]:
        parts = urlsplit(maker.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        said.append(f"refused is the connection: nobody listens on {parts.hostname}, port {port}")
    return said


def _ms(tally: Tally, share: float) -> float:
    ordered = sorted(tally.elapsed_s)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def _words(tally: Tally, source: Source) -> dict[str, int]:
    """What the receiver called its refusals; never a word that holds the secret."""
    return {word: count for word, count in tally.words.most_common(5) if not any(one in word for one in source.all)}


def _command(ctx: typer.Context, seed: int) -> str:
    """The command that gives the same sales again, as it was given, without the secret and the address's query."""
    words = ["golive", "trigger"]
    for param in ctx.command.params:
        name, value = str(param.name), ctx.params.get(str(param.name))
        given = ctx.get_parameter_source(name)
        if given is None or given.name != "COMMANDLINE" or name == "seed":
            continue
        option = [] if param.param_type_name == "argument" else [param.opts[0]]
        if value is True:
            words += option
            continue
        shown = {**dict.fromkeys(_SECRETS, "…"), "to": _without_query(str(value))}.get(name)
        for one in value if isinstance(value, list) else [shown or value]:
            words += [*option, str(one)]
    return shlex.join([*words, "--seed", str(seed)])


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?…" if parts.query else "")


def to_json(sender: Sender, maker: Maker, source: Source) -> dict[str, Any]:
    """The summary for a program (docs/trigger.md tells its fields)."""
    tally = sender.tally
    return {
        "schema": 1,
        "gateway": maker.gateway.name,
        "dialect": maker.dialect,
        "events": [name for name in maker.events if name],
        "to": _without_query(maker.url),
        "seed": maker.seed,
        "at": maker.clock.iso(),
        "tamper": maker.tampering,
        "rotation": maker.rotation,
        "expected": maker.expected,
        **tally.to_json(),
        "words": _words(tally, source),
        "duration_s": round(tally.duration_s, 3),
        "rate_per_s": round(tally.rate_per_s, 1),
        "answered_p50_ms": round(_ms(tally, 0.5), 3) if tally.elapsed_s else None,
        "answered_p95_ms": round(_ms(tally, 0.95), 3) if tally.elapsed_s else None,
    }


# -- curl ----------------------------------------------------------------------------------------------------


def _print_curl(maker: Maker, slots: Sequence[_delivery.Slot], source: Source, *, as_json: bool) -> None:
    static = not maker.gateway.authenticates_body[maker.dialect]
    commands = [curl(maker(slot, slot.at_s), source, static=static) for slot in slots for _ in range(slot.copies)]
    if as_json:
        terminal.print_json(json.dumps({"schema": 1, "curl": commands}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join(commands))
    terminal.console().print(f"[dim]nothing was sent; the same again with --seed {maker.seed}[/]")
    if source.variable is None and any("***" in one for one in commands):
        terminal.console().print("*** stands where the token was; with --secret-env the shell can fill it in.")


def curl(webhook: Webhook, source: Source, *, static: bool) -> str:
    """A command for a POSIX shell that sends these bytes; the token itself never stands in it.

    Where the secret came from an environment variable the command reads it there, else `***` stands in its place.

    Raises:
        UsageError: the body fits into no command line, or its token could not be masked.
    """
    try:
        body = webhook.body.decode()
    except UnicodeDecodeError:
        raise UsageError("This body is not UTF-8, and a shell cannot be trusted with it: send it instead.") from None
    if len(webhook.body) >= _LONGEST_ARGUMENT or "\0" in body:
        raise UsageError("This body fits into no command line (128 KiB, no NUL): send it instead.")
    if static:
        body = _mask_body(body, source.secret)
    words = ["curl", "-sS", "-i", "-X", "POST", _quoted(webhook.url, source)]
    lines = [" ".join(words)]
    own = {name.lower() for name in webhook.headers}
    lines += [f"-H '{name}:'" for name in ("User-Agent", "Accept") if name.lower() not in own]
    for name, value in webhook.headers.items():
        shown = _mask(value, source.secret) if static else value
        lines.append(f"-H {_quoted(f'{name}: {shown}' if value else f'{name};', source)}")
    lines.append(f"--data-raw {_quoted(body, source)}")
    return " \\\n  ".join(lines)


def _quoted(text: str, source: Source) -> str:
    text = text.replace(source.secret, _PLACE) if len(source.secret) >= 8 else text
    for other in source.others:  # no variable of the shell is known for it
        text = text.replace(other, "***")
    filled = f"'\"${source.variable}\"'" if source.variable else "***"
    return shlex.quote(text).replace(_PLACE, filled)


def _mask(text: str, secret: str) -> str:
    """The token, or a piece or respelling of it that a tampering has left."""
    if text == secret:
        return _PLACE
    same = secret.lower().startswith(text.lower()) and len(text) >= 4
    return "***" if same else text


def _mask_body(body: str, secret: str) -> str:
    masked = re.sub(r'(?<=")[^"\\]+(?="(?!\s*:))', lambda found: _mask(found.group(), secret), body)
    # Whatever token stands in a body of the user's own is as secret as the one that was given to us.
    return re.sub(
        r'("(?:token|hottok)"\s*:\s*")([^"]*)(?=")',
        lambda found: found[1] + (found[2] if found[2] in ("", _PLACE) else "***"),
        masked,
        flags=re.IGNORECASE,
    )
