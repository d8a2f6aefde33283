"""A target file is understood, or refused with a sentence that helps."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.target import PLACEHOLDERS, Keeps, Paths, Probes, Target, Timings, Travel

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
