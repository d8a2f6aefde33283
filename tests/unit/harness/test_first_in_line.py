"""The load generator's place on a machine that it shares with what it measures."""

import os
import subprocess
import sys

from harness.cli.load_session import first_in_line


def test_a_generator_has_the_cores_first_where_that_is_permitted() -> None:
    """Only root may; for anybody else it stays as it was, and the run does not say that it was so."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        permitted = first_in_line(child.pid)
        assert permitted is (os.geteuid() == 0)
        assert os.sched_getscheduler(child.pid) == (os.SCHED_RR if permitted else os.sched_getscheduler(0))
        child.communicate(b"\n")
    assert not first_in_line(child.pid), "it has ended"
