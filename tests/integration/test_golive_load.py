"""`golive load` as its users meet it: real Locust processes against the real reference."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

GOLIVE = str(Path(sys.executable).parent / "golive")


def golive(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([GOLIVE, *words], capture_output=True, text=True, check=False, cwd=cwd, timeout=120)


def test_a_short_run_is_honestly_undecided_and_keeps_its_samples(tmp_path: Path) -> None:
    """Two generators share the schedule; every request is written down once; nothing is lost; too few to judge."""
    done = golive(
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("load", "baselin"), "Did you mean 'baseline'"),
        (("load", "smoke", "--rate", "0"), "--rate"),
        (("load", "smoke", "--rate", "0.01", "--duration", "1"), "less than one request"),
    ],
)
def test_what_cannot_be_sent_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """Exit 2, a sentence, no stack trace."""
    done = golive(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("load", "smoke"), ("run", "-k", "nothing")])
def test_it_goes_to_this_machine_only_unless_the_host_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Nobody loads somebody else's server, or sends it bad signatures, by a copied target file."""
    target = tmp_path / "golive.toml"
    target.write_text(
        '[target]\nname = "far"\nbase_url = "https://shop.example.com"\n[target.tenants]\nprovision = ["true"]\n',
        encoding="utf-8",
    )
    done = golive(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "--allow-host shop.example.com" in done.stderr
    done = golive(*words, "--allow-host", "shop.example.org", cwd=tmp_path)
    assert "--allow-host shop.example.com" in done.stderr
    assert not (tmp_path / "reports").exists()


def test_ctrl_c_ends_a_load_at_once(tmp_path: Path) -> None:
    """Locust would wait for its users; nobody who presses Ctrl-C does. Nothing is left."""
    with subprocess.Popen(
        [GOLIVE, "load", "smoke", "--duration", "30", "--out", str(tmp_path / "run")],
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
