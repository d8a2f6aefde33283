"""Setting up: pip's settings carry over to uv, and what a run imports is in the lock that a run installs."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

from tests.rows import each_row

ROOT = Path(__file__).parents[2]
#: What a run of golive imports from: load generators and benchmarks are set up by `make setup-dev`.
RUN = ("harness", "simulators", "scenarios", "reference_impl", "reports")
#: Extras that `golive run` does without, and that only the modules named for them import.
NOT_FOR_A_RUN = {"docker", "testcontainers", "mypy_boto3_cloudwatch", "mypy_boto3_secretsmanager", "mypy_boto3_sqs"}


def settings_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("uv_settings", ROOT / ".ci" / "uv_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULE = settings_module()


@each_row(
    ("lines", "expected"),
    [
        (["global.index-url='https://mine.test/simple'"], ["export UV_DEFAULT_INDEX=https://mine.test/simple"]),
        (
            ["global.extra-index-url='https://a.test/s https://b.test/s'"],
            ["export UV_INDEX='https://a.test/s https://b.test/s'", "export UV_INDEX_STRATEGY=unsafe-best-match"],
        ),
        (["global.find-links='/opt/a /opt/b'"], ["export UV_FIND_LINKS=/opt/a,/opt/b"]),
        (["global.cert='/etc/ca.pem'"], ["export SSL_CERT_FILE=/etc/ca.pem"]),
        (["global.trusted-host='mine.test'"], ["export UV_INSECURE_HOST=mine.test"]),
        (["global.index-url='x'", ":env:.index-url='y'"], ["export UV_DEFAULT_INDEX=y"]),
        ([":env:.index-url='y'", "global.index-url='x'"], ["export UV_DEFAULT_INDEX=y"]),
        (["global.index-url='x'", "install.index-url='z'"], ["export UV_DEFAULT_INDEX=z"]),
        (["freeze.timeout='3'", "global.timeout='3'", "nonsense"], []),
        ([], []),
    ],
)
def test_pip_settings_become_settings_of_uv(lines: list[str], expected: list[str]) -> None:
    assert MODULE.assignments(MODULE.pip_settings(lines), {}) == expected


def test_setting_that_uv_has_already_stays() -> None:
    settings = MODULE.pip_settings(["global.index-url='x'", "global.cert='y'"])
    assert MODULE.assignments(settings, {"UV_DEFAULT_INDEX": "mine"}) == ["export SSL_CERT_FILE=y"]


def test_setting_cannot_break_out_of_its_quotes() -> None:
    settings = {"index-url": ["https://mine.test/$(touch /tmp/x)'"]}
    (line,) = MODULE.assignments(settings, {})
    assert line == "export UV_DEFAULT_INDEX='https://mine.test/$(touch /tmp/x)'\"'\"''"


def imported_by_a_run() -> set[str]:
    """Top-level names that the product imports, wherever in a file."""
    found = set()
    for folder in RUN:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {one.name.partition(".")[0] for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - {*sys.stdlib_module_names, *RUN, "load", *NOT_FOR_A_RUN}


def test_what_a_run_imports_is_in_its_lock() -> None:
    text = (ROOT / "requirements-run.lock").read_text(encoding="utf-8")
    locked = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[.*\])?==", text)}
    distributions = packages_distributions()
    missing = {
        name: distributions.get(name)
        for name in imported_by_a_run()
        if not {re.sub(r"[-_.]+", "-", one).lower() for one in distributions.get(name, [])} & locked
    }
    assert missing == {}
