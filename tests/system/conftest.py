"""A data folder with the real command over it, and nothing left running afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.data_folder import DataFolder, a_folder
from tests.system.timed_scheduler import TimedScheduler


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """Return a new data folder."""
    with a_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def timed(folder: DataFolder) -> TimedScheduler:
    """Return a scheduler over the folder, on a clock that the test moves."""
    return TimedScheduler(folder)
