"""What the stamps of scripts say: gaps between tasks, and how late one began."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from benchmarks import lateness
from benchmarks.data_folder import Zones, element
from benchmarks.stamps import Stamp, Stamps, gaps_after_exit, gaps_after_statement

MS = 1_000_000
FIRST = Stamp(name="link0", pid=1, first=10 * MS, last=11 * MS)
SECOND = Stamp(name="link1", pid=2, first=14 * MS, last=15 * MS)


def test_a_gap_begins_with_the_last_statement_or_with_the_end_of_the_process() -> None:
    assert gaps_after_statement([FIRST, SECOND]) == (3.0,)
    assert gaps_after_exit([FIRST, SECOND], {1: 12 * MS, 2: 16 * MS}) == (2.0,)


def test_without_word_of_the_end_of_a_process_there_is_no_gap_after_it() -> None:
    assert gaps_after_exit([FIRST, SECOND], {}) == ()


@pytest.mark.parametrize(("second", "late"), [("7", 500.0), ("8", -500.0), ("57", 10_500.0)])
def test_lateness_counts_from_the_nearest_instant(
    monkeypatch: pytest.MonkeyPatch, second: str, late: float
) -> None:
    monkeypatch.setattr(lateness, "monotonic_from_utc", lambda: 0)
    stamp = replace(FIRST, name=second, first=67_500 * MS)
    assert lateness.lateness(stamp, lateness.MINUTE) == late


def test_the_script_stamps_its_first_and_its_last_statement(tmp_path: Path) -> None:
    stamps = Stamps(tmp_path)
    for name in ("one", "two"):
        words = [sys.executable, str(stamps.script), name]
        subprocess.run(words, env=stamps.environment, check=True)
    one, two = stamps.read()
    assert (one.name, two.name) == ("one", "two")
    assert one.first < one.last < two.first < two.last


@pytest.mark.parametrize("way", ["bare", "promised", "cold"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_floor_runs_the_script_as_often_as_asked(tmp_path: Path, way: str) -> None:
    stamps = Stamps(tmp_path)
    floors = Path(lateness.__file__).with_name("floors.py")
    words = ["-I", "-S", str(floors), "throughput", way, str(tmp_path), "5", "2"]
    subprocess.run([sys.executable, *words], env=stamps.environment, check=True)
    assert sorted(stamp.name for stamp in stamps.read()) == ["0", "1", "2", "3", "4"]


def test_a_zone_may_be_some_seconds_off(tmp_path: Path) -> None:
    name = Zones(tmp_path).shifted_by(7)
    with (tmp_path / name).open("rb") as file:
        zone = ZoneInfo.from_file(file, key=name)
    assert datetime(2026, 11, 23, 2, 0, tzinfo=zone) == datetime(2026, 11, 23, 2, 0, 7, tzinfo=UTC)


def test_attributes_are_quoted() -> None:
    assert element("job", {"name": "a&b"}) == '<job name="a&amp;b"/>'
