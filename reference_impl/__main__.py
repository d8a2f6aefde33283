"""`python -m reference_impl COMMAND`: the pipeline's processes and its operator's commands.

Each command imports only what it needs: these start often.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

from reference_impl import complaints, logs
from reference_impl.settings import BadSettings, Settings

_IN_FLIGHT_S = 10.0
"""How long a request may take that was under way when the web process stopped accepting."""


def _migrate(args: argparse.Namespace, settings: Settings) -> int:
    from reference_impl.db.migrate import migrate  # noqa: PLC0415 -- Alembic is slow to import

    migrate(settings.session_url, args.down or "head")
    return 0


def _aws_create(_: argparse.Namespace, settings: Settings) -> int:
    from reference_impl import bootstrap, queues, sealing  # noqa: PLC0415 -- boto3 is slow to import

    queues.create(bootstrap.sqs_client(), settings)
    store = bootstrap.secret_store()
    if not store.data_keys():
        store.add_data_key(sealing.new_key(), now_s=time.time(), keep_s=0)
    return 0


def _action(name: str) -> Callable[[argparse.Namespace, Settings], int]:
    """A single command that carries out one action: its input on standard input, its output on standard output."""

    def run(args: argparse.Namespace, settings: Settings) -> int:
        from reference_impl import operations, provisioning  # noqa: PLC0415 -- boto3 is slow to import

        try:
            given = provisioning.parsed(args.json.read()) if "json" in args else args.given(args)
            with closing(operations.Resources(settings)) as resources:
                output = operations.carry_out(name, given, resources)
        except provisioning.NotProvisioned as error:
            print(json.dumps({"error": str(error)}))  # noqa: T201 -- the command's answer
            return 1
        print(json.dumps(output))  # noqa: T201 -- the command's answer
        return 0

    return run


def _operate(_: argparse.Namespace, settings: Settings) -> int:
    from reference_impl import operate  # noqa: PLC0415 -- boto3 is slow to import

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not stand between the answers
    return operate.serve(settings, requests, answers)


def _analytics(args: argparse.Namespace, settings: Settings) -> int:
    from reference_impl import bootstrap  # noqa: PLC0415 -- boto3 is slow to import
    from reference_impl.analytics import rollup  # noqa: PLC0415 -- keeps the other commands light

    with bootstrap.connect(settings) as connection:
        done = rollup.refresh(connection) if args.rebuild is None else rollup.rebuild(connection, since=args.rebuild)
    print(json.dumps({"changes": done.changes, "took_ms": done.took_ms}))  # noqa: T201 -- the command's answer
    return 0


def _web(args: argparse.Namespace, settings: Settings) -> int:
    from granian.constants import Interfaces  # noqa: PLC0415 -- the web process only
    from granian.log import LogLevels  # noqa: PLC0415 -- likewise
    from granian.server import Server  # noqa: PLC0415 -- likewise

    server = Server(
        "reference_impl.bootstrap:web_app",
        factory=True,
        address=args.host,
        port=args.port,
        interface=Interfaces.WSGI,
        workers=settings.web_workers,
        blocking_threads=settings.web_threads,
        backlog=2048,
        log_access=False,
        log_level=LogLevels.error,
        workers_kill_timeout=math.ceil(settings.web_drain_s + _IN_FLIGHT_S),
    )
    server.serve()
    return 0


def _process(name: str) -> Callable[[argparse.Namespace, Settings], int]:
    def run(_: argparse.Namespace, settings: Settings) -> int:
        from reference_impl.dispatch import commands  # noqa: PLC0415 -- boto3 is slow to import

        runner: Callable[[Settings], int] = getattr(commands, f"run_{name}")
        return runner(settings)

    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_impl", description="The reference pipeline.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="bring the schema up to date, or take it back")
    migrate.add_argument("--down", metavar="REV", help="go back: a number of steps like -1, or base")
    migrate.set_defaults(run=_migrate)
    aws = commands.add_parser("aws", help="what is kept in AWS").add_subparsers(required=True, metavar="ACTION")
    aws.add_parser("create", help="the queues and a data key; again is no error").set_defaults(run=_aws_create)
    groups = {
        group: commands.add_parser(group, help=told).add_subparsers(required=True, metavar="ACTION")
        for group, told in (
            ("tenant", "tenants, their Meta tokens and their gateways' secrets"),
            ("flag", "what is switched on, held or off"),
            ("allowlist", "from where gateways may deliver"),
            ("person", "what is stored of one person"),
            ("user", "who may log in to the dashboard"),
        )
    }
    for group, command, action, told in (
        ("tenant", "create", "provision", "make tenants known, all at once; again replaces them"),
        ("tenant", "token", "set_meta_token", "give a tenant a new Meta token"),
        ("tenant", "secret", "rotate_secret", "give a gateway a new secret beside the old one, or end the old one"),
        ("flag", "set", "set_flag", "switch a gateway, a tenant, or one at the other: on, hold, off"),
        ("allowlist", "set", "set_allowlist", "say from which addresses a gateway may deliver"),
        ("person", "export", "export_person", "everything that is stored of one person at one tenant"),
        ("person", "erase", "erase_person", "take one person out of everything at one tenant"),
        ("user", "create", "create_user", "let a tenant's user log in to the dashboard; again gives a new password"),
        ("user", "delete", "delete_user", "let a user in no longer"),
    ):
        _takes_json(groups[group].add_parser(command, help=told), _action(action))
    keys = commands.add_parser("keys", help="the data keys").add_subparsers(required=True, metavar="ACTION")
    rotate = keys.add_parser("rotate", help="a new key seals; the old ones still open what they have sealed")
    rotate.set_defaults(run=_action("rotate_keys"), given=lambda _: {})
    operate = commands.add_parser("operate", help="carry out all of these: a JSON request a line, an answer a line")
    operate.set_defaults(run=_operate)
    analytics = commands.add_parser("analytics", help="bring the numbers up to date")
    analytics.add_argument(
        "--rebuild", metavar="SINCE", type=_moment, help="count again what was received since 2026-03-01T00:00Z"
    )
    analytics.set_defaults(run=_analytics)
    _takes_json(commands.add_parser("event-id", help="compute a sale's event id"), _action("event_id"))
    web = commands.add_parser("web", help="the front door")
    web.add_argument("--host", default="127.0.0.1")
    web.add_argument("--port", type=int, default=8000)
    web.set_defaults(run=_web)
    for name, told in (
        ("relay", "moves the outbox to SQS"),
        ("consumer", "moves SQS to Meta"),
        ("scheduler", "renews tokens, finds strays, tidies up"),
    ):
        commands.add_parser(name, help=told).set_defaults(run=_process(name))
    redrive = commands.add_parser("redrive", help="put dead letters back into the outbox")
    redrive.add_argument("--accept-duplicates", action="store_true", help="also what Meta may have counted long ago")
    redrive.set_defaults(run=_action("redrive"), given=lambda args: {"accept_duplicates": args.accept_duplicates})
    return parser


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError("say the zone too, like 2026-03-01T00:00Z")
    return found


def _takes_json(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace, Settings], int]) -> None:
    parser.add_argument("--json", type=argparse.FileType("r"), default="-", help="a file; - is standard input")
    parser.set_defaults(run=run)


def main() -> int:
    """Run one command; what can go wrong is one sentence and exit code 2, never a trace."""
    args = _parser().parse_args()
    try:
        settings = Settings.from_env(os.environ)
        logs.set_up(settings.log_level)
        code: int = args.run(args, settings)
    except BadSettings as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 -- an operator gets a sentence; the type says where to look
        return _complain(f"{args.command} failed: {complaints.sentence(error)}")
    return code


def _complain(sentence: str) -> int:
    sys.stderr.write(f"reference_impl: {sentence}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
