"""Measure the temperature and add it to sample_data/measurements.csv."""

import argparse
import logging
import math
import random
import time
from datetime import datetime

from station import MEASUREMENTS, Reading, read, write

SECONDS_TO_SETTLE = 3  # long enough to see the task run, and others wait for it


def temperature(instant: datetime) -> float:
    """Return what a sensor in the sun would say: warmest at three, and never quite steady."""
    hours = instant.hour + instant.minute / 60
    return round(15 + 6 * math.cos((hours - 15) / 24 * math.tau) + random.gauss(0, 0.4), 1)


def main() -> None:
    """Wait for the sensor, then write what it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instant", type=datetime.fromisoformat, required=True)
    instant = parser.parse_args().instant

    for second in range(SECONDS_TO_SETTLE):
        print(f"the sensor settles, {SECONDS_TO_SETTLE - second} s to go")
        time.sleep(1)
    reading = Reading(instant, temperature(instant))
    write(MEASUREMENTS, [*read(MEASUREMENTS), reading])
    # No logging is set up here: the scheduler sees to it that this is heard.
    logging.info("%.1f degrees at %s", reading.degrees, instant.isoformat(sep=" "))


if __name__ == "__main__":
    main()
