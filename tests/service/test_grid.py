"""The grid: which periods are its columns, what stands in a cell, and in which order the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from scheduler.engine.commands import Record, RecordRun, RecordTask
from scheduler.engine.states import Cause, TaskState
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service import grid
from scheduler.service.grid import PERIODS, fitting_period, grid_view, rows_of, starts_of
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import to_instant, to_local, zone_named
from tests.support.builders import a_run, a_task, an_id, at
from tests.support.memory_files import read

NOW = at("2026-10-02T09:30")


def a_registry(*jobs: str, **schedules: str) -> Registry:
    lines = [
        *jobs,
        *(f'<job name="{name}" script="s.py" schedule="{x}"/>' for name, x in schedules.items()),
    ]
    reading = read(f"<registry>{''.join(lines)}</registry>")
    assert not reading.errors, reading.errors
    return Registry(reading.routines, timezone=reading.timezone)


def a_store(*records: Record) -> MemoryStore:
    store = MemoryStore()
    store.apply(records)
    return store


def a_grid(registry: Registry, *records: Record, **options: Any) -> Any:
    return grid_view(registry, a_store(*records), NOW, **options)


def letters(row: Mapping[str, Any]) -> str:
    """Return the cells of a row: a state's first letters with the count, a dot for none."""
    return " ".join(
        "." if cell is None else f"{cell['state'][:2]}{cell['count']}" for cell in row["cells"]
    )


# -- columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "zone", "now", "expected"),
    [
        ("1m", "UTC", "2026-10-02T09:30", ["02 09:28", "02 09:29", "02 09:30"]),
        ("5m", "UTC", "2026-10-02T00:07", ["01 23:55", "02 00:00", "02 00:05"]),
        ("15m", "Asia/Kathmandu", "2026-10-02T09:30", ["02 14:45", "02 15:00", "02 15:15"]),
        ("1h", "UTC", "2026-10-02T09:59:59", ["02 07:00", "02 08:00", "02 09:00"]),
        ("6h", "Europe/Paris", "2026-10-02T09:30", ["01 18:00", "02 00:00", "02 06:00"]),
        # Clocks go back: an hour is there twice.
        ("1h", "Europe/Paris", "2026-10-25T01:30", ["25 01:00", "25 02:00", "25 02:00"]),
        ("1d", "Europe/Paris", "2026-10-25T23:30", ["24 00:00", "25 00:00", "26 00:00"]),
        # No midnight on that day.
        ("1d", "America/Santiago", "2026-09-07T09:30", ["05 00:00", "06 01:00", "07 00:00"]),
        ("week", "UTC", "2026-10-02T09:30", ["14 00:00", "21 00:00", "28 00:00"]),
        ("month", "UTC", "2026-01-02T09:30", ["01 00:00", "01 00:00", "01 00:00"]),
    ],
)
def test_columns_are_periods_of_the_zone_and_the_last_one_holds_now(
    period: str, zone: str, now: str, expected: Sequence[str]
) -> None:
    known = zone_named(zone)
    starts = starts_of(known, period, to_instant(at(now)), len(expected))
    assert [f"{to_local(start, known):%d %H:%M}" for start in starts] == list(expected)
    assert list(starts) == sorted(set(starts))


@pytest.mark.parametrize(
    ("schedules", "period"),
    [
        ({}, "1d"),
        ({"a": "* * * * *"}, "1m"),
        ({"a": "*/20 * * * *"}, "15m"),
        ({"a": "0 * * * *"}, "1h"),
        ({"a": "0 2 * * *"}, "1d"),
        ({"a": "@weekly"}, "week"),
        ({"a": "@yearly"}, "month"),
        # As many run more often as less often than the usual one.
        ({"a": "* * * * *", "b": "0 2 * * *", "c": "0 3 * * *", "d": "@monthly"}, "1d"),
        ({"a": "* * * * *", "b": "@monthly"}, "1m"),
    ],
)
def test_a_column_is_as_long_as_a_usual_routine_takes_from_task_to_task(
    schedules: Mapping[str, str], period: str
) -> None:
    assert fitting_period(a_registry(**schedules), list(schedules), NOW) == period


def test_a_column_may_be_asked_for() -> None:
    for period in PERIODS:
        view = a_grid(a_registry(a="0 2 * * *"), period=period, columns=3)
        assert (view["period"], len(view["columns"])) == (period, 3)
    with pytest.raises(SchedulerError, match="a column cannot be '2h': it is one of 1m, 5m"):
        a_grid(a_registry(), period="2h")


# -- cells -------------------------------------------------------------------------------------


def test_a_cell_is_one_task_where_there_is_one() -> None:
    view = a_grid(
        a_registry(load="0 * * * *"),
        RecordTask(task=a_task("load.2026-10-02T07:00:00")),
        RecordTask(task=a_task("load.2026-10-02T09:00:00", TaskState.FAILED, reason="exit code 3")),
        columns=3,
    )
    (row,) = view["rows"]
    assert letters(row) == "su1 . fa1"
    assert row["cells"][2] == {
        "task": "load.2026-10-02T09:00:00",
        "state": "failed",
        "reason": "exit code 3",
        "instant": "2026-10-02T09:00:00+00:00",
        "count": 1,
    }


