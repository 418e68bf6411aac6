"""Chaos: schedulers, supervisors and scripts killed at random moments, under load.

A slice of `make chaos`, which does the same for minutes.
"""

import random
import sys

import pytest

from tests.system.chaos.run import weathered
from tests.system.data_folder import DataFolder


@pytest.mark.skipif(sys.platform != "linux", reason="processes are stopped by pidfd")
def test_whatever_is_killed_each_task_runs_once_and_has_one_fate(folder: DataFolder) -> None:
    seed = random.randrange(10**6)
    print(f"python -m tests.system.chaos --kills 25 --seed {seed}")  # noqa: T201 # shown when it fails
    storm, figures = weathered(folder, kills=25, seed=seed)
    assert storm.kills.total() >= 25
    assert figures.begun > 50
