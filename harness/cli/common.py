"""What several commands need: the target file, the run's folder, the machine and commit, how errors end."""

from __future__ import annotations

import difflib
import os
import platform
import secrets
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from harness.cli.terminal import console, escape
from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken, UsageError
from harness.readiness import benchmarks
from harness.records import RunRecord, TargetInfo
from harness.stack.containers import ContainersEngine
from harness.stack.engine import LOCAL, Engine
from harness.target import Target
from reports import history, trend
from reports.write import point_latest, write_run
from simulators.loopback import is_loopback

OUT = Path("reports/out")

ENGINE = Annotated[
    str,
    typer.Option(
        help="Where PostgreSQL and the AWS endpoint come from: local (from PyPI), or containers "
        "(images GOLIVE_POSTGRES_IMAGE, GOLIVE_AWS_IMAGE)."
    ),
]
LOCAL_ENGINE = LOCAL.name


def find_target(given: str | None) -> tuple[Path, Target]:
    """The target file: the one named, else `golive.toml` here, else the reference's.

    Raises:
        UsageError: it is not there, or cannot be used.
    """
    if given and given != "reference":
        path = Path(given)
    elif not given and Path("golive.toml").exists():
        path = Path("golive.toml")
    else:
        spec = find_spec("reference_impl")
        if spec is None or not spec.submodule_search_locations:
            raise UsageError("The reference is not installed (golive[reference]), and there is no golive.toml here.")
        path = Path(next(iter(spec.submodule_search_locations))) / "target.toml"
    return path, Target.load(path)


def engine_named(name: str, target: Target, screen: Console) -> Engine:
    """The engine of that name, which can start what the target needs.

    Raises:
        UsageError: there is none of that name, or it cannot.
    """
    known: Mapping[str, Engine] = {one.name: one for one in (LOCAL, ContainersEngine(os.environ))}
    if name not in known:
        raise UsageError(f"No engine is called {name!r}.{nearest(name, known)} Known: {', '.join(known)}.")
    engine = known[name]
    engine.ready(target, lambda words: screen.print(escape(words)))
    return engine


def engine_option(name: str) -> str:
    """` --engine containers`, or nothing where the default was meant."""
    return "" if name == LOCAL.name else f" --engine {name}"


def clock_of(at: str | None) -> RunClock:
    """The run's clock: now, or the time that `--at` names."""
    return RunClock.at(at) if at else RunClock.starting_now()


def new_run_folder(out: Path | None) -> tuple[str, Path]:
    """A run id, unique on this machine, and its folder, made.

    Raises:
        UsageError: the folder cannot be made, or is not empty.
    """
    started = "".join(one for one in wall_clock_iso() if one.isalnum())
    run_id = f"{started}-{secrets.token_hex(2)}"
    folder = out or OUT / run_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The run cannot be written to {folder}: {error.strerror}.") from None
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; a run never overwrites another. Give --out a new folder.")
    (folder / "logs").mkdir()
    return run_id, folder


def wall_clock_iso() -> str:
    """The machine's own time, for names and notes; it never goes onto a wire."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251 -- said above


def commit_here() -> str:
    """The commit of the working folder, with `-dirty` where files differ; `unknown` outside git."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def commit_since(began: str) -> str:
    """The commit that a run which began at `began` has tested: with `-dirty` if another is checked out by now."""
    return began if began.endswith("-dirty") or commit_here() == began else f"{began}-dirty"


def benchmarks_of(target: TargetInfo) -> Mapping[str, benchmarks.Evidence]:
    """What the benchmarks have left here, as far as it counts for that target's commit."""
    now_s = datetime.now(UTC).timestamp()  # noqa: TID251 -- how old a file on this machine is
    return benchmarks.read(benchmarks.FOLDER, commit=target.commit, target=target.name, now_s=now_s)


def machine_here() -> str:
    """Enough to know whether two runs can be compared."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def seed_of(given: int | None) -> int:
    """The seed given, or a new one (printed with the run, so that it can be given again)."""
    return secrets.randbelow(10**6) if given is None else given


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn what can go wrong into a sentence and an exit code: 2 ours or usage, 1 the target's, 130 Ctrl-C."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    out = console()
    try:
        yield
    except PromiseBroken as error:
        out.print(f"[bold red]NO GO[/]  {escape(str(error))}")
        raise typer.Exit(1) from None
    except UsageError as error:
        out.print(f"[bold]golive:[/] {escape(str(error))}")
        raise typer.Exit(2) from None
    except HarnessError as error:
        out.print(f"[bold magenta]harness error[/]  {escape(str(error))}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        out.print("stopped; everything that was started has been ended")
        raise typer.Exit(130) from None


def _as_interrupt(*_: object) -> None:
    """SIGTERM is a Ctrl-C, by whatever handles that now: raised inside one of asyncio's tasks it would be told twice,
    and once as a stack trace. Where Ctrl-C is ignored (a shell's background job) SIGTERM is not.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
        return
    with suppress(RuntimeError):  # nothing of asyncio's runs
        import asyncio  # noqa: PLC0415 -- most commands need none

        # The task in which it is raised would tell of it too, as of an error that nobody has fetched.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    raise KeyboardInterrupt


def reproduce_command(
    command: str, *, seed: int, clock: RunClock, target: str | None, allow_host: str | None = None
) -> str:
    """The command that gives the same bytes again."""
    return f"golive {command} --seed {seed} --at {clock.iso()}{target_option(target, allow_host)}"


def options_of(record: RunRecord) -> str:
    """` --target … --allow-host …`, as that run was given them: what every next command needs to be about the same."""
    words = record.command.split(" --")
    return "".join(f" --{one}" for one in words[1:] if one.startswith(("target ", "allow-host ")))


def target_option(target: str | None, allow_host: str | None = None) -> str:
    """` --target mine.toml --allow-host shop.example.com`, or nothing where the default was meant."""
    given = {"--target": target, "--allow-host": allow_host}
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given.items() if value)


def check_host(base_url: str, allowed: str | None, *, what: str) -> None:
    """Return if that may be sent there: to this machine, or to the host that was named.

    Raises:
        UsageError: another machine that nobody has named.
    """
    host = urlsplit(base_url).hostname or ""
    if host != (allowed or "").lower() and not is_loopback(host):
        raise UsageError(f"The target is at {host!r}, not on this machine. {what} there only with --allow-host {host}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _append(path: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise HarnessError(f"{path} cannot be written to: {error.strerror}.") from None


def publish(record: RunRecord, folder: Path, *, load_history: Path | None = None) -> None:
    """Write the run's files; where it lies in the usual place, let `latest` point at it and the trend know it.

    A readiness report judges runs and is none itself: `latest` stays where it is. A load run is added to
    `load_history`, or where none is named to the usual one if it lies in the usual place (`reports.trend`).
    """
    trend_file = load_history or trend.FILE
    write_run(record, folder, history=history.read(OUT), trend_runs=trend.with_load(trend_file, record))
    usual = folder.resolve().parent == OUT.resolve()
    if (line := trend.of_load(record)) is not None and (load_history or usual):
        _append(trend_file, lambda: trend.add(trend_file, line))
    if not usual:
        return
    _append(OUT / history.FILE, lambda: history.add(OUT, record))
    if record.kind != "readiness":
        point_latest(folder)
