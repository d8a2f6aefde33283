"""Processes and all that they have begun."""

from __future__ import annotations

import os
import subprocess
import sys

from harness.stack.families import families

_TWO_GENERATIONS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


def test_a_family_is_a_process_and_all_that_it_has_begun() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _TWO_GENERATIONS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        found = families([os.getpid(), parent.pid])
        own = {one.pid for one in found[parent.pid]}
        assert own == {parent.pid, grandchild}
        assert own < {one.pid for one in found[os.getpid()]}
        assert found[os.getpid()][0].pid == os.getpid()
        parent.kill()
    assert families([parent.pid]) == {}
