"""`golive load` as its users meet it: real Locust processes against the real reference."""

import csv
import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.command_line import GOLIVE, golive, golive_process
from tests.integration.load_target import target_file
from tests.rows import check_rows


# Locust and the whole reference: 17 CPU-s. CI runs `golive load smoke` itself, in a step of its own.
@pytest.mark.nightly
def test_a_short_run_is_honestly_undecided_and_keeps_its_samples(tmp_path: Path) -> None:
    """Two generators share the schedule; every request is written down once; nothing is lost; too few to judge."""
    done = golive_process(
        *("load", "smoke", "--rate", "20", "--duration", "3", "--processes", "2", "--seed", "3"),
        *("--out", str(tmp_path / "run"), "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 3, done.stderr[-3000:]
    record = json.loads(done.stdout)
    assert record["verdict"] == "INCONCLUSIVE"
    assert record["ledger"]["delivered"] == record["load"]["requests"] == 60
    assert record["ledger"]["lost"] == record["ledger"]["doubled"] == record["ledger"]["pending"] == 0
    shares = []
    for number in range(2):
        with (tmp_path / "run" / f"samples-{number}.csv").open(encoding="utf-8", newline="") as file:
            shares.append([int(row["number"]) for row in csv.DictReader(file)])
    assert sorted(shares[0] + shares[1]) == list(range(60))
    assert len(shares[0]) == len(shares[1]) == 30
    left = sorted(one.name for one in (tmp_path / "run").iterdir() if one.name.startswith(("ready", "start")))
    assert left == []


def test_what_cannot_be_sent_is_said(tmp_path: Path) -> None:
    """Exit 2, a sentence, no stack trace."""
    rows = [
        (("load", "baselin"), "Did you mean 'baseline'"),
        (("load", "smoke", "--rate", "0"), "--rate"),
        (("load", "smoke", "--rate", "0.01", "--duration", "1"), "less than one request"),
    ]

    def check(row: tuple[tuple[str, ...], str]) -> None:
        words, said = row
        run = golive_process if row == rows[0] else golive
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    check_rows(rows, check)


def test_it_goes_to_this_machine_only_unless_the_host_is_named(tmp_path: Path) -> None:
    """A copied target file alone does not send load or bad signatures to another machine."""
    target = tmp_path / "golive.toml"
    target.write_text(
        '[target]\nname = "far"\nbase_url = "https://shop.example.com"\n[target.tenants]\nprovision = ["true"]\n',
        encoding="utf-8",
    )

    def check(words: tuple[str, ...]) -> None:
        done = golive(*words, cwd=tmp_path)
        assert done.returncode == 2
        assert "--allow-host shop.example.com" in done.stderr
        done = golive(*words, "--allow-host", "shop.example.org", cwd=tmp_path)
        assert "--allow-host shop.example.com" in done.stderr
        assert not (tmp_path / "reports").exists()

    check_rows([("load", "smoke"), ("run", "-k", "nothing")], check)


def test_ctrl_c_ends_a_load_at_once(tmp_path: Path) -> None:
    """Locust would wait for its users; golive ends it at once, and leaves no process. The small target is enough."""
    target = ("--target", str(target_file(tmp_path)))
    with subprocess.Popen(
        [GOLIVE, "load", "smoke", "--duration", "30", *target, "--out", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "sending:" in line)
        family = psutil.Process(process.pid).children(recursive=True)
        assert any("locust" in " ".join(one.cmdline()) for one in family)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=30) == 130
    assert "stopped" in said
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
