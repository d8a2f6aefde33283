"""`golive run` with a target whose actions are single commands, and with one whose actions a program serves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLIVE = str(Path(sys.executable).parent / "golive")
LIMIT_S = 240

#: Scenarios that call for actions, one of them alone on its stack.
SCENARIOS = "(G-09 and stripe) or G-40 or G-44 or G-45 or D-04 or P-05 or P-06 or A-09 or D-33"
#: The single command for each action of the reference.
COMMANDS = {
    "provision": ["tenant", "create"],
    "set_meta_token": ["tenant", "token"],
    "event_id": ["event-id"],
    "create_user": ["user", "create"],
    "redrive": ["redrive"],
    "set_flag": ["flag", "set"],
    "set_allowlist": ["allowlist", "set"],
    "rotate_secret": ["tenant", "secret"],
    "rotate_keys": ["keys", "rotate"],
    "export_person": ["person", "export"],
    "erase_person": ["person", "erase"],
}


def by_single_commands(target: str) -> str:
    """The reference's target file without its operator program."""
    text = re.sub(r"(?m)^serve = .*\n", "", target)
    for name, words in COMMANDS.items():
        command = json.dumps(["python", "-m", "reference_impl", *words])
        text, count = re.subn(rf'(?m)^{name} = "serve"', f"{name} = {command}", text)
        assert count == 1, f"the reference's target file does not serve {name}"
    assert '"serve"' not in text
    return text


def passed(folder: Path, target: str) -> tuple[dict[str, str], set[str]]:
    """Each scenario's outcome, and the names of the target's logs."""
    folder.mkdir()
    (folder / "target.toml").write_text(target.replace("infra/", f"{ROOT}/reference_impl/infra/"), encoding="utf-8")
    argv = [GOLIVE, "run", "--target", str(folder / "target.toml"), "-k", SCENARIOS, "--seed", "7"]
    done = subprocess.run(
        [*argv, "--out", str(folder / "run")], capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((folder / "run" / "report.json").read_text(encoding="utf-8"))
    logs = {log.name for log in (folder / "run" / "logs").rglob("target-*.log")}
    return {one["id"]: one["outcome"] for one in report["scenarios"]}, logs


@pytest.mark.nightly
def test_both_ways_pass_the_same_scenarios(tmp_path: Path) -> None:
    """GO by both; and what was carried out by the one was not by the other."""
    served = (ROOT / "reference_impl" / "target.toml").read_text(encoding="utf-8")
    outcomes, logs = passed(tmp_path / "served", served)
    assert len(outcomes) == 9
    assert set(outcomes.values()) == {"passed"}
    assert "target-operator.log" in logs
    assert not {f"target-{name}.log" for name in COMMANDS} & logs
    again, logs = passed(tmp_path / "single", by_single_commands(served))
    assert again == outcomes
    assert "target-operator.log" not in logs
    unused = {"rotate_keys"}
    assert {f"target-{name}.log" for name in COMMANDS.keys() - unused} <= logs