@pytest.mark.parametrize(
    ("older", "newer", "shown"),
    [
        (TaskState.FAILED, TaskState.SUCCEEDED, "failed 1"),
        (TaskState.SUCCEEDED, TaskState.FAILED, "failed 2"),
        (TaskState.SUCCEEDED, TaskState.SUCCEEDED, "succeeded 2"),
        (TaskState.SKIPPED, TaskState.SUCCEEDED, "succeeded 2"),
        (TaskState.BLOCKED, TaskState.RUNNING, "blocked 1"),
        (TaskState.WAITING, TaskState.READY, "ready 2"),
        (TaskState.RUNNING, TaskState.CANCELLED, "cancelled 2"),
    ],
)
def test_of_several_tasks_the_worst_is_shown_and_of_these_the_newest(
    older: TaskState, newer: TaskState, shown: str
) -> None:
    view = a_grid(
        a_registry(load="* * * * *"),
        RecordTask(task=a_task("load.2026-10-02T09:01:00", older)),
        RecordTask(task=a_task("load.2026-10-02T09:02:00", newer)),
        period="1h",
        columns=1,
    )
    cell = view["rows"][0]["cells"][0]
    assert f"{cell['state']} {cell['task'][-4]}" == shown
    assert cell["count"] == 2


def test_a_run_of_skipped_instants_reaches_over_its_columns() -> None:
    run = a_run(first="2026-10-02T06:30", last="2026-10-02T08:15", count=8)
    view = a_grid(a_registry(load="*/15 * * * *"), RecordRun(run=run), period="1h", columns=5)
    assert letters(view["rows"][0]) == ". sk2 sk4 sk2 ."
    assert view["rows"][0]["cells"][2]["task"] == "load.2026-10-02T07:45:00"


def test_a_run_that_began_before_the_first_column_is_counted_from_there() -> None:
    run = a_run(first="2026-10-01T06:30", last="2026-10-02T08:15", count=104)
    view = a_grid(a_registry(load="*/15 * * * *"), RecordRun(run=run), period="1h", columns=3)
    assert letters(view["rows"][0]) == "sk4 sk2 ."


def test_what_is_overdue_says_so() -> None:
    task = a_task("load.2026-10-02T09:00:00", TaskState.RUNNING, reason="", is_overdue=True)
    view = a_grid(a_registry(load="0 * * * *"), RecordTask(task=task), columns=1)
    assert view["rows"][0]["cells"][0]["reason"] == "overdue"


def test_a_rare_routine_has_its_newest_task_beside_the_columns() -> None:
    registry = a_registry(often="* * * * *", rarely="@monthly")
    view = a_grid(registry, RecordTask(task=a_task("rarely.2026-10-01T00:00:00")), columns=5)
    row = view["rows"][1]
    assert letters(row) == ". . . . ."
    assert (row["last"]["task"], row["last"]["state"]) == (
        "rarely.2026-10-01T00:00:00",
        "succeeded",
    )


def test_cells_of_more_tasks_than_are_read_are_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_MOST_READ", 10)
    minutes = [f"load.2026-10-02T0{hour}:{m:02d}:00" for hour in (7, 8, 9) for m in range(5)]
    view = a_grid(
        a_registry(load="* * * * *"),
        *(RecordTask(task=a_task(id)) for id in minutes),
        period="1h",
        columns=3,
    )
    (row,) = view["rows"]
    assert (letters(row), row["unread"]) == (". . su5", 2)


# -- rows --------------------------------------------------------------------------------------


def test_root_failures_come_first_each_with_what_it_blocks() -> None:
    registry = a_registry(
        *(f'<job name="{name}" script="s.py" schedule="0 2 * * *"/>' for name in "abcdef")
    )
    one, two = an_id("e.2026-10-02T02:00:00"), an_id("c.2026-10-02T02:00:00")
    store = a_store(
        RecordTask(task=a_task(one, TaskState.FAILED)),
        RecordTask(task=a_task(two, TaskState.FAILED)),
        RecordTask(task=a_task("a.2026-10-02T02:00:00", TaskState.BLOCKED, root=one)),
        RecordTask(task=a_task("f.2026-10-02T02:00:00", TaskState.BLOCKED, root=two)),
    )
    rows = [(row.routine, row.is_root, row.held_by) for row in rows_of(registry, store)]
    assert rows == [
        ("c", True, None),
        ("f", False, "c"),
        ("e", True, None),
        ("a", False, "e"),
        ("b", False, None),
        ("d", False, None),
    ]


def test_a_root_that_has_left_the_registry_has_its_row_still() -> None:
    view = a_grid(
        a_registry(a="0 2 * * *"),
        RecordTask(task=a_task("gone.2026-10-02T02:00:00", TaskState.FAILED)),
        RecordRun(run=a_run("gone", "2026-10-01T00:00", "2026-10-02T00:00", cause=Cause.DISABLED)),
        columns=2,
    )
    assert [row["routine"] for row in view["rows"]] == ["gone", "a"]


def test_rows_beyond_the_limit_are_counted() -> None:
    view = a_grid(a_registry(a="@daily", b="@daily", c="@daily"), limit=2)
    assert ([row["routine"] for row in view["rows"]], view["more"]) == (["a", "b"], 1)


def test_one_routine_has_one_row() -> None:
    view = a_grid(a_registry(a="@daily", b="@daily"), routine="b")
    assert [row["routine"] for row in view["rows"]] == ["b"]
