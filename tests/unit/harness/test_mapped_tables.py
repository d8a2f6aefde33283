"""A target calls its tables as it likes; the target file's SQL says in golive's words what stands in them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.errors import UsageError
from harness.probes.database import DatabaseProbe

sys.path.insert(0, str(Path(__file__).parents[2]))
import doc_runner

from tests.rows import each_row

PAGE = Path(__file__).parents[3] / "docs" / "bring-your-own.md"
TABLES = """
CREATE TABLE shops (id int PRIMARY KEY, slug text);
CREATE TABLE purchases (order_no text, platform text, capi_id text, step text, shop_id int);
INSERT INTO shops VALUES (1, 't-1'), (2, 't-2');
INSERT INTO purchases VALUES ('HT1', 'hotmart', 'e1', 'new', 1), ('HT2', 'hotmart', 'e2', 'sent', 1),
  ('HT3', 'kiwify', 'e3', 'parked', 1), ('HT4', 'kiwify', 'e4', 'failed', 2);
"""


@pytest.fixture
def url(postgres: Any) -> str:
    found: str = postgres.new(empty=True)
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    return found


def query_of_the_page() -> str:
    import tomllib

    for block in doc_runner.blocks(PAGE):
        if block.about == "check" and "conversions" in block.text:
            return str(tomllib.loads(block.text)["target"]["probes"]["conversions"])
    raise AssertionError("the page shows no query")


def test_the_pages_query_reads_tables_of_other_names(url: str) -> None:
    """Another tenant's are not among them."""
    probe = DatabaseProbe(url, conversions=query_of_the_page())
    found = probe.conversions("t-1") or []
    probe.close()
    assert {(one.sale, one.gateway, one.event_id, one.state) for one in found} == {
        ("HT1", "hotmart", "e1", "pending"),
        ("HT2", "hotmart", "e2", "delivered"),
        ("HT3", "kiwify", "e3", "held"),
    }


@each_row(
    ("query", "told"),
    [
        (
            "SELECT order_no AS sale, platform AS gateway FROM purchases WHERE %(tenant)s <> ''",
            "it gives sale, gateway",
        ),
        (
            "SELECT order_no AS sale, platform AS gateway, capi_id AS event_id, step AS state FROM purchases "
            "WHERE %(tenant)s <> '' ORDER BY 1",
            "calls a state 'failed'",
        ),
    ],
    shared=("url",),
)
def test_a_query_that_says_something_else_is_told_so(url: str, query: str, told: str) -> None:
    probe = DatabaseProbe(url, conversions=query)
    with pytest.raises(UsageError, match=re.escape(told)):
        probe.conversions("t-1")
    probe.close()
