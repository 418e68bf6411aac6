"""What does it cost to keep a decision, and to ask for one among a million?

Measures transactions of the SQLite store beside the bare commit of the same disk, the questions
of `status` and `list` on a big database, and what it takes to prune that.  Run it with
``python -m benchmarks.store [--tasks 1000000]``; the database is made in the current folder.
"""

import argparse
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tabulate import tabulate

from scheduler.engine.commands import Record, RecordPlannedUntil, RecordRoutine, RecordTask
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import Attempt, Origin, Outcome, RoutineState, Task, TaskId
from scheduler.service.store.protocol import Reader
from scheduler.service.store.sqlite import SqliteReader, SqliteStore

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
ROUTINES = 2_000
KEPT = 100
CAUSES = {
    TaskState.WAITING: Cause.PLANNED,
    TaskState.RUNNING: Cause.STARTED,
    TaskState.SUCCEEDED: Cause.EXITED_WELL,
    TaskState.FAILED: Cause.EXITED_BADLY,
}


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="of the big database")
    tasks: int = parser.parse_args().tasks
    # Not in the folder for temporary files: that may be no disk.
    with TemporaryDirectory(dir=".", prefix="benchmark-") as folder:
        print(
            tabulate(measured_writes(Path(folder)), ["transaction", "median", "a second"], "github")
        )
        rows = measured_questions(Path(folder), tasks)
        print(f"\n{tasks:,} tasks of {ROUTINES:,} routines:\n")
        print(tabulate(rows, ["question", "median"], "github"))
        pruned = measured_pruning(Path(folder))
        print(f"\nPruned to the newest {KEPT} of each routine:\n")
        print(tabulate([pruned], ["deleted", "steps", "median", "longest", "all"], "github"))


def a_task(number: int, state: TaskState, routine: int) -> Task:
    """Return one of the many tasks."""
    instant = BEGIN + timedelta(seconds=30 * number)
    end = instant + timedelta(seconds=40)
    running = Attempt(number=1, started_at=instant)
    ended = Attempt(number=1, started_at=instant, ended_at=end, outcome=Outcome.EXITED, code=0)
    return Task(
        id=TaskId(f"routine{routine:05}", instant, "Europe/Paris"),
        state=state,
        cause=CAUSES[state],
        reason="exit code 0" if state.is_end else "attempt 1",
        origin=Origin.SCHEDULED,
        planned_at=instant,
        changed_at=end,
        place=instant,
        attempts=(ended,) if state.is_end else (running,) if state is TaskState.RUNNING else (),
    )


def a_pass(number: int) -> list[Record]:
    """Return what one pass of the loop records: one task ends, one starts, one is planned."""
    states = (TaskState.SUCCEEDED, TaskState.RUNNING, TaskState.WAITING)
    tasks = [a_task(number + n, state, (number + n) % 100) for n, state in enumerate(states)]
    until = RecordPlannedUntil(at=BEGIN + timedelta(seconds=30 * number))
    return [*(RecordTask(task=task) for task in tasks), until]


