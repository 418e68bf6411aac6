"""What does a scheduler cost while nothing is due: processor time and memory?

A real one, with the control interface, over 100 routines that are due hours from now.

    python -m benchmarks.idle [--seconds 60] [--routines 100]
"""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.real_scheduler import Folder
from scheduler.service.clock import SystemClock

_SETTLED = 3  # seconds after the start, in which it tidies up


class Row(NamedTuple):
    """What one scheduler takes."""

    routines: int
    seconds: float  # of doing nothing
    processor: float  # seconds, in these
    resident: float  # MiB, once it serves
    after_answers: float  # MiB, once it has answered some verbs


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--routines", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="benchmark-") as folder:
        rows = [measured(Path(folder), arguments.routines, arguments.seconds)]
    headers = ["routines", "idle s", "processor s", "MiB resident", "MiB after answers"]
    print(tabulate(rows, headers, "github", floatfmt=".2f"))


def quiet_registry(count: int, now: datetime) -> str:
    """Return a registry of so many routines that all are due hours from now, in any zone."""
    jobs: list[str] = []
    for number in range(count):
        hour = (now.hour + 4 + number % 16) % 24
        needs = f' depends_on="r{number - 1}"' if number % 3 else ""
        jobs.append(
            f'<job name="r{number}" script="s.py" schedule="{number % 60} {hour} * * *"{needs}/>'
        )
    return f'<registry timezone="UTC">{"".join(jobs)}</registry>'


def measured(folder: Path, routines: int, seconds: float) -> Row:
    """Return what a scheduler over so many routines takes."""
    now = SystemClock(with_timer=False).now().astimezone(UTC)
    data = Folder.made(folder / f"idle-{routines}", quiet_registry(routines, now))
    with data.scheduler() as running:
        running.processor_over(_SETTLED)
        processor, resident = running.processor_over(seconds), running.resident
        for verb in ("status", "list", "plan", "history"):
            data.run(verb)
        after = running.resident
    return Row(routines, seconds, processor, resident, after)


if __name__ == "__main__":
    main()
