"""Backups: whole while somebody writes, never over another file, and good to go back to."""

import os
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.errors import DamagedError, SchedulerError, StoreError
from scheduler.service.store import backup
from scheduler.service.store.backup import back_up, newest_backup, put_back
from scheduler.service.store.migrate import newest
from scheduler.service.store.sqlite import SqliteReader, SqliteStore
from tests.service.test_sqlite import DEADLINE, all_answers, child, on_posix, record
from tests.support.builders import at

NOW = at("2026-10-01T02:00:00")
NAME = "s.db.2026-10-01T02-00-00Z.backup"


def filled(path: Path, count: int = 1) -> SqliteStore:
    """Return a store with some records."""
    store = SqliteStore(path)
    store.apply([one for number in range(count) for one in record(number)])
    return store


def names(folder: Path) -> set[str]:
    """Return the names of a folder's files."""
    return {file.name for file in folder.iterdir()}


def test_a_backup_holds_what_only_the_log_holds_so_far(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(filled(path, 20)) as store:
        made = back_up(path, None, NOW)
        plain = path.read_bytes()
        with SqliteReader(made.path) as copy:
            assert all_answers(copy) == all_answers(store)
    assert made.path == tmp_path / NAME
    assert made.size == made.path.stat().st_size > len(plain)
    assert made.schema == newest()


@on_posix
def test_a_backup_is_one_file_that_its_user_alone_may_read(tmp_path: Path) -> None:
    with closing(filled(tmp_path / "s.db")):
        made = back_up(tmp_path / "s.db", None, NOW)
    assert made.path.stat().st_mode & 0o777 == 0o600
    made.path.parent.chmod(0o755)
    alone = tmp_path / "alone"
    alone.mkdir()
    made.path.rename(alone / "copy.db")
    with SqliteReader(alone / "copy.db") as copy:
        assert copy.planned_until() is not None
    assert names(alone) == {"copy.db"}


def test_a_writer_and_a_backup_do_not_hold_each_other_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So many steps that the writer is in between: a copy that began anew each time would not end.
    monkeypatch.setattr(backup, "_STEP", 1)
    path = tmp_path / "s.db"
    with closing(filled(path, 3000)) as store:
        made: list[backup.Backup] = []
        thread = threading.Thread(target=lambda: made.append(back_up(path, None, NOW)))
        thread.start()
        number = 3000
        while thread.is_alive():
            store.apply(record(number))
            number += 1
        thread.join(DEADLINE)
        assert number > 3001
        with SqliteReader(made[0].path) as copy:
            until = copy.planned_until()
            assert until is not None
            # Of one moment: all up to it, and nothing after.
            last = round((until - at("2026-10-01")).total_seconds())
            assert 299 <= last < number
            assert len(copy.tasks_since("load", at("2026-10-01"))) == last + 1


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path, target = tmp_path / "s.db", tmp_path / "copy.db"
    target.write_text("of value")
    with closing(filled(path)):
        with pytest.raises(SchedulerError, match=r"copy\.db is there already"):
            back_up(path, target, NOW)
        assert target.read_text() == "of value"
        (tmp_path / "link.db").symlink_to(tmp_path / "nowhere")
        with pytest.raises(SchedulerError, match=r"link\.db is there already"):
            back_up(path, tmp_path / "link.db", NOW)
        # Those that name themselves get out of each other's way.
        made = [back_up(path, None, NOW).path.name for _ in range(3)]
    assert made == [NAME, NAME.replace("Z.", "Z-2."), NAME.replace("Z.", "Z-3.")]
    assert newest_backup(path) == tmp_path / made[2]


def test_a_backup_into_a_folder_gets_a_name_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with closing(filled(tmp_path / "s.db")):
        assert back_up(tmp_path / "s.db", folder, NOW).path == folder / NAME
        with pytest.raises(StoreError, match="there is no such folder"):
            back_up(tmp_path / "s.db", tmp_path / "nowhere" / "copy.db", NOW)


@on_posix
def test_a_backup_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    filled(path, 300).close()
    said = child(
        "import resource\n"
        "from scheduler.service.store.backup import back_up\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    back_up(Path(sys.argv[1]), None, at('2026-10-01T02:00:00'))\n"
        "except StoreError as error:\n"
        "    print(error)\n",
        path,
    ).communicate(timeout=DEADLINE)[0]
    assert said.startswith(str(tmp_path / NAME)) and "disk" in said
    assert names(tmp_path) <= {"s.db", "s.db-wal", "s.db-shm"}


def test_what_is_damaged_is_not_taken_for_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    filled(path, 300).close()
    content = bytearray(path.read_bytes())
    content[8192:20480] = b"\x5a" * 12288
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"s\.db: this database is damaged"):
        back_up(path, None, NOW)
    assert newest_backup(path) is None
    with pytest.raises(DamagedError):
        put_back(path, tmp_path / "other.db")
    assert not (tmp_path / "other.db").exists()


