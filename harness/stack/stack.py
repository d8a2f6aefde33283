"""The stack of a run: what the target needs, the target itself, and one owner of it all.

What is started follows from the target file: only what it names with `${...}`. Children are started from the
main thread in an order that overlaps their start-up; nothing listens anywhere but on 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests

from harness.clock import RunClock
from harness.errors import HarnessError, PromiseBroken
from harness.probes.queue import QueueProbe
from harness.stack.aws import CREDENTIALS
from harness.stack.aws_faults import AwsFaults
from harness.stack.breaking import Breaking
from harness.stack.control import ControlServer, Handler
from harness.stack.engine import LOCAL, Database, Engine, Part
from harness.stack.fork_server import Process
from harness.stack.network import PLACEHOLDERS, Links
from harness.stack.operator import Operator
from harness.stack.ports import free_port
from harness.stack.processes import Child, Death, Nursery, how_it_ended, tail, wait_ready
from harness.stack.simulators import LocalSimulator
from harness.target import SERVE, Command, Target
from harness.tenants import Tenant

#: A part of ours that is not up after this long will not come up.
PART_READY_S = 30

#: For so long a command of the target's may run, or a URL of its keep us waiting.
COMMAND_LIMIT_S = 90

#: The child that carries out the target's actions, beside its processes.
OPERATOR = "operator program"

#: How far a travelling target's clock may be from the run's.
CLOCK_TOLERANCE_S = 10


class Stack:
    """Everything that runs while a target is judged; a context manager that leaves nothing behind."""

    def __init__(
        self,
        target: Target,
        *,
        clock: RunClock,
        seed: int,
        logs: Path,
        on_death: Callable[[Death], None],
        phase: Callable[[str], None] = lambda _: None,
        meta_options: Sequence[str] = (),
        aws_faults: bool = False,
        engine: Engine = LOCAL,
    ) -> None:
        self._wanted = target
        self.target = target
        self.clock = clock
        self.seed = seed
        self.logs = logs
        self._values: dict[str, str] = {}
        self._phase = phase
        self._meta_options = tuple(meta_options)
        self.timings: dict[str, float] = {}
        # Short, because a Unix socket's path may have about 100 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="golive-", dir="/tmp"))
        self.folder.chmod(0o755)  # PostgreSQL may be another OS user's
        # Where the target's own files go that have no other place: it is searched, and removed.
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir(mode=0o700)
        self.nursery = Nursery(on_death)
        self.nursery.sweep_later(self.folder)
        self.popen: Callable[..., Process] = subprocess.Popen
        """How the target's processes are started."""
        self.meta_url = ""
        self._control: ControlServer | None = None
        self.engine = engine
        self._database: Database | None = None
        self._aws: Part | None = None
        self._links: Links | None = None
        self._aws_faults = AwsFaults() if aws_faults and target.needs("aws_url") else None
        """Stands between the target and its AWS, so that AWS can fail; not in load runs, which it would slow."""
        self._operator = Operator(self._start_operator, limit_s=COMMAND_LIMIT_S)
        self._provisioned: set[str] = set()
        self._provision_lock = threading.Lock()
        self.tenants: dict[str, Tenant] = {}

    # -- start and stop ---------------------------------------------------------------------------------------

    def start(self, *, operations: Mapping[str, Handler] | None = None) -> None:
        """Bring everything up, or raise a HarnessError (ours) or PromiseBroken (the target's)."""
        self._timed("fakes and database", self._start_parts)
        self._timed("target prepared", self._prepare)
        self._timed("target ready", self._start_target)
        self._control = ControlServer(self.control_path, {**self._operations(), **(operations or {})})
        self._write_info()

    def _timed(self, phase: str, work: Callable[[], None]) -> None:
        self._phase(phase)
        began = time.monotonic()
        work()
        self.timings[phase] = time.monotonic() - began

    @property
    def wanted(self) -> Target:
        """The target as its file describes it, before anything was filled in."""
        return self._wanted

    @property
    def control_path(self) -> Path:
        """Where scenario processes ask for things only the owner may do."""
        return self.folder / "control.sock"

    @property
    def info_path(self) -> Path:
        """What scenario processes read first."""
        return self.folder / "stack.json"

    def _start_parts(self) -> None:
        wanted = self._wanted
        values = dict.fromkeys(("meta_url", "aws_url", "database_url", "cloudwatch_url"), "") | {
            "port": str(free_port())
        }
        env = self._base_env()
        meta, aws = LocalSimulator("meta"), self.engine.aws()
        self._aws = aws
        waits: list[Callable[[], None]] = []
        offset = ("--clock-offset-s", str(self.clock.offset_s)) if self.clock.offset_s else ()
        meta_child = meta.start(
            self.nursery,
            env=env,
            log=self.logs / "fake-meta.log",
            options=(*offset, *self._meta_options),
            port=wanted.meta_port or 0,
        )
        waits.append(lambda: meta.wait_ready(meta_child, within_s=PART_READY_S))
        if wanted.needs("aws_url"):
            aws_child = aws.start(self.nursery, env={**self._part_env(), **CREDENTIALS}, log=self.logs / "aws.log")
            waits.append(lambda: aws.wait_ready(aws_child, within_s=self.engine.ready_s))
        cloudwatch = LocalSimulator("cloudwatch")
        if wanted.needs("cloudwatch_url"):
            log = self.logs / "fake-cloudwatch.log"
            clock = () if self._parts_travel() else offset
            cloudwatch_child = cloudwatch.start(self.nursery, env=self._part_env(), log=log, options=clock)
            waits.append(lambda: cloudwatch.wait_ready(cloudwatch_child, within_s=PART_READY_S))
        if (faults := self._aws_faults) is not None:
            faults_child = faults.start(self.nursery, env=env, log=self.logs / "aws-faults.log")
            waits.append(lambda: faults.wait_ready(faults_child, within_s=PART_READY_S))
        if wanted.needs("database_url"):
            database = self._database = self.engine.database(self.folder / "pg")
            database.prepare()
            postgres = database.start(self.nursery, env=self._part_env(), log=self.logs / "postgres.log")
            waits.append(lambda: database.wait_ready(postgres, within_s=self.engine.ready_s))
            values["database_url"] = database.url
        with ThreadPoolExecutor(len(waits)) as pool:
            for done in [pool.submit(wait) for wait in waits]:
                done.result()
        self.meta_url = values["meta_url"] = meta.url
        values["aws_url"], values["cloudwatch_url"] = aws.url, cloudwatch.url
        probes = wanted.filled(values).probes  # what looks at AWS sees past its faults
        if self._aws_faults is not None:
            self._aws_faults.call("PUT", "/upstream", {"url": aws.url})
            values["aws_url"] = self._aws_faults.url
        self._values = values
        self.target = wanted.filled(values).model_copy(update={"probes": probes})

    def _base_env(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GOLIVE_"))}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
        env["PYTHONUNBUFFERED"] = "1"
        return env

    def _part_env(self) -> dict[str, str]:
        """What the database and the AWS endpoint see."""
        return self._base_env()

    def _parts_travel(self) -> bool:
        """Whether that environment moves their clocks."""
        return False

    @property
    def cloudwatch_url(self) -> str:
        """Where the target's metrics are kept; empty: the target says no `${cloudwatch_url}`."""
        return self._values.get("cloudwatch_url", "")

    def target_env(self) -> dict[str, str]:
        """What the target's processes and commands see."""
        scratch = {"TMPDIR": str(self.scratch)}
        return {**self._base_env(), **scratch, **CREDENTIALS, **self.target.env, **self._clock_env()}

    def _clock_env(self) -> dict[str, str]:
        """What puts a process of the target into this run's time."""
        return self.clock.child_env()

    def _prepare(self) -> None:
        for argv in self.target.prepare:
            self.command(argv, what="prepare")

    def ask(self, command: Command, *, what: str, given: str) -> str:
        """JSON in, JSON out: by the operator program, by a command, or by a POST to a URL.

        Raises:
            PromiseBroken: it failed or took too long; with the end of what it said.
        """
        if command == SERVE:
            return json.dumps(self._operator.ask(what, json.loads(given)))
        if not isinstance(command, str):
            return self.command(command, what=what, given=given)
        headers = {"Content-Type": "application/json"}
        try:
            with requests.Session() as http:
                http.trust_env = False
                answer = http.post(command, data=given.encode(), headers=headers, timeout=COMMAND_LIMIT_S)
        except requests.RequestException as error:
            raise PromiseBroken(f"the target's {what} could not be asked at {command}: {_why(error)}") from None
        if not answer.ok:
            raise PromiseBroken(f"the target's {what} at {command} answered {answer.status_code}: {answer.text[:800]}")
        return answer.text

    def command(self, argv: Sequence[str], *, what: str, given: str = "") -> str:
        """Run one of the target's commands to its end; its standard output.

        Raises:
            PromiseBroken: it failed or took too long; with the end of what it said.
        """
        log = self.logs / f"target-{what}.log"
        try:
            done = subprocess.run(
                list(argv),
                input=given,
                capture_output=True,
                text=True,
                env=self.target_env(),
                timeout=COMMAND_LIMIT_S,
                check=False,
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise PromiseBroken(f"the target's {what} command could not be run: {error}") from None
        with log.open("a", encoding="utf-8") as out:
            out.write(done.stderr)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-800:] or "it wrote nothing"
            raise PromiseBroken(f"the target's {what} command {' '.join(argv)!r} ended with {done.returncode}: {said}")
        return done.stdout

    def _start_operator(self) -> Child:
        argv, log = self.target.actions[SERVE], self.logs / "target-operator.log"
        env = self.target_env()
        return self.nursery.start(OPERATOR, argv, owner="target", env=env, log=log, piped=True, popen=self.popen)

    def _start_target(self) -> None:
        for role in self.target.start:
            self._start_role(role)
        if self.target.start:
            self._wait_for_target()

    def _start_role(self, role: str) -> Child:
        log = self.logs / f"target-{role}.log"
        target = self._wanted.filled(self._role_values()) if self._links else self.target
        env = {**self.target_env(), **target.env, **self._clock_env()}
        return self.nursery.start(role, target.start[role], owner="target", env=env, log=log, popen=self.popen)

    def _role_values(self) -> dict[str, str]:
        """What `${...}` is for the target's processes: behind the links, once there are any."""
        return {**self._values, **(self._links.values if self._links else {})}

    def _wait_for_target(self) -> None:
        date = self._wait_for(self.nursery.get(next(iter(self.target.start))), self.target.base_url)
        if self.clock.offset_s:
            self._prove_travel(date)

    def _wait_for(self, web: Child, base_url: str) -> str:
        """Return once it is ready: the Date header of its answer."""
        date: list[str] = []
        http = requests.Session()  # one for all looks: making one costs more than a look
        http.trust_env = False

        def complaint() -> str | None:
            try:
                answer = http.get(base_url + self.target.paths.ready, timeout=2)
            except requests.RequestException:
                return f"nothing answers at {base_url}"
            date[:] = [answer.headers.get("Date", "")]
            return None if answer.ok else f"{self.target.paths.ready} answers {answer.status_code} {answer.text[:200]}"

        try:
            with http:
                wait_ready(web, complaint, within_s=self.target.timings.start_s)
        except HarnessError as error:
            raise PromiseBroken(f"the target did not become ready: {error}") from None
        return date[0]

    def _prove_travel(self, date: str) -> None:
        if not date:
            raise HarnessError("--at cannot be proved: the target's answers carry no Date header.")
        off_s = parsedate_to_datetime(date).timestamp() - self.clock.now_s()
        if abs(off_s) > CLOCK_TOLERANCE_S:
            raise HarnessError(f"--at did not reach the target: its clock is {off_s:+.0f} s from the run's.")

    def exchange(self, wanted: Target, *, seed: int, logs: Path, name: str) -> None:
        """End the target's processes and start another make of them; all else stays warm (`golive prove`).

        Our own PostgreSQL gives it a database of its own, `name`, as `prepare` left the first one; the queues are
        emptied. So what the one before has left behind is not there.

        Raises:
            PromiseBroken: it does not become ready.
        """
        self._operator.close()
        for child in [self.nursery.get(one) for one in self.nursery.names("target")]:
            child.kill()
        if self._links is not None:  # they lead to the port and the database of the one before
            self._links.stop()
            self._links = None
        self._values["port"] = str(free_port())
        if self._database is not None:
            self._values["database_url"] = self._database.copy(name)
        self._wanted, self.seed, self.logs = wanted, seed, logs
        self.target = wanted.filled(self._values)
        self.tenants = {}
        self._empty_queues()
        self._start_target()
        self._write_info()

    def _empty_queues(self) -> None:
        probes = self.target.probes
        if probes.aws_url:
            for queue in filter(None, (probes.queue, probes.dead_letters)):
                QueueProbe(probes.aws_url, queue).purge()

    def stop(self) -> None:
        """End everything and remove the work folder; safe to call twice."""
        if self._control:
            self._control.close()
            self._control = None
        self.nursery.stop_all()
        self._operator.close()
        for part in filter(None, (self._database, self._aws)):
            part.discard()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_info(self) -> None:
        info = {
            "seed": self.seed,
            "clock": {"origin_s": self.clock.origin_s, "offset_s": self.clock.offset_s},
            "meta_url": self.meta_url,
            "control": str(self.control_path),
            "target": self.target.model_dump(),
        }
        self.info_path.touch(mode=0o600)
        self.info_path.write_text(json.dumps(info), encoding="utf-8")

    # -- what scenario processes may ask for ------------------------------------------------------------------

    def _operations(self) -> dict[str, Handler]:
        return {
            "provision": lambda request: self.provision([Tenant.from_json(one) for one in request["tenants"]]),
            "action": lambda request: self.act(request["name"], request["input"]),
            "kill": lambda request: self.kill(request["role"]),
            "start": lambda request: self.restart(request["role"]),
            "stop": lambda request: self.stop_role(request["role"], within_s=request["within_s"]),
            "replica": lambda request: self.start_replica(request["role"], request["name"]),
            "restore": lambda _: self.restore(),
            "crash_database": lambda _: self.crash_database(),
            "shell": lambda request: self.shell(request["script"]),
            "on_call_shell": lambda _: str(self.on_call_shell()),
            "network": lambda _: self.network(),
            **Breaking(
                self.nursery,
                database=lambda: self._database,
                start_database=self._start_database,
                start_role=self._start_role,
                aws=lambda: self._aws_faults,
            ).operations(),
        }

    def provision(self, tenants: Sequence[Tenant]) -> None:
        """Make tenants known to the target and their pixels to the fake Meta; once each, all in one command."""
        with self._provision_lock:
            new = [one for one in tenants if one.tenant not in self._provisioned]
            if not new:
                return
            given = json.dumps({"tenants": [one.to_json() for one in new]})
            self.ask(self.target.tenants.provision, what="provision", given=given)
            with requests.Session() as session:
                for one in new:
                    body = {"tokens": [{"token": one.meta_token, "expires_at_s": None, "state": "valid"}]}
                    session.put(
                        f"{self.meta_url}/_golive/pixels/{one.pixel_id}", json=body, timeout=5
                    ).raise_for_status()
            self._provisioned.update(one.tenant for one in new)
            self.tenants.update({one.tenant: one for one in new})

    def act(self, name: str, given: Mapping[str, Any]) -> str:
        """Run one of the target's actions.

        Raises:
            HarnessError: the target file declares no such action.
        """
        if name == SERVE or name not in self.target.actions:
            raise HarnessError(f"the target file declares no action {name!r}; add it under [target.actions]")
        return self.ask(self.target.actions[name], what=name, given=json.dumps(given))

    def shell(self, script: str) -> dict[str, Any]:
        """What somebody on call types, with what they have: the target's environment, AWS's CLI, psql, its commands.

        `code` is the exit code, and `said` what was printed; what outlasts `COMMAND_LIMIT_S` is killed, and is 124.
        """
        env = self._on_call_env()
        child = subprocess.Popen(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
            start_new_session=True,
        )
        try:
            said, _ = child.communicate(timeout=COMMAND_LIMIT_S)
            code = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            said, code = child.communicate()[0], 124
        with (self.logs / "on-call.log").open("a", encoding="utf-8") as out:
            out.write(said)
        return {"code": code, "said": said}

    def _on_call_env(self) -> dict[str, str]:
        env = self.target_env()
        if self._database is not None and (tools := self._database.tools):
            env["PATH"] += f"{os.pathsep}{tools}"  # behind a psql of the machine's own
        return env

    def on_call_shell(self) -> Path:
        """A program that opens the bash of somebody on call; it is gone with the stack. With arguments, bash's own."""
        path = self.folder / "on-call"
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self._on_call_env().items())
        path.touch(mode=0o700)  # it holds what the target's processes are given, passwords too
        path.write_text(
            f"#!/usr/bin/env bash\n{exports}export PS1='on-call$ '\nexec bash --norc \"$@\"\n", encoding="utf-8"
        )
        return path

    def kill(self, role: str) -> None:
        """Kill one of the target's processes as `kill -9` does, and wait until it is gone."""
        self.nursery.get(role).kill()

    def restart(self, role: str) -> None:
        """Start one of the target's processes again; wait until the target is ready."""
        self._start_role(role)
        self._wait_for_target()

    def crash_database(self) -> bool:
        """Kill every process of the run's own PostgreSQL as `kill -9` does, and start it again on what it has left.

        False where the database is somebody else's: nothing was done.

        Raises:
            HarnessError: it does not come back.
        """
        database = self._database
        if database is None:
            return False
        database.crash(self.nursery.get("postgres"), within_s=self.engine.ready_s)
        self._start_database()
        return True

    def _start_database(self) -> None:
        """Start the run's own PostgreSQL on what it has left, if it does not run; wait until it answers."""
        database = self._database
        if database is None or self.nursery.get("postgres").running():
            return
        postgres = database.start(self.nursery, env=self._part_env(), log=self.logs / "postgres.log")
        database.wait_ready(postgres, within_s=self.engine.ready_s)

    def network(self) -> dict[str, Any]:
        """Put proxies between the target and what it needs, once a run: its processes are started again behind them.

        `control_url` and `links` (name -> URL), or `why_not`: then nothing was done.

        Raises:
            HarnessError: the proxies do not come up. PromiseBroken: the target does not end, or come back.
        """
        if not self.target.start:
            return {"why_not": "the harness does not start the target, so it cannot stand in its way"}
        if self._links is None:
            links = Links()
            links.start(self.nursery, env=self._base_env(), log=self.logs / "network.log")
            self._open_links(links)
            for role in reversed(self.target.start):
                self.stop_role(role, within_s=self.target.timings.stop_s)
            self._links = links
            self._start_target()
        return {"control_url": self._links.control_url, "links": self._links.urls}

    def _open_links(self, links: Links) -> None:
        """One for each part that the target's processes are told of by `${...}`."""
        told = json.dumps([self._wanted.env, self._wanted.start])
        wanted = {name for name, placeholder in PLACEHOLDERS.items() if f"${{{placeholder}}}" in told}
        if "database" in wanted and self._database is not None:
            self._database.link(links, self._values["database_url"], through=self.folder / "net")
        for name in ("aws", "meta"):
            if name in wanted:
                links.to_http(name, self._values[PLACEHOLDERS[name]])
        if self.target.base_url.startswith("http://"):
            links.to_http("target", self.target.base_url)

    def stop_role(self, role: str, *, within_s: float) -> None:
        """Ask one of the target's processes, or a replica of one, to end as a deployment does: SIGTERM, and time.

        Raises:
            PromiseBroken: it had to be killed, or ended with a complaint.
        """
        child = self.nursery.get(role)
        child.ask_to_stop()
        child.ensure_stopped(within_s=within_s)
        if child.process.returncode:
            raise PromiseBroken(
                f"asked to end with SIGTERM, {role} {how_it_ended(child.process.returncode)} (it had {within_s:g} s); "
                f"the end of {child.log}:\n{tail(child.log)}"
            )

    def start_replica(self, role: str, name: str) -> str | None:
        """Start one more of a role's processes on a port of its own; its base URL, once it is ready.

        None where neither its command nor the environment says `${port}`: a second one would take the first's.

        Raises:
            PromiseBroken: it does not become ready.
        """
        if not any("${port}" in word for word in (*self._wanted.start[role], *self._wanted.env.values())):
            return None
        twin = self._wanted.filled({**self._role_values(), "port": str(free_port())})
        env = {**self.target_env(), **twin.env}
        log = self.logs / f"target-{name}.log"
        child = self.nursery.start(name, twin.start[role], owner="target", env=env, log=log, popen=self.popen)
        self._wait_for(child, twin.base_url)
        return twin.base_url

    def restore(self) -> None:
        """End every replica; start what of the target's own processes does not run."""
        for name in self.nursery.names("target"):
            if name not in (*self.target.start, OPERATOR) and self.nursery.get(name).running():
                self.nursery.get(name).kill()
        for role in self.target.start:
            if not self.nursery.get(role).running():
                self.restart(role)


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectionError):
        return "nothing answers there"
    return f"no answer within {COMMAND_LIMIT_S} s" if isinstance(error, requests.Timeout) else type(error).__name__
