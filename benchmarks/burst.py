"""What becomes of other tasks while thousands fall due in one minute?

A real scheduler.  At a full minute 10,000 routines fall due, of which one at a time runs; meanwhile
a chain of short scripts hands on from one to the next, from a minute before that on.  Told are
the hand-offs, from the last statement of a script to the first of the next one, usually and in
the ten seconds from the full minute on; and when the last of the 10,000 was stored.

    python -m benchmarks.burst [--tasks 10000]
"""

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.real_scheduler import Folder
from scheduler.service.clock import SystemClock

_LINK = """\
import os, time
begun = time.time()
time.sleep(0.02)
with open(os.environ["MARKS"], "a") as marks:
    marks.write(f"{begun!r} {time.time()!r}\\n")
"""
_LINKS = 3_000  # more than run in that time
_BEFORE = timedelta(minutes=1)  # of usual hand-offs
_DURING = 10.0  # and of those meanwhile


class Row(NamedTuple):
    """Hand-offs in milliseconds, and when all was stored."""

    tasks: int
    usual: float  # the median
    meanwhile: float
    worst: float  # meanwhile
    stored: float  # seconds from the full minute on until the last one is in the database


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    tasks: int = parser.parse_args().tasks
    with tempfile.TemporaryDirectory(dir=".", prefix="benchmark-") as folder:
        rows = [measured(Path(folder), tasks)]
    headers = ["due", "hand-off ms", "meanwhile ms", "worst ms", "all stored after s"]
    print(tabulate(rows, headers, "github", floatfmt=("", ".1f", ".1f", ".1f", ".2f")))


def measured(folder: Path, tasks: int) -> Row:
    """Return how other tasks fare when so many fall due."""
    clock = SystemClock(with_timer=False)
    due = (clock.now() + timedelta(minutes=3)).replace(second=0, microsecond=0)
    data = Folder.made(folder / f"burst-{tasks}", registry_text(tasks, due))
    marks = data.path / "marks.txt"
    (data.path / "link.py").write_text(_LINK)
    (data.path / "s.py").write_text("import time; time.sleep(300)")
    os.environ["MARKS"] = str(marks)
    with data.scheduler():
        stored = _when_stored(data.path / "scheduler.db", tasks, due, clock)
        time.sleep(_DURING)
    gaps = [
        (float(after.split()[0]), float(after.split()[0]) - float(before.split()[1]))
        for before, after in pairwise(marks.read_text().splitlines())
    ]
    moment = due.timestamp()
    usual = [gap * 1e3 for at, gap in gaps if at < moment]
    during = [gap * 1e3 for at, gap in gaps if moment <= at < moment + _DURING]
    return Row(tasks, statistics.median(usual), statistics.median(during), max(during), stored)


def registry_text(tasks: int, due: datetime) -> str:
    """Return the crowd that is due at that moment, and the chain that begins a minute before."""
    at, before = (f"{one.minute} {one.hour} * * *" for one in (due, due - _BEFORE))
    crowd = (
        f'<job name="r{number}" script="s.py" schedule="{at}" pool="crowd"/>'
        for number in range(tasks)
    )
    chain = (
        f'<job name="link{number}" script="link.py" depends_on="link{number - 1}"/>'
        for number in range(1, _LINKS)
    )
    first = f'<job name="link0" script="link.py" schedule="{before}"/>'
    pool = '<pool name="crowd" slots="1"/>'
    return f'<registry timezone="UTC">{pool}{first}{"".join((*chain, *crowd))}</registry>'


def _when_stored(path: Path, tasks: int, due: datetime, clock: SystemClock) -> float:
    """Return how long after that moment so many tasks of it are in the database."""
    while clock.now() < due:
        time.sleep(0.005)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found = 0
        while found < tasks:
            time.sleep(0.01)
            at = (int(due.timestamp()), "r%")
            (found,) = database.execute(
                "SELECT count(*) FROM task WHERE instant = ? AND routine LIKE ?", at
            ).fetchone()
    return (clock.now() - due).total_seconds()


if __name__ == "__main__":
    main()
