"""What every test of the command line gets: a folder of its own, and schedulers on request."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served, serving


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and a home of one's own."""
    monkeypatch.setenv("SCHEDULER_HOME", str(tmp_path / "home"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The only live scheduler, named night."""
    with serving("night", tmp_path / "night") as one:
        yield one


@pytest.fixture
def two_served(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two live schedulers, day and night."""
    with serving("day", tmp_path / "day") as day, serving("night", tmp_path / "night") as night:
        yield day, night
