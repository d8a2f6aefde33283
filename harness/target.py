"""The target file: how the pipeline under test is started, reached and observed.

A target file is TOML; `reference_impl/target.toml` is a complete one. `${...}` in it is filled in by the
harness: where the fakes listen, which port was found free. What a file asks for decides what is started: a
target that never says `${database_url}` gets no PostgreSQL.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from harness.errors import UsageError
from simulators import gateways as fakes

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

#: What `${...}` may say, and what it stands for.
PLACEHOLDERS: Mapping[str, str] = {
    "port": "a free port on 127.0.0.1 for the target's web process",
    "database_url": "a PostgreSQL of this run's own",
    "aws_url": "an AWS endpoint of this run's own (SQS, SNS, Secrets Manager)",
    "meta_url": "the fake Meta",
    "cloudwatch_url": "a CloudWatch of this run's own, which only keeps what is put",
}


#: In `[target.actions]` the name of the program that stays; in the place of a command, that this program does it.
SERVE = "serve"

Command = list[str] | str
"""A program that reads JSON and writes JSON, an http(s) URL that the JSON is posted to, or `"serve"`."""


def _command(given: Command) -> Command:
    if isinstance(given, str) and given != SERVE and not given.startswith(("http://", "https://")):
        raise ValueError(
            'a command is a list of words, like ["node", "provision.mjs"], a URL to post to, or "serve": '
            "the program that [target.actions] names as serve"
        )
    if not given:
        raise ValueError("an empty command")
    return given


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paths(_Section):
    """Where the target listens, below its base URL."""

    webhook: str = "/api/v1/webhooks/{gateway}/{tenant}"
    click: str | None = None
    pageview: str | None = None
    checkout: str | None = None
    consent: str | None = None
    dashboard: str | None = None
    """The customer's page; who is not logged in is shown or sent to a form there."""
    ready: str = "/health/ready"


#: Why a request is refused: the names of `[target.answers]`, besides `accepted`.
Refusal = Literal[
    "bad_signature",
    "malformed",
    "missing_field",
    "unknown_gateway",
    "unknown_tenant",
    "wrong_method",
    "wrong_type",
    "too_large",
]


class Answers(_Section):
    """The exact codes that this target promises. Without one, any 2xx is accepted, and any 4xx refused."""

    accepted: int | None = Field(default=None, ge=200, le=299)
    """The launch plan asks for 202."""
    bad_signature: int | None = Field(default=None, ge=400, le=499)
    malformed: int | None = Field(default=None, ge=400, le=499)
    """A rightly signed body that cannot be read."""
    missing_field: int | None = Field(default=None, ge=400, le=499)
    """A rightly signed body without the sale's id."""
    unknown_gateway: int | None = Field(default=None, ge=400, le=499)
    unknown_tenant: int | None = Field(default=None, ge=400, le=499)
    wrong_method: int | None = Field(default=None, ge=400, le=499)
    wrong_type: int | None = Field(default=None, ge=400, le=499)
    """A Content-Type that no vendor sends."""
    too_large: int | None = Field(default=None, ge=400, le=499)


class Timings(_Section):
    """How long this target needs, so that scenarios wait no longer and no shorter."""

    start_s: float = 20
    """From start to ready."""
    stop_s: float = 30
    """From SIGTERM to the end of a process that finishes what it has in hand."""
    dispatch_s: float = 20
    """From a 202 to Meta's inbox, on a bad day."""
    breaker_reset_s: float = 60
    hold_recheck_s: float = 60
    redelivery_s: float = 60
    """Until a message of a consumer that died is seen again."""
    strays_s: float = 900
    """Until a sale whose message is gone from the queue is found again."""
    retry_s: float = 60
    """The longest pause between two tries after a transient error."""
    breaker_threshold: int = 5
    analytics_s: float = 300
    """Until what has happened stands in the analytics views. More than the default breaks the plan's promise."""


class Probes(_Section):
    """Where the target may be looked into. What is absent is reported as not observed."""

    database_url: str | None = None
    conversions: str | None = None
    """SQL with %(tenant)s: sale, gateway, event_id, state (one of records.ConversionState)."""
    breaker: str | None = None
    """SQL with %(tenant)s: one value, closed, open or half_open."""
    match_method: str | None = None
    """SQL with %(tenant)s: one value, how the last purchase was matched, or null."""
    matched: str | None = None
    """SQL with %(tenant)s: one value, how many of its purchases were matched to a click."""
    dashboard_purchases: str | None = None
    """A regular expression whose one group is the number of purchases, as the dashboard's HTML says it."""
    queue: str | None = None
    """The name of the SQS queue that carries dispatches."""
    dead_letters: str | None = None
    aws_url: str | None = None
    may_hold_secrets: list[str] = Field(default_factory=list)
    """Tables (`public.tenants`) in which secrets and Meta tokens may stand; nowhere else, and never in a log."""


class Migrations(_Section):
    """How the database to be launched on is seen to be migrated (`golive readiness --database-url`)."""

    head: str = ""
    """The version of the newest migration; without it nobody knows whether all were applied."""
    version: str = "SELECT version_num FROM alembic_version"
    """SQL with one value: the version that a database is at."""


class Keeps(_Section):
    """For how long this target says that it keeps what; a period that is not stated is reported as not observed."""

    hashes_days: float | None = None
    """A purchase's hashed e-mail and phone, after it has ended."""
    clicks_days: float | None = None
    client_days: float | None = None
    """A buyer's address and browser, where they are stored at all."""


