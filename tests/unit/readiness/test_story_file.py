"""Findings are recorded in the story's own file, and nothing that the author wrote is ever changed."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.readiness import story_file
from harness.readiness.story_file import BEGIN, END, load, save
from tests.rows import each_row

GOOD = (Path(__file__).parent / "stories" / "good_pt.md").read_bytes()
DRAFT = GOOD.replace(b"## 7. Riscos", b"## 7. Perigos")


def written(path: Path, content: bytes) -> bytes:
    """The file after one `--write`."""
    path.write_bytes(content)
    save(load(path))
    return path.read_bytes()


@each_row(("content", "said"), [(GOOD, "Ready (10 of 10"), (DRAFT, "Draft (9 of 10")])
def test_status_and_findings_are_recorded_behind_the_authors_text(tmp_path: Path, content: bytes, said: str) -> None:
    after = written(tmp_path / "s.md", content)
    assert after.startswith(content)
    assert f"**Status:** {said} points)" in after.decode()
    assert ("nothing says the risks" in after.decode()) == (content is DRAFT)


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    written(path, DRAFT)
    before = path.stat()
    assert load(path).up_to_date
    assert save(load(path)) is False
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_a_mended_story_changes_its_record_only(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    draft = written(path, DRAFT)
    mended = written(path, draft.replace(b"## 7. Perigos", b"## 7. Riscos"))
    assert mended == written(tmp_path / "t.md", GOOD)


def test_what_the_author_adds_below_the_record_stays(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    once = written(path, DRAFT)
    twice = written(path, once + b"\n## Riscos\n- navegadores bloqueiam cookies\n")
    assert b"navegadores bloqueiam cookies\n" in twice
    assert b"Ready (10 of 10" in twice
    assert twice.count(BEGIN.encode()) == 1
    assert written(path, twice) == twice


@each_row("newline", ["\n", "\r\n", "\r"])
@each_row("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_newlines_and_encoding_are_kept(tmp_path: Path, newline: str, encoding: str) -> None:
    text = DRAFT.decode().replace("–", "-").replace("\n", newline)
    content = text.encode(encoding)
    path = tmp_path / "s.md"
    after = written(path, content)
    assert after.startswith(content)
    told = after.decode(encoding)
    assert "Draft (9 of 10" in told
    rest = told.replace(newline, "")
    assert "\n" not in rest
    assert "\r" not in rest
    assert written(path, after) == after


@each_row(
    "content",
    [
        b"",
        b"# a",
        b"# a\n\n\n",
        b"```\nnever closed\n",
        b"<!-- never closed\n",
        f"{BEGIN}\nan author's text behind a lone marker\n".encode(),
        f"{END}\nan author's text behind a lone marker\n".encode(),
        f"```\n{BEGIN}\nshown as code\n{END}\n```\n".encode(),
    ],
)
def test_odd_files_keep_every_byte_and_settle(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.md"
    after = written(path, content)
    assert after.startswith(content)
    assert written(path, after) == after


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.md", tmp_path / "link.md"
    real.write_bytes(DRAFT)
    real.chmod(0o640)
    link.symlink_to(real)
    save(load(link))
    assert link.is_symlink()
    assert b"Draft" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.md", "real.md"]


def test_a_write_that_fails_leaves_the_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.md"
    path.write_bytes(DRAFT)
    story = load(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        save(story)
    assert path.read_bytes() == DRAFT
    assert list(tmp_path.iterdir()) == [path]


@each_row(
    ("content", "said"),
    [(b"\x89PNG\0\0", "is no text"), (b"\xff\xfe\x00\xd8", "is no text"), (b"a" * 2_000_001, "more than 2,000,000")],
)
def test_what_is_no_story_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "s.md"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        load(path)


def test_a_story_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.md")


def test_markup_in_a_finding_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "s.md"
    after = written(path, f"# a | {END} <b> x\n## Risks |\n".encode())
    record = after.decode().split(BEGIN)[1]
    assert record.count(END) == 1
    assert "<b>" not in record


_PIECES = st.sampled_from(
    [BEGIN, END, "\n", "\r\n", "```", "~~~", "<!--", "-->", "# a", "Risks: x", "é", "\n\n", " ", "\r", BEGIN + "\n",
     END + "\n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=20).map("".join))
def test_writing_twice_is_writing_once(text: str) -> None:
    """Whatever stands in the file: the second record is the first, and the author's text is there."""
    content = text.encode()
    first = _recorded(content)
    second = _recorded(first)
    body = story_file.without_record(text)
    assert second == first
    assert first.decode().startswith(body)


def _recorded(content: bytes) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder) / "s.md", content)
