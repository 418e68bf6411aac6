"""Each schema that was ever released, with what a scheduler of that time left, moves forward.

``schemas/N.sql`` is the dump of a real database: of runs that succeeded, failed, were skipped, of
one that was under way when its scheduler was killed, and of what was blocked, marked, cancelled
ahead and, from 2 on, retried and paused.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.engine.commands import RecordTask
from scheduler.engine.states import TaskState
from scheduler.errors import SchedulerError, StoreError
from scheduler.service.recovery import last_registry
from scheduler.service.store.backup import newest_backup, put_back
from scheduler.service.store.migrate import newest
from scheduler.service.store.sqlite import SqliteReader, SqliteStore
from tests.service.test_sqlite import DEADLINE, child, on_posix

FOLDER = Path(__file__).with_name("schemas")
NUMBERS = sorted(int(file.stem) for file in FOLDER.glob("*.sql"))

Rows = Mapping[str, list[Mapping[str, object]]]


def left_by(number: int, path: Path) -> Path:
    """Make the database that a scheduler of that schema left."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript((FOLDER / f"{number}.sql").read_text(encoding="utf-8"))
    return path


def rows_of(path: Path) -> Rows:
    """Return all that a database holds, by table and column."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            str(name): [dict(row) for row in database.execute(f"SELECT * FROM {name}")]
            for (name,) in tables
        }


def in_columns_of(old: Rows, new: Rows) -> Iterator[tuple[str, list[Mapping[str, object]]]]:
    """Yield the rows of each old table as the new one has them, without what came later."""
    for table, rows in old.items():
        known = rows[0].keys() if rows else ()
        yield table, [{key: row[key] for key in known} for row in new[table]]


@pytest.fixture(params=NUMBERS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[int, Path]:
    """Return the number of a released schema, and a database of it."""
    return request.param, left_by(request.param, tmp_path / "s.db")


def test_every_schema_before_the_newest_has_its_dump() -> None:
    assert set(range(1, newest())) <= set(NUMBERS) <= set(range(1, newest() + 1))


def test_every_row_is_still_there_after_the_move(old: tuple[int, Path]) -> None:
    _, path = old
    before = dict(rows_of(path))
    SqliteStore(path).close()
    after = rows_of(path)
    assert after["migration"][: len(before["migration"])] == before.pop("migration")
    assert after["migration"][-1]["number"] == newest()
    assert dict(in_columns_of(before, after)) == before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_everything_in_it_can_be_read_and_goes_on(old: tuple[int, Path]) -> None:
    number, path = old
    raw = rows_of(path)
    with closing(SqliteStore(path)) as store:
        fates = store.history(limit=1000)
        tasks = [fate.task for fate in fates if fate.task is not None]
        assert len(tasks) == len(raw["task"])
        assert sum(len(task.attempts) for task in tasks) == len(raw["attempt"])
        assert len(fates) - len(tasks) == len(raw["skipped"])
        assert dict(store.counts()) == {
            TaskState(str(row["state"])): row["count"] for row in raw["tally"]
        }
        assert [state.name for state in store.routines()] == sorted(
            str(row["name"]) for row in raw["routine"]
        )
        assert [str(id) for id in store.ahead()] == ["nightly.2027-02-01T02:00:00"]
        assert [one.name for one in store.pauses()] == ["nightly"] * (number >= 2)
        assert {task.state for task in tasks} >= {
            TaskState.SUCCEEDED,
            TaskState.FAILED,
            TaskState.SKIPPED,
            TaskState.BLOCKED,
            TaskState.RUNNING,
        }
        (running,) = (task for task in store.live() if task.state is TaskState.RUNNING)
        assert (running.routine, running.tries) == ("slow", 1)
        registry = last_registry(store)
        assert registry is not None and registry["report"].dependencies
        changed = replace(running, is_overdue=True, tries=3)
        store.apply([RecordTask(task=changed)])
        assert store.task(running.id) == changed
    with SqliteReader(path) as reader:
        assert reader.task(running.id) == changed


def test_as_it_was_before_it_is_kept_beside(old: tuple[int, Path]) -> None:
    number, path = old
    before = rows_of(path)
    with closing(SqliteStore(path)) as store:
        notices = store.notices
    kept = newest_backup(path)
    if number == newest():
        assert (notices, kept) == ((), None)
        return
    assert kept == path.with_name(f"s.db.schema-{number}.backup")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert rows_of(kept) == before
    (notice,) = notices
    assert f"from schema {number} to {newest()}" in notice and str(kept) in notice
    with closing(SqliteStore(path)) as store:
        assert store.notices == ()
    # Who goes back to it moves forward once more, and keeps it once more.
    put_back(kept, path)
    with closing(SqliteStore(path)) as store:
        assert "schema-1-2.backup" in store.notices[0] or number != 1
    assert rows_of(kept) == before


def test_a_new_database_has_nothing_to_keep(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "s.db")) as store:
        assert store.notices == ()
    assert newest_backup(tmp_path / "s.db") is None


needs_older = pytest.mark.skipif(newest() == 1, reason="there is no older schema")


@on_posix
@needs_older
def test_without_room_for_a_backup_nothing_is_moved(tmp_path: Path) -> None:
    path = left_by(1, tmp_path / "s.db")
    before = rows_of(path)
    said = child(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    SqliteStore(Path(sys.argv[1]))\n"
        "except StoreError as error:\n"
        "    print(error)\n",
        path,
    ).communicate(timeout=DEADLINE)[0]
    assert said.startswith(f"{path} is of an older version, and stays so, for no backup")
    assert said.count("\n") == 1 and "disk" in said
    assert rows_of(path) == before
    assert {file.name for file in tmp_path.iterdir()} <= {"s.db", "s.db-wal", "s.db-shm"}
    SqliteStore(path).close()


@needs_older
def test_a_damaged_database_is_not_moved(tmp_path: Path) -> None:
    path = left_by(1, tmp_path / "s.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    # Its last page: of a view or an index, which a quick look may pass over.
    content[-2048:] = b"\x5a" * 2048
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        SqliteStore(path)
    assert newest_backup(path) is None


@needs_older
def test_who_only_reads_is_told_that_a_start_moves_it(tmp_path: Path) -> None:
    path = left_by(1, tmp_path / "s.db")
    with pytest.raises(SchedulerError, match="a start of the scheduler brings it up to date"):
        SqliteReader(path)
