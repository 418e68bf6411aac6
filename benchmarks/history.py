"""Does it matter how many tasks there have been: for `status`, for a start, for each event?

A history is written straight into the database of a real scheduler, of a thousand hourly routines:
one task of a thousand has failed, one of two hundred was tried twice.  10,000,000 tasks take
some minutes and 4 GB of disk, in the current folder.

    python -m benchmarks.history [--tasks 1000 100000 10000000]
"""

import argparse
import os
import resource
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.real_scheduler import NAME, Folder
from scheduler.service.clock import SystemClock

ROUTINES = 1_000
SIZES = (1_000, 100_000, 1_000_000)
_HOUR = 3_600
_REPEATS = 21

_NUMBERS = """
WITH RECURSIVE
    routine_number (r) AS (SELECT 0 UNION ALL SELECT r + 1 FROM routine_number WHERE r + 1 < :routines),
    age (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM age WHERE i < :each)
"""  # noqa: E501  # a statement

_TASKS = f"""
INSERT INTO task (
    routine, instant, zone, state, cause, reason, origin, planned_at, changed_at, place, by_hand,
    attempts, tries
)
{_NUMBERS}
SELECT
    printf('r%05d', r), at, 'UTC', state,
    iif(state = 'failed', 'exited badly', 'exited well'),
    iif(state = 'failed', 'exit code 1', 'exit code 0'),
    'scheduled', at * 1000000, (at + 40) * 1000000, at * 1000000, 0, tried, tried
FROM (
    SELECT
        r, :hour - i * 3600 + (r % 60) * 60 AS at,
        iif((i * 7 + r) % 1000 = 500, 'failed', 'succeeded') AS state,
        1 + ((i * 7 + r) % 200 = 1) AS tried
    FROM routine_number CROSS JOIN age
    ORDER BY r, i DESC
)
"""

_ATTEMPTS = """
INSERT INTO attempt (routine, instant, number, started_at, ended_at, outcome, code)
SELECT
    routine, instant, number, (instant + 20 * number - 19) * 1000000,
    (instant + 20 * number) * 1000000, 'exited',
    iif(state = 'failed' OR number < attempts, 1, 0)
FROM task CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2)
WHERE number <= attempts
"""

_REST = """
UPDATE routine SET
    known_since = known_since - 1000000 * 3600 * (:each + 1),
    last_success = (
        SELECT max(instant) FROM task
        WHERE task.routine = routine.name AND state = 'succeeded'
    );
UPDATE tally SET count = (SELECT count(*) FROM task WHERE task.state = tally.state);
"""


class Row(NamedTuple):
    """What a scheduler with so much history takes."""

    tasks: int
    megabytes: float  # of the database
    start: float  # seconds until it serves
    resident: float  # MiB
    status: float  # milliseconds, the whole command; the median
    status_processor: float  # milliseconds of processor time, of command and scheduler together
    status_down: float  # the same of a scheduler that does not run
    execute: float  # milliseconds for `execute TASK` of one that ended, the whole command


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=SIZES)
    sizes: list[int] = parser.parse_args().tasks
    with tempfile.TemporaryDirectory(dir=".", prefix="benchmark-") as folder:
        rows = [measured(Path(folder), size) for size in sizes]
    headers = ["tasks", "MB", "start s", "MiB", "status ms", "status: processor ms"]
    headers += ["status, down, ms", "execute ms"]
    decimals = ("", ".0f", ".2f", ".1f", ".1f", ".1f", ".1f", ".1f")
    print(tabulate(rows, headers, "github", floatfmt=decimals))


def registry_text() -> str:
    """Return the registry: hourly routines."""
    jobs = (
        f'<job name="r{number:05}" script="s.py" schedule="{number % 60} * * * *"/>'
        for number in range(ROUTINES)
    )
    return f'<registry timezone="UTC">{"".join(jobs)}</registry>'


def measured(folder: Path, tasks: int) -> Row:
    """Return what a scheduler with so many past tasks takes."""
    data = Folder.made(folder / f"history-{tasks}", registry_text())
    (data.path / "config.cfg").write_text("[history]\ndays = 36500\n")
    with data.scheduler():
        # Nothing of the benchmark's own is to run while it measures.
        data.run("pause", "--all", "--scheduler_name", NAME)
    database = data.path / "scheduler.db"
    write_history(database, tasks)
    megabytes = os.path.getsize(database) / 1e6
    name = ("--scheduler_name", NAME)
    down = [data.timed("status", *name) for _ in range(_REPEATS)]
    with data.scheduler() as running:
        before = _children() + running.processor
        status = [data.timed("status", *name) for _ in range(_REPEATS)]
        processor = (_children() + running.processor - before) / _REPEATS * 1e3
        resident = running.resident
        ended = newest_tasks(database)
        execute = [data.timed("execute", task, *name) for task in ended]
    for found in data.path.glob("scheduler.db*"):  # there may be no room for the next one
        if found.is_file():
            found.unlink()
    return Row(
        tasks,
        megabytes,
        running.seconds,
        resident,
        median(status),
        processor,
        median(down),
        median(execute),
    )


def _children() -> float:
    """Return the seconds of processor time that commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_history(path: Path, tasks: int) -> None:
    """Write so many past tasks, hourly ones up to the last full hour."""
    now = int(SystemClock(with_timer=False).now().timestamp())
    given = {
        "routines": ROUTINES,
        "each": max(tasks // ROUTINES, 1),
        "hour": now // _HOUR * _HOUR - _HOUR,
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in ("synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
            database.execute(f"PRAGMA {setting}")
        # Rows come by routine: to build the indexes at the end is ten times as fast.
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        database.execute("BEGIN")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        database.execute("DELETE FROM task")
        database.execute(_TASKS, given)
        database.execute(_ATTEMPTS)
        for _, statement in indexes:
            database.execute(statement)
        for statement in filter(str.strip, _REST.split(";")):
            database.execute(statement, given)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def newest_tasks(path: Path) -> list[str]:
    """Return the ids of some tasks that ended last."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute(
            "SELECT routine || '.' || strftime('%Y-%m-%dT%H:%M:%S', instant, 'unixepoch')"
            " FROM task WHERE state = 'succeeded' ORDER BY instant DESC LIMIT ?",
            (_REPEATS,),
        )
        return [str(row[0]) for row in found]


def median(seconds: list[float]) -> float:
    """Return the median, in milliseconds."""
    return statistics.median(seconds) * 1e3


if __name__ == "__main__":
    main()
