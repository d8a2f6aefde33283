"""Messages of workers, read by many threads at the same time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

FIRST_MESSAGES = """
import sys, threading
from harness.scenario_events import ScenarioFinished, read

sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
details = {"ledger": {"deliveries": 1}, "timeline": [{"t_s": 1.0, "kind": "fact", "what": "x"}], "counted": {"a": 1}}

def one():
    together.wait()
    assert read(ScenarioFinished, {"key": "a", "outcome": "passed", "duration_s": 0.1, "details": details}).key == "a"

threads = [threading.Thread(target=one) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_the_first_messages_of_many_workers_crash_nothing() -> None:
    """msgspec alone ended a run by a segmentation fault: one process in four, when eight threads begin together."""

    def begin(_: int) -> int:
        return subprocess.run([sys.executable, "-c", FIRST_MESSAGES], check=False, timeout=60).returncode

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(begin, range(12))) == [0] * 12
