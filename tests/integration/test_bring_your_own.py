"""docs/bring-your-own.md does what it says, from an empty folder."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import doc_runner

PAGE = Path(__file__).parents[2] / "docs" / "bring-your-own.md"

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")


@needs_node
# Every command of the page, whole runs among them, one after the other: 29 CPU-s. The night follows the page.
@pytest.mark.nightly
def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """From an empty folder: NO GO, mended, GO with how much was seen; two shards are one run, and half a run is not."""
    done = doc_runner.run(PAGE, tmp_path)
    assert len(done) >= 8
    whole, one, two = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "one", "two"))
    ids = [sorted(one["id"] for one in record["scenarios"]) for record in (whole, one, two)]
    assert ids[0] == sorted(ids[1] + ids[2])
    assert whole["verdict"] == "GO"
    lines = (tmp_path / "server.mjs").read_text().splitlines()
    assert len(lines) <= 100, "the page promises a small one"


def test_a_page_that_lies_is_noticed(tmp_path: Path) -> None:
    """The runner itself can fail: another exit code, other words, a block that nobody runs."""
    for text, told in (
        ("```sh\nfalse\n```\n", "ended with 1"),
        ("```sh\ntrue # exit 1\n```\n", "ended with 0"),
        ("```sh\necho no\n```\n```text\nyes\n```\n", "shows 'yes'"),
        ("```cobol\nSTOP RUN.\n```\n", "nobody runs"),
    ):
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        with pytest.raises(AssertionError, match=told):
            doc_runner.run(page, tmp_path)