class Travel(_Section):
    """What is different on the instance that travels in time: there nothing is short so that it fits into a test."""

    env: dict[str, str] = Field(default_factory=dict)
    """Over [target.env]."""
    timings: dict[str, float] = Field(default_factory=dict)
    """Over [target.timings]: what that environment means for them."""

    @field_validator("timings")
    @classmethod
    def _known(cls, timings: dict[str, float]) -> dict[str, float]:
        if unknown := set(timings) - set(Timings.model_fields):
            raise ValueError(f"{', '.join(sorted(unknown))}: no such timing")
        return timings


class Monitoring(_Section):
    """The target's alarms: what they are, and how they are driven on an instance of their own."""

    template: str
    """A CloudFormation template with the alarms; in the file, relative to the target file."""
    parameters: dict[str, str] = Field(default_factory=dict)
    """Of the template."""
    alarm_prefix: str = ""
    """What all alarms' names begin with; golive knows each by the rest."""
    processes: list[str] | None = None
    """Which processes publish a minute with their name as the dimension Process; default: all of [target.start]."""
    env: dict[str, str] = Field(default_factory=dict)
    """Over [target.env] and [target.travel.env]."""


class Tenants(_Section):
    """How a tenant is made; docs/contracts.md says what goes in and out."""

    provision: Annotated[Command, AfterValidator(_command)]


def _all_gateways() -> dict[str, list[str]]:
    return {name: list(fake.dialects) for name, fake in sorted(fakes.known().items())}


class Target(_Section):
    """One pipeline under test."""

    name: str
    base_url: str
    public_url: str | None = None
    """What the outside world would call it; vendors print it into their bodies. Default: base_url."""
    meta_port: int | None = Field(default=None, ge=1, le=65535)
    """Where the fake Meta listens on 127.0.0.1, for a target that runs already and was told so. Default: any port."""
    prepare: list[list[str]] = Field(default_factory=list)
    start: dict[str, list[str]] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)
    paths: Paths = Paths()
    answers: Answers = Answers()
    timings: Timings = Timings()
    probes: Probes = Probes()
    migrations: Migrations = Migrations()
    keeps: Keeps = Keeps()
    travel: Travel = Travel()
    monitoring: Monitoring | None = None
    tenants: Tenants
    actions: dict[str, Annotated[Command, AfterValidator(_command)]] = Field(
        default_factory=dict, validate_default=True
    )
    """By name; `serve` is no action but the program that carries out those whose command is `"serve"`."""
    gateways: dict[str, list[str]] = Field(default_factory=_all_gateways)
    """Which gateways it speaks, each in which dialects. Default: every one that golive has a fake of."""

    @field_validator("actions")
    @classmethod
    def _served(cls, actions: dict[str, Command], info: ValidationInfo) -> dict[str, Command]:
        commands = {name: command for name, command in actions.items() if name != SERVE}
        if "tenants" in info.data:
            commands["provision"] = info.data["tenants"].provision
        served = [name for name, command in commands.items() if command == SERVE]
        if isinstance(actions.get(SERVE), str):
            raise ValueError('serve is a program that stays, like ["node", "operate.mjs"]')
        if served and SERVE not in actions:
            raise ValueError(f'{served[0]} = "serve" wants the program too: serve = ["command", …]')
        if SERVE in actions and not served:
            raise ValueError('serve is used by nothing; write set_flag = "serve" for what that program can do')
        return actions

    @field_validator("gateways")
    @classmethod
    def _spoken(cls, gateways: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, dialects in gateways.items():
            if name not in fakes.known():
                close = difflib.get_close_matches(name, fakes.known(), n=1)
                guess = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"no gateway is called {name!r}.{guess} Known: {', '.join(fakes.known())}")
            known = fakes.known()[name].dialects
            if unknown := set(dialects) - set(known) or (not dialects and {"nothing"}):
                raise ValueError(f"{name} speaks {', '.join(known)}, not {', '.join(sorted(unknown))}")
        return gateways

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a target file.

        Raises:
            UsageError: no such file, no TOML, a word that is not known, a `${...}` that nobody fills.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(
                f"There is no target file {path}. `golive run` without --target tests the reference."
            ) from None
        except OSError as error:
            raise UsageError(f"The target file {path} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from None
        for name in PLACEHOLDER.findall(path.read_text(encoding="utf-8")):
            if name not in PLACEHOLDERS:
                raise UsageError(
                    f"{path} says ${{{name}}}, which nobody fills.{_guess(name)} Known: {', '.join(PLACEHOLDERS)}."
                )
        try:
            return cls.model_validate(content.get("target", {})).at_home(path.parent)
        except ValidationError as error:
            lines = "; ".join(f"[target] {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise UsageError(f"{path} cannot be used: {lines}") from None

    def at_home(self, folder: Path) -> Self:
        """The same target, with what its file names relative to itself."""
        if self.monitoring is None:
            return self
        told = self.monitoring.model_copy(update={"template": str((folder / self.monitoring.template).resolve())})
        return self.model_copy(update={"monitoring": told})

    def travelling(self) -> Self:
        """The same target as it is started where the clock jumps."""
        timings = Timings.model_validate({**self.timings.model_dump(), **self.travel.timings})
        return self.model_copy(update={"env": {**self.env, **self.travel.env}, "timings": timings})

    def needs(self, placeholder: str) -> bool:
        """Whether the file mentions `${placeholder}` anywhere."""
        return f"${{{placeholder}}}" in self.model_dump_json()

    def filled(self, values: Mapping[str, str]) -> Self:
        """The same target with every `${...}` replaced."""
        return type(self).model_validate(_fill(self.model_dump(), values))


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda found: values[found.group(1)], value)
    if isinstance(value, dict):
        return {key: _fill(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, values) for one in value]
    return value


def _guess(name: str) -> str:
    close = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
    return f" Did you mean ${{{close[0]}}}?" if close else ""
