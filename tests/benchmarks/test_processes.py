"""How the benchmarks have a program serve, and what it takes then."""

import os
import sys

import psutil
import pytest

from benchmarks.processes import resident, serving, spent, tree

SERVES = "import time; print('serves', flush=True); time.sleep(60)"


def test_a_program_serves_from_its_first_line_until_it_is_no_longer_needed() -> None:
    with serving([sys.executable, "-c", SERVES], os.environ) as served:
        processes = tree(served.pid)
        assert served.seconds > 0
        assert resident(processes) > 1
        assert spent(processes)[0] >= 0
    assert not psutil.pid_exists(served.pid)


def test_a_program_that_ends_without_a_line_never_served() -> None:
    command = [sys.executable, "-c", ""]
    with pytest.raises(RuntimeError, match="ended before it served"), serving(command, os.environ):
        pass
