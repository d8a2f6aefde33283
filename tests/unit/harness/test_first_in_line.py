"""The load generator's place on a machine that it shares with what it measures."""

import os
import subprocess
import sys

import psutil

from harness.cli.load_session import GENERATOR_NICENESS, first_in_line


def test_a_generator_has_the_cores_first_where_that_is_permitted() -> None:
    """Only root may; for anybody else it stays as it was, and the run does not say that it was so."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        permitted = first_in_line(child.pid)
        assert permitted is (os.geteuid() == 0)
        assert psutil.Process(child.pid).nice() == (GENERATOR_NICENESS if permitted else os.nice(0))
        child.communicate(b"\n")
    assert not first_in_line(child.pid), "it has ended"
