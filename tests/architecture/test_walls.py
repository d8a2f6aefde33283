"""The walls of the design are executable: a planted forbidden import is caught, and nothing is reached by stealth."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rows import each_row

ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "simulators", "scenarios", "load", "reference_impl", "reports")


PLANTED = [
    ("reference_impl/domain/planted.py", "import simulators", "The reference is an island"),
    ("reference_impl/domain/planted.py", "import requests", "domain and gateways do no I/O"),
    ("simulators/meta/planted.py", "import harness.records", "The simulators are an island"),
    ("simulators/gateways/_planted.py", "import requests", "fakes' rules and the checks do no I/O"),
    ("harness/checks/planted.py", "import reports", "Only the command line writes reports"),
    ("harness/cli/planted.py", "import reference_impl", "The harness only launches"),
    ("harness/probes/planted.py", "import harness.cli.common", "The command line is the roof"),
    ("reports/planted.py", "import simulators", "Reports know the records"),
    ("scenarios/smoke/planted.py", "import harness.stack.stack", "Scenarios speak in the words"),
    ("scenarios/smoke/planted.py", "import reference_impl", "Scenarios speak in the words"),
    ("scenarios/smoke/planted.py", "import scenarios.saboteurs", "Nothing imports the saboteurs"),
    ("harness/cli/planted.py", "import scenarios.saboteurs", "Nothing imports the saboteurs"),
    ("load/planted.py", "import psycopg", "keeps databases and AWS out"),
    ("harness/planted.py", "import locust", "Only load imports locust"),
]


def numbered(place: str, row: int) -> str:
    """The file of one row: each plants its own, so that all can stand there at once."""
    return place.replace("planted.py", f"planted_{row}.py")


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What import-linter says of each broken contract, by its name, of a copy in which everything is planted."""
    folder = tmp_path_factory.mktemp("walls")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for row, (place, planted, _) in enumerate(PLANTED):
        (folder / numbered(place, row)).write_text(f'"""Planted."""\n\n{planted}\n', encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(folder), "COLUMNS": "300"},  # a contract a line
    )
    assert done.returncode != 0, done.stdout[-2000:]
    broken = [line.partition(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line]
    parts = re.split(r"(?m)^(.+)\n-+$", done.stdout.partition("\nBroken contracts\n")[2])
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert sorted(found) == sorted(broken), done.stdout[-2000:] + done.stderr[-500:]
    return found


@each_row(("row", "place", "planted", "contract"), [(row, *one) for row, one in enumerate(PLANTED)])
def test_a_planted_import_breaks_its_contract(
    row: int, place: str, planted: str, contract: str, sections: Mapping[str, str]
) -> None:
    """Each wall, climbed once, is reported by its own contract, with who climbed it and whither."""
    climber = numbered(place, row).removesuffix(".py").replace("/", ".")
    wanted = f"- {climber} -> {planted.removeprefix('import ')} (l.3)"
    said = [re.sub("- +", "- ", text) for name, text in sections.items() if contract in name]
    assert len(said) == 1, sorted(sections)
    assert wanted in said[0], said[0]


def test_the_command_line_does_not_load_the_reference() -> None:
    """Not by name, not dynamically: after `golive --help` the reference and locust are not in the process."""
    code = (
        "import sys, pkgutil, importlib, harness.cli as home\n"
        "for one in pkgutil.iter_modules(home.__path__): importlib.import_module(f'harness.cli.{one.name}')\n"
        "print([name for name in ('reference_impl', 'load', 'scenarios', 'locust', 'flask') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"


def core_names() -> set[str]:
    """What may be imported where golive was installed without extras: modules of its dependencies, and of theirs."""
    wanted, found = ["golive"], set[str]()
    while wanted:
        name = wanted.pop()
        key = canonicalize_name(name)
        if key in found:
            continue
        found.add(key)
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:  # of another platform
            continue
        for text in requires:
            one = Requirement(text)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras_of[key])):
                extras_of[canonicalize_name(one.name)] |= one.extras
                wanted.append(one.name)
    return {
        module
        for module, owners in packages_distributions().items()
        if any(canonicalize_name(owner) in found for owner in owners)
    }


extras_of: defaultdict[str, set[str]] = defaultdict(set)
"""Extras that a dependency is asked for with: `psycopg[binary]`."""


def test_every_command_is_there_without_extras() -> None:
    """`golive --help` of a plain install once ended in a stack trace: a module of an extra was imported at the top."""
    ours = {"harness", "simulators", "scenarios", "reports", "load", "reference_impl"}
    code = (
        "import sys, importlib.metadata as m\n"
        "allowed = set(sys.argv.pop(1).split(','))\n"
        "others = set(m.packages_distributions()) - allowed\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in others:\n"
        "            raise ModuleNotFoundError(f'{name} is of an extra')\n"
        "sys.meta_path.insert(0, Wall())\n"
        "import harness.pytest_fixtures, harness.pytest_plugin, harness.testing\n"
        "from harness.cli.main import application\n"
        "sys.argv = ['golive', '--help']\n"
        "application('*')()\n"
    )
    allowed = ",".join(sorted(core_names() | ours))
    done = subprocess.run([sys.executable, "-c", code, allowed], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "trigger" in done.stdout


def test_the_core_needs_no_extras() -> None:
    """Importing the words of scenarios and the plugin loads neither boto3 nor SQLAlchemy: start-up stays cheap."""
    code = (
        "import sys, harness.testing, harness.pytest_plugin\n"
        "print([name for name in ('boto3', 'sqlalchemy', 'alembic', 'granian') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "[]"
