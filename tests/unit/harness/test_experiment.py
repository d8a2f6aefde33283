"""An experiment's file: what it may say, and how it is told what it may not."""

import re
from typing import Any

import pytest

from harness.errors import UsageError
from harness.faults.experiment import parse, seen_in_order
from tests.rows import each_row

GOOD = """\
title = "Meta browns out"
compress = 60

[steady]
sales_per_s = 5

[[fault]]
name = "meta.brown_out"
at_s = 60
lasts_s = 120
with = { probability = 0.3 }

[[fault]]
name = "process.kill"
at_s = 180
lasts_s = 60
[fault.with]
role = "consumer"

[expect]
breaker = ["open", "closed"]
recovers_within_s = 20
"""


def told(text: str) -> str:
    with pytest.raises(UsageError) as error:
        parse(text, name="mine.toml")
    return str(error.value)


def test_a_good_file_is_read_and_its_time_compressed() -> None:
    one = parse(GOOD, name="mine.toml")
    assert one.run_s == (240 + 60) / 60
    moments = [(at_s, what, fault.name) for at_s, what, fault in one.moments()]
    assert moments == [
        (1, "begin", "meta.brown_out"),
        (3, "end", "meta.brown_out"),  # before what begins in the same moment
        (3, "begin", "process.kill"),
        (4, "end", "process.kill"),
    ]
    assert one.fault[0].sentence() == "meta.brown_out (probability 0.3)"


@each_row(
    ("old", "new", "said"),
    [
        ("meta.brown_out", "meta.brownout", "line 7: fault 1: No fault.*Did you mean 'meta.brown_out'"),
        ("lasts_s = 120", "last_s = 120", "line 10: there is no fault 1, last_s. Did you mean 'lasts_s'"),
        ("lasts_s = 120\n", "", "line 7: fault 1, lasts_s is missing"),
        ("at_s = 180", "at_s = -1", "line 15: fault 2, at_s: .*greater than or equal to 0"),
        ('role = "consumer"', 'rolle = "consumer"', "line 13: .*process.kill needs role"),
        ("recovers_within_s = 20", "recovers_within = 20", "line 22: .*Did you mean 'recovers_within_s'"),
        ('"open", "closed"', '"opened"', "line 20: expect, breaker 1: "),
        ("compress = 60", "compress = 0.5", "line 2: compress: "),
        ("compress = 60", "compress = nan", "line 2: compress: "),
        ("compress = 60", "compres = 60", "line 2: there is no compres. Did you mean 'compress'"),
        ("probability = 0.3", "probability = 3", "probability is within 0 and 1"),
        ("probability = 0.3", "strikes = 0", "strikes is a whole number"),
        (
            "compress = 60\n",
            "compress = 2\ncalm_s = 3000\n",
            "take 1620 s of the run, and may take 300: compress by",
        ),
        ("[steady]", "[steady", "is not TOML: .*line 4"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_nearest_guess(old: str, new: str, said: str) -> None:
    assert old in GOOD
    complaint = told(GOOD.replace(old, new, 1))
    assert re.search(said, complaint), complaint
    assert complaint.startswith("mine.toml ")


def test_a_file_without_faults_is_no_experiment() -> None:
    assert "fault is missing" in told(GOOD[: GOOD.index("[[fault]]")] + GOOD[GOOD.index("[expect]") :])


def test_an_endless_file_is_refused() -> None:
    assert "longer than" in told("#" * 200_000)


@each_row(
    ("wanted", "seen", "right"),
    [
        (["open", "closed"], ["closed", "open", "half_open", "closed"], True),
        (["open", "closed"], ["closed", "open", "half_open"], False),
        (["open", "open"], ["open", "closed"], False),
        ([], [], True),
    ],
)
def test_states_are_looked_for_in_their_order(wanted: list[str], seen: list[str], right: Any) -> None:
    assert seen_in_order(wanted, seen) is right
