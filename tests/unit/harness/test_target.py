"""A target file is understood, or refused with a sentence that helps."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.target import PLACEHOLDERS, Keeps, Paths, Probes, Target, Timings, Travel
from tests.rows import check_rows

MINIMAL = """
[target]
name = "mine"
base_url = "http://127.0.0.1:${port}"
[target.tenants]
provision = ["true"]
"""


def write(folder: Path, text: str) -> Path:
    """A target file with that text."""
    path = folder / "golive.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_placeholders_are_filled_everywhere(tmp_path: Path) -> None:
    """`${port}` is replaced in nested values, and what is not mentioned is not needed."""
    target = Target.load(write(tmp_path, MINIMAL))
    assert target.needs("port")
    assert not target.needs("database_url")
    assert target.filled({"port": "4711"}).base_url == "http://127.0.0.1:4711"


def test_an_unknown_placeholder_is_refused_with_a_guess(tmp_path: Path) -> None:
    """A misspelt `${...}` names the nearest one that exists."""
    path = write(tmp_path, MINIMAL.replace("${port}", "${prot}"))
    with pytest.raises(UsageError, match=r"\$\{prot\}.*Did you mean \$\{port\}"):
        Target.load(path)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """A typo in a key is no silent default."""
    path = write(tmp_path, MINIMAL.replace("[target.tenants]", "[target.timing]\nstart_s = 1\n[target.tenants]"))
    with pytest.raises(UsageError, match="timing"):
        Target.load(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """No file: the message names the way without one."""
    with pytest.raises(UsageError, match="without --target tests the reference"):
        Target.load(tmp_path / "nothing.toml")


def test_broken_toml_is_refused(tmp_path: Path) -> None:
    """A file that is no TOML is named as such."""
    with pytest.raises(UsageError, match="is not TOML"):
        Target.load(write(tmp_path, "[target"))


def test_the_documentation_names_every_word_of_a_target_file() -> None:
    """docs/target.md has each section, field and placeholder."""
    page = (Path(__file__).parents[3] / "docs" / "target.md").read_text(encoding="utf-8")
    words = [
        *Target.model_fields,
        *Paths.model_fields,
        *Timings.model_fields,
        *Probes.model_fields,
        *Keeps.model_fields,
    ]
    words += [*Travel.model_fields, *PLACEHOLDERS]
    assert [word for word in words if word not in page] == []


def test_a_program_that_stays_may_stand_for_commands(tmp_path: Path) -> None:
    """For actions and for provisioning, beside commands and URLs."""
    text = MINIMAL.replace('["true"]', '"serve"')
    text += '[target.actions]\nserve = ["./operate", "${port}"]\nset_flag = "serve"\nredrive = ["./redrive"]\n'
    target = Target.load(write(tmp_path, text)).filled({"port": "4711"})
    assert target.tenants.provision == "serve"
    assert target.actions == {"serve": ["./operate", "4711"], "set_flag": "serve", "redrive": ["./redrive"]}


def test_a_program_that_stays_must_be_named_and_used(tmp_path: Path) -> None:
    """Half of it is a mistake, and the sentence says what is missing."""

    def check(row: tuple[str, str, str]) -> None:
        provision, actions, complaint = row
        text = MINIMAL.replace('["true"]', provision) + f"[target.actions]\n{actions}\n"
        with pytest.raises(UsageError, match=complaint):
            Target.load(write(tmp_path, text))

    rows = [
        ('"serve"', "", r'actions: .*provision = "serve" wants the program too: serve = \["command", …\]'),
        ('["true"]', 'set_flag = "serve"', 'set_flag = "serve" wants the program too: serve = '),
        ('["true"]', 'serve = ["./operate"]', 'serve is used by nothing; write set_flag = "serve"'),
        ('"serve"', 'serve = "http://127.0.0.1/"', r'serve is a program that stays, like \["node", "operate.mjs"\]'),
        ('"serve"', 'serve = "serve"', "serve is a program that stays"),
        ('["true"]', "serve = []", "an empty command"),
        ('["true"]', 'set_flag = "served"', 'or "serve": the program that '),
    ]
    check_rows(rows, check)


def test_provisioning_by_a_program_wants_actions(tmp_path: Path) -> None:
    """Also where the file has no such section."""
    with pytest.raises(UsageError, match='provision = "serve" wants the program too'):
        Target.load(write(tmp_path, MINIMAL.replace('["true"]', '"serve"')))
