"""The CI files that users copy: valid by the vendors' own schemas, careful, and true of our Makefile and options."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.command_line import golive
from tests.rows import each_row

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github" / "workflows" / "golive.yml"
GITLAB = ROOT / "examples" / "ci" / ".gitlab-ci.yml"
COMPOSE = ROOT / "compose.yaml"
BIN = Path(sys.executable).parent


@each_row(
    ("schema", "file"),
    [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB), ("vendor.compose-spec", COMPOSE)],
)
def test_it_is_valid_by_the_vendors_schema(schema: str, file: Path) -> None:
    """The schemas come in check-jsonschema's wheel; nothing is fetched."""
    argv = [BIN / "check-jsonschema", "--builtin-schema", schema, file]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_to_object_to() -> None:
    """Injection by templates, credentials that stay, too many permissions, unpinned actions."""
    argv = [
        BIN / "zizmor",
        "--offline",
        "--no-progress",
        "--persona=pedantic",
        "--config",
        ROOT / ".github" / "zizmor.yml",
        GITHUB,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_may_read_and_nothing_else() -> None:
    """Least permissions, old runs of a pull request ended, every job with a limit, every action with a version."""
    told = yaml.safe_load(GITHUB.read_text(encoding="utf-8"))
    assert told["permissions"] == {"contents": "read"}
    assert told["concurrency"]["group"]
    for job in told["jobs"].values():
        assert job["timeout-minutes"]
        assert "permissions" not in job
        for step in job["steps"]:
            assert re.fullmatch(r"[\w./-]+@v\d+", step.get("uses", "a@v1"))


def commands() -> list[str]:
    """Every shell command that either file runs."""
    github = yaml.safe_load(GITHUB.read_text(encoding="utf-8"))
    gitlab = yaml.safe_load(GITLAB.read_text(encoding="utf-8"))
    found = [step["run"] for job in github["jobs"].values() for step in job["steps"] if "run" in step]
    jobs: list[dict[str, Any]] = [one for one in gitlab.values() if isinstance(one, dict)]
    return found + [line for job in jobs for line in (*job.get("before_script", ()), *job.get("script", ()))]


@cache
def help_of(name: str) -> str:
    """What `golive NAME --help` says."""
    done = golive(name, "--help", env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_command_is_one_that_there_is() -> None:
    """Targets of our Makefile, and options that `golive --help` names."""
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert {one for text in commands() for one in re.findall(r"\bmake ([a-z-]+)", text)} <= targets | {"bench"}
    checked = 0
    for text in commands():
        for name, rest in re.findall(r"golive (run|load)\b((?:.|\n)*)", text):
            told = help_of(name)
            for option in re.findall(r"(--[a-z-]+)", rest):
                assert option in told, (name, option)
                checked += 1
    assert checked >= 10


def test_compose_publishes_on_loopback_only() -> None:
    """And runs nothing with more rights than it needs."""
    for service in yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"].values():
        assert service["ports"]
        assert all(str(one).startswith("127.0.0.1:") for one in service["ports"])
        assert service["cap_drop"] == ["ALL"]
        assert not service.get("privileged")


def test_run_lock_is_what_we_test_with() -> None:
    """requirements-run.lock is a part of requirements.lock, hashes and all; `make lock` writes both again."""

    def entries(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        return {" ".join(re.sub(r";.*?(?= --hash|$)", "", line).split()) for line in text.splitlines() if "==" in line}

    run = entries("requirements-run.lock")
    assert len(run) > 50
    assert run <= entries("requirements.lock")
