"""The schema: numbered steps forward, and whose database it is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.engine.commands import RecordTask
from scheduler.engine.states import TaskState
from scheduler.engine.task import Task
from scheduler.errors import SchedulerError
from scheduler.service.store import migrate
from scheduler.service.store.rows import to_micros
from scheduler.service.store.sqlite import SqliteReader, SqliteStore, has_ancestor_state
from scheduler.zones import to_instant
from tests.support.builders import a_task, at

OPENERS: list[Callable[[Path], object]] = [SqliteStore, SqliteReader]


def run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as another program would, and return what the last one found."""
    found: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            found = database.execute(statement).fetchall()
        database.commit()
    return found


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [number for number, _ in migrate.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_each_migration_is_recorded_and_done_once(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    for _ in range(3):
        with closing(SqliteStore(path)) as store:
            store.apply([RecordTask(task=a_task())])
        assert run(path, "SELECT number, name FROM migration") == migrate.migrations()
    with SqliteReader(path) as reader:
        assert reader.history()[0].task == a_task()


def test_a_migration_that_breaks_off_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    before = run(path, "SELECT sql FROM sqlite_master")
    folder = tmp_path / "sql"
    folder.mkdir()
    for _, name in migrate.migrations():
        (folder / f"{name}.sql").write_text("not carried out again;", encoding="utf-8")
    number = migrate.newest() + 1
    more = folder / f"{number:04}_more.sql"
    whole = "CREATE TABLE more (x);  -- a comment\nINSERT INTO more VALUES (';');\n"
    more.write_text(f"{whole}nonsense;\n", encoding="utf-8")
    monkeypatch.setattr(migrate, "FOLDER", folder)
    with pytest.raises(SchedulerError, match="nonsense"):
        SqliteStore(path)
    assert run(path, "SELECT sql FROM sqlite_master") == before
    with pytest.raises(SchedulerError, match="older version"):
        SqliteReader(path)
    more.write_text(whole, encoding="utf-8")
    SqliteStore(path).close()
    assert run(path, "SELECT x FROM more") == [(";",)]
    assert run(path, "SELECT max(number) FROM migration") == [(number,)]


def test_a_database_of_the_first_schema_keeps_what_it_holds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    ended, running = a_task(), a_task("load.2026-10-01T03:00:00", TaskState.RUNNING)
    make_first(path, ended, running)
    with pytest.raises(SchedulerError, match="older version"):
        SqliteReader(path)
    with closing(SqliteStore(path)) as store:
        assert store.task(ended.id) == replace(ended, tries=0)
        assert store.task(running.id) == running
        assert running.tries == 1
        assert store.counts()[TaskState.RUNNING] == 1
        assert store.pauses() == ()
        changed = replace(running, retry_at=at("2026-10-01T04:00"), is_overdue=True, tries=2)
        store.apply([RecordTask(task=changed)])
        assert store.task(running.id) == changed
    ((tries, retry_at, is_overdue),) = run(
        path, "SELECT tries, retry_at, is_overdue FROM tasks WHERE state = 'running'"
    )
    assert (tries, retry_at, is_overdue) == (2, "2026-10-01T04:00:00.000Z", 1)
    assert run(path, "SELECT peak_memory, cpu_time FROM attempts") == [(None, None)] * 2


def make_first(path: Path, *tasks: Task) -> None:
    """Make a database as the first version did, with these tasks."""
    run(
        path, *migrate.statements_of("0001_first"), "INSERT INTO migration VALUES (1, '0001_first')"
    )
    for task in tasks:
        id, (attempt,) = task.id, task.attempts
        key = f"'{id.routine}', {to_instant(id.instant)}"
        moment = to_micros(task.changed_at)
        end = "NULL" if attempt.ended_at is None else to_micros(attempt.ended_at)
        outcome = "NULL" if attempt.outcome is None else f"'{attempt.outcome}'"
        code = "NULL" if attempt.code is None else attempt.code
        run(
            path,
            f"INSERT INTO task VALUES ({key}, 'UTC', '{task.state}', '{task.cause}',"
            f" '{task.reason}', 'scheduled', {moment}, {moment}, {moment},"
            " NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, 1)",
            f"INSERT INTO attempt VALUES ({key}, 1, {to_micros(attempt.started_at)}, {end},"
            f" {outcome}, {code}, NULL, NULL, NULL, NULL)",
            f"UPDATE tally SET count = count + 1 WHERE state = '{task.state}'",
        )


@pytest.mark.parametrize("open_it", OPENERS)
def test_a_newer_database_is_refused_and_not_changed(
    tmp_path: Path, open_it: Callable[[Path], object]
) -> None:
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    run(path, "INSERT INTO migration VALUES (9999, '9999_later')")
    before = path.read_bytes()
    with pytest.raises(SchedulerError, match=r"s\.db: this database was written by a newer"):
        open_it(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("table", "words"), [("state", "program's ancestor"), ("bookmarks", "a table 'bookmarks'")]
)
@pytest.mark.parametrize("open_it", OPENERS)
def test_a_database_that_is_not_ours_is_refused_and_not_touched(
    tmp_path: Path, open_it: Callable[[Path], object], table: str, words: str
) -> None:
    path = tmp_path / "s.db"
    run(path, f"CREATE TABLE {table} (x)")
    before = path.read_bytes()
    with pytest.raises(SchedulerError, match=words):
        open_it(path)
    assert has_ancestor_state(path) == (table == "state")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_database_with_a_table_state_is_the_ancestors(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    assert not has_ancestor_state(path)
    assert not has_ancestor_state(tmp_path)
    path.write_text("a text", encoding="utf-8")
    assert not has_ancestor_state(path)
    path.write_bytes(b"")
    assert not has_ancestor_state(path)
    SqliteStore(path).close()
    assert not has_ancestor_state(path)
    run(path, "CREATE TABLE state (x)")
    assert not has_ancestor_state(path)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.touch()
    SqliteStore(path).close()
    assert run(path, "PRAGMA journal_mode") == [("wal",)]
