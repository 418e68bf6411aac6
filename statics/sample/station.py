"""The weather station's files, in sample_data/ under the working directory."""

import csv
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("sample_data")
MEASUREMENTS = FOLDER / "measurements.csv"
AVERAGES = FOLDER / "averages.csv"


class Reading(NamedTuple):
    """A temperature in degrees Celsius, and the moment it is for."""

    instant: datetime
    degrees: float


def read(path: Path) -> list[Reading]:
    """Return the readings of a file, the oldest first; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Reading(datetime.fromisoformat(row[0]), float(row[1])) for row in csv.reader(file)]


def write(path: Path, readings: Iterable[Reading]) -> None:
    """Write the readings, one an instant, whole or not at all."""
    FOLDER.mkdir(exist_ok=True)
    draft = path.with_suffix(".draft")
    # A task may run again: what it wrote for its instant before gives way.
    latest = {reading.instant: reading for reading in readings}
    with draft.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            (reading.instant.isoformat(), reading.degrees) for _, reading in sorted(latest.items())
        )
    draft.replace(path)
