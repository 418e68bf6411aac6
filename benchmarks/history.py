"""Does it matter how many tasks there have been: for `status`, for a start, for each request?

A history is written straight into the database of a real scheduler, of a thousand hourly routines:
one task of a thousand has failed, one of two hundred was tried twice.  10,000,000 tasks take
some minutes and 4 GB of disk.
"""

import os
import resource
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.data_folder import DataFolder, job
from benchmarks.figures import OURS, Figure
from benchmarks.processes import resident, spent, tree
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps
from scheduler.service.clock import SystemClock

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
ROUTINES = 1_000
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


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    repeats = setting.either(_REPEATS, 3)
    for size in SIZES[: setting.either(len(SIZES), 2)]:
        yield from _of_history(setting, size, repeats)


def _of_history(setting: Setting, size: int, repeats: int) -> Iterator[Figure]:
    """Yield what a scheduler with so many past tasks takes."""
    room = setting.room(f"{size} tasks")
    folder = DataFolder(room, Stamps(room).environment)
    jobs = [job(f"r{number:05}", schedule=f"{number % 60} * * * *") for number in range(ROUTINES)]
    folder.write(jobs, more="[history]\ndays = 36500\n")
    with folder.serving():
        # Nothing of the benchmark's own is to run while it measures.
        folder.run("pause", "--all")
    write_history(folder.database, size)
    yield _figure("database", "MB", size, [os.path.getsize(folder.database) / 1e6])
    down = [folder.seconds("status") * 1e3 for _ in range(repeats)]
    with folder.serving() as served:
        processes = tree(served.pid)
        yield _figure("until it serves", "s", size, [served.seconds])
        before = _commands() + spent(processes)[0]
        status = [folder.seconds("status") * 1e3 for _ in range(repeats)]
        processor = (_commands() + spent(processes)[0] - before) / repeats
        yield _figure("status, the whole command", "ms", size, status)
        yield _figure("processor time of status, scheduler included", "ms", size, [processor])
        yield _figure("status of one that does not run, the whole command", "ms", size, down)
        yield _figure("resident memory", "MiB", size, [resident(processes)])
        ended = newest_tasks(folder.database, repeats)
        execute = [folder.seconds("execute", task) * 1e3 for task in ended]
        yield _figure("execute of a task that ended, the whole command", "ms", size, execute)
    for found in folder.folder.glob("scheduler.db*"):  # there may be no room for the next one
        if found.is_file():
            found.unlink()


def _commands() -> float:
    """Return the milliseconds of processor time that commands have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e3


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


def newest_tasks(path: Path, count: int) -> list[str]:
    """Return the ids of some tasks that ended last."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute(
            "SELECT routine || '.' || strftime('%Y-%m-%dT%H:%M:%S', instant, 'unixepoch')"
            " FROM task WHERE state = 'succeeded' ORDER BY instant DESC LIMIT ?",
            (count,),
        )
        return [str(row[0]) for row in found]


def _figure(what: str, unit: str, size: int, samples: Sequence[float]) -> Figure:
    return Figure(
        what=f"{what}, by tasks of history",
        who=OURS,
        unit=unit,
        size=size,
        samples=tuple(samples),
    )