def test_going_back_keeps_what_was_there_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = filled(path, 3)
    made = back_up(path, None, NOW)
    before = all_answers(store)
    for number in range(3, 9):
        store.apply(record(number))
    after = all_answers(store)
    # As a crash leaves it: the newest of it is in the log alone.
    crashed = {file: file.read_bytes() for file in (path, Path(f"{path}-wal"))}
    store.close()
    for file, content in crashed.items():
        file.write_bytes(content)

    kept = put_back(made.path, path)
    assert kept == tmp_path / "s.db.replaced"
    with SqliteReader(path) as now, SqliteReader(kept) as old:
        assert all_answers(now) == before
        assert all_answers(old) == after
    with closing(SqliteStore(path)) as store:
        store.apply(record(9))
    assert made.path.exists()


@on_posix
def test_going_back_leaves_owner_and_mode_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    filled(path).close()
    made = back_up(path, None, NOW)
    path.chmod(0o640)
    put_back(made.path, path)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("CREATE TABLE bookmarks (x)", "another program"),
        ("CREATE TABLE state (x)", "ancestor"),
        ("PRAGMA user_version = 1", "holds no state"),
    ],
)
def test_what_is_no_backup_is_not_put_in_the_place(
    tmp_path: Path, content: str, words: str
) -> None:
    path, strange = tmp_path / "s.db", tmp_path / "strange.db"
    filled(path).close()
    with closing(sqlite3.connect(strange)) as database:
        database.execute(content)
    before = path.read_bytes()
    with pytest.raises(SchedulerError, match=words):
        put_back(strange, path)
    with pytest.raises(SchedulerError, match="is the database itself"):
        put_back(path, path)
    with pytest.raises(SchedulerError, match="there is no such database"):
        put_back(tmp_path / "nowhere.db", path)
    assert path.read_bytes() == before
    assert names(tmp_path) == {"s.db", "strange.db"}


def test_a_backup_of_a_newer_version_is_not_put_in_the_place(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    filled(path).close()
    made = back_up(path, None, NOW).path
    with closing(sqlite3.connect(made)) as database, database:
        database.execute("INSERT INTO migration VALUES (9999, '9999_later')")
    with pytest.raises(SchedulerError, match="newer version"):
        put_back(made, path)
    # It can be copied all the same: to keep a copy is never wrong.
    assert back_up(made, tmp_path / "copy.db", NOW).schema == 9999


def test_a_database_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link.db"
    real.mkdir()
    filled(real / "s.db").close()
    link.symlink_to(real / "s.db")
    made = back_up(link, None, NOW)
    assert made.path == real / NAME
    put_back(made.path, link)
    assert link.is_symlink()
    assert re.match(r"s\.db\.replaced", next(name for name in names(real) if "repl" in name))
    assert newest_backup(link) == made.path


# -- the file that is in use ---------------------------------------------------------------------


@on_posix
@pytest.mark.parametrize("gone", [("",), ("-wal",), ("", "-wal", "-shm"), ("-shm",)])
def test_a_database_deleted_while_in_use_is_put_back(
    tmp_path: Path, gone: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.db"
    with closing(filled(path, 5)) as store, SqliteReader(path) as reader:
        for ending in gone:
            os.unlink(f"{path}{ending}")
        store.apply(record(5))
        assert "was deleted or replaced while it was in use" in caplog.text
        assert names(tmp_path) == {"s.db", "s.db-wal", "s.db-shm"}
        assert all_answers(reader) == all_answers(store)
        store.apply(record(6))
        assert all_answers(reader) == all_answers(store)
        caplog.clear()
    assert "deleted" not in caplog.text
    with SqliteReader(path) as reader:
        assert reader.planned_until() == at("2026-10-01T00:00:06")


@on_posix
@pytest.mark.parametrize("content", [b"", b"of another program", None])
def test_a_file_put_in_the_place_of_one_in_use_is_set_aside(
    tmp_path: Path, content: bytes | None
) -> None:
    path, other = tmp_path / "s.db", tmp_path / "other.db"
    if content is None:
        filled(other, 2).close()
    else:
        other.write_bytes(content)
    theirs = other.read_bytes()
    with closing(filled(path, 5)) as store:
        other.replace(path)
        store.apply(record(5))
        assert store.planned_until() == at("2026-10-01T00:00:05")
    assert (tmp_path / "s.db.replaced").read_bytes() == theirs
    with SqliteReader(path) as reader:
        assert reader.planned_until() == at("2026-10-01T00:00:05")


@on_posix
def test_one_that_is_gone_at_the_end_is_put_back_then(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = filled(path, 5)
    path.unlink()
    store.close()
    with SqliteReader(path) as reader:
        assert reader.planned_until() == at("2026-10-01T00:00:04")


@on_posix
def test_a_folder_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    folder.mkdir()
    with closing(filled(folder / "s.db", 5)) as store:
        folder.rename(elsewhere)
        with pytest.raises(StoreError, match="there is no such folder"):
            store.apply(record(5))
        elsewhere.rename(folder)
        store.apply(record(5))
        assert store.planned_until() == at("2026-10-01T00:00:05")
    assert not [name for name in names(folder) if "replaced" in name]