def measured_writes(folder: Path) -> list[tuple[str, str, str]]:
    """Measure transactions of several sizes."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as bare:
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
            bare.execute(statement)
        bare.execute("CREATE TABLE one (x)")
        floor = [timed(lambda: bare.execute("INSERT INTO one VALUES (1)")) for _ in range(3_000)]
    rows = [("one row: the bare commit", *shown(floor))]
    with closing(SqliteStore(folder / "passes.db")) as store:
        passes = [a_pass(number) for number in range(3_000)]
        rows.append(("a pass: 3 tasks, 1-2 attempts", *shown([kept(store, one) for one in passes])))
    with closing(SqliteStore(folder / "groups.db")) as store:
        groups = [
            [
                RecordTask(task=a_task(100 * group + n, state, n % 10))
                for state in (TaskState.WAITING, TaskState.RUNNING, TaskState.SUCCEEDED)
                for n in range(start, start + 33)
            ]
            for group in range(50)
            for start in (0, 33)
        ]
        times = [kept(store, group) for group in groups]
        rows.append(("99 transitions", *shown(times, 99)))
    return rows


def kept(store: SqliteStore, records: Sequence[Record]) -> float:
    """Return how long it takes to keep these."""
    return timed(lambda: store.apply(records))


def measured_questions(folder: Path, tasks: int) -> list[tuple[str, str]]:
    """Measure what `status` and `list` ask for, of a database with so many tasks."""
    path = folder / "big.db"
    with closing(SqliteStore(path)) as store:
        for start in range(0, tasks, 10_000):
            store.apply(
                [RecordTask(task=old_task(number)) for number in range(start, start + 10_000)]
            )
        live = [a_task(tasks + n, TaskState.WAITING, n) for n in range(200)]
        store.apply([RecordTask(task=task) for task in live])
        store.apply([RecordRoutine(state=a_routine(number)) for number in range(ROUTINES)])
    name = "routine00007"
    questions: dict[str, Callable[[Reader], object]] = {
        "live(), 200 tasks": lambda reader: reader.live(),
        "counts()": lambda reader: reader.counts(),
        "newest(routine)": lambda reader: reader.newest(name),
        "last_ended(routine)": lambda reader: reader.last_ended(name),
        f"last_ended_of_all(), {ROUTINES:,}": lambda reader: reader.last_ended_of_all(),
        "recent_ends(20)": lambda reader: reader.recent_ends(20),
        "failed()": lambda reader: reader.failed(),
        "history(), 50": lambda reader: reader.history(),
        "history(routine), 50": lambda reader: reader.history(routine=name),
        "history(state=failed), 50": lambda reader: reader.history(state=TaskState.FAILED),
        "durations(routine)": lambda reader: reader.durations(name),
    }
    with closing(SqliteReader(path)) as reader:
        times = {
            words: [timed(partial(ask, reader)) for _ in range(21)]
            for words, ask in questions.items()
        }
    return [(words, milliseconds(statistics.median(found))) for words, found in times.items()]


def measured_pruning(folder: Path) -> tuple[str, str, str, str, str]:
    """Measure how long each step of pruning keeps the loop from everything else."""
    times: list[float] = []
    deleted = 0
    with closing(SqliteStore(folder / "big.db")) as store:
        begun = perf_counter()
        for count in store.prune(BEGIN + timedelta(days=10_000), KEPT):
            times.append(perf_counter() - begun)
            deleted += count
            begun = perf_counter()
    median, longest = statistics.median(times), max(times)
    return (
        f"{deleted:,}",
        f"{len(times):,}",
        milliseconds(median),
        milliseconds(longest),
        f"{sum(times):.0f} s",
    )


def old_task(number: int) -> Task:
    """Return a task that has ended: of a thousand one has failed."""
    state = TaskState.SUCCEEDED if number % 997 else TaskState.FAILED
    return a_task(number, state, number % ROUTINES)


def a_routine(number: int) -> RoutineState:
    """Return what is remembered of a routine: nearly all have succeeded since they failed."""
    success = None if number % 500 == 0 else BEGIN + timedelta(days=10_000)
    return RoutineState(
        name=f"routine{number:05}", known_since=BEGIN, trigger="hourly", last_success=success
    )


def timed(act: Callable[[], object]) -> float:
    """Return how many seconds it takes."""
    begun = perf_counter()
    act()
    return perf_counter() - begun


def milliseconds(seconds: float) -> str:
    """Return a length of time for the table."""
    return f"{seconds * 1e3:.2f} ms"


def shown(times: list[float], each: int = 1) -> tuple[str, str]:
    """Return the median, and how many of the parts of a transaction go in a second."""
    return milliseconds(statistics.median(times)), f"{each * len(times) / sum(times):,.0f}"


if __name__ == "__main__":
    main()
