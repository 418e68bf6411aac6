"""Average the latest measurements and add the mean to sample_data/averages.csv."""

import argparse
from datetime import datetime, timedelta
from statistics import fmean

from station import AVERAGES, MEASUREMENTS, Reading, read, write


def main() -> None:
    """Average the measurements of the minutes that end at the task's instant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instant", type=datetime.fromisoformat, required=True)
    parser.add_argument("--minutes", type=int, default=2)
    options = parser.parse_args()

    begin = options.instant - timedelta(minutes=options.minutes)
    degrees = [
        reading.degrees
        for reading in read(MEASUREMENTS)
        if begin < reading.instant <= options.instant
    ]
    if not degrees:
        raise SystemExit(f"no measurement between {begin} and {options.instant}")
    mean = round(fmean(degrees), 2)
    write(AVERAGES, [*read(AVERAGES), Reading(options.instant, mean)])
    print(f"{mean:.2f} degrees on average, from {len(degrees)} measurement(s)")


if __name__ == "__main__":
    main()
