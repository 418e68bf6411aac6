"""The sample: copied alone to any folder it loads, shows each kind of routine, and runs."""

import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler import Registry, load_registry

STATICS = Path(__file__).resolve().parents[1] / "statics"
NOON = datetime.fromisoformat("2026-11-24T12:00:00+01:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the registry, alone."""
    shutil.copy(STATICS / "sample_registry.xml", tmp_path)
    return tmp_path


@pytest.fixture
def registry(folder: Path) -> Registry:
    """The sample's registry, from where it was copied to."""
    return load_registry(folder / "sample_registry.xml", timezone="Europe/Paris")


def test_every_script_of_the_copy_is_there(registry: Registry, folder: Path) -> None:
    assert all(Path(routine.script or "").is_file() for routine in registry.values())
    assert {routine.directory for routine in registry.values()} == {str(folder)}


def test_it_shows_each_kind_of_routine(registry: Registry) -> None:
    hour = {
        name: list(registry.instants(name, NOON, NOON + timedelta(hours=1))) for name in registry
    }
    counts = {name: len(instants) for name, instants in hour.items()}
    assert counts == {
        "testJob0": 60,
        "average": 30,
        "report": 30,
        "calibrate": 20,
        "corrected": 20,
        "alarm": 20,
        "tidy": 1,
        "reset": 0,
    }
    assert registry["report"].is_by_rounds and registry["reset"].is_by_hand
    assert [str(task) for task in registry.waits_for("report", hour["report"][1])] == [
        "testJob0.2026-11-24T12:02:00",
        "average.2026-11-24T12:02:00",
    ]


def test_its_scripts_run_in_their_order(folder: Path) -> None:
    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-B", str(STATICS / "sample" / script), *arguments],
            cwd=folder,
            env={**os.environ, "SCHEDULER_INSTANT": NOON.isoformat()},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    assert run("measure.py", "--instant", NOON.isoformat()).returncode == 0
    assert "from 1 measurement" in run("average.py", "--instant", NOON.isoformat()).stdout
    assert run("report.py").stdout.splitlines()[1].startswith("12:00")
    failed = run("calibrate.py")
    assert failed.returncode == 1
    assert "FileNotFoundError: write the sensor's offset" in failed.stderr
    assert run("alarm.py").returncode == 0
    (folder / "sample_data" / "offset.txt").write_text("0.5", encoding="utf-8")
    assert run("calibrate.py").returncode == 0
    assert "in the cellar at 12:00" in run("corrected.py").stdout
    assert run("tidy.py", "--keep", "1000").returncode == 99
    assert "dropped 1 of 1" in run("tidy.py", "--keep", "0").stdout
