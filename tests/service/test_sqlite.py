"""What is true of the SQLite store alone: crashes, readers, damage, speed by index."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.engine.commands import (
    ForgetRun,
    Record,
    RecordAhead,
    RecordPause,
    RecordPlannedUntil,
    RecordRoutine,
    RecordRun,
    RecordTask,
)
from scheduler.engine.states import TaskState
from scheduler.engine.task import PauseScope
from scheduler.errors import DamagedError, StoreError
from scheduler.service.store.memory import MemoryStore
from scheduler.service.store.protocol import Reader, RegistryText, Source, Store
from scheduler.service.store.sqlite import SqliteReader, SqliteStore
from tests.support.builders import a_pause, a_routine_state, a_run, a_task, an_attempt, an_id, at

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
DAY = timedelta(days=1)

on_posix = pytest.mark.skipif(os.name != "posix", reason="needs users and signals of POSIX")


def record(number: int) -> list[Record]:
    """Return a small transaction whose parts can be told to belong together."""
    task = a_task(an_id(f"r{number % 7}.2026-10-01T00:00:00"))
    moment = at("2026-10-01") + timedelta(seconds=number)
    return [
        RecordTask(task=a_task(an_id(f"load.{moment.replace(tzinfo=None).isoformat()}"))),
        RecordTask(task=task),
        RecordPlannedUntil(at=moment),
    ]


def child(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a Python that works with the store as another process would."""
    lines = "from tests.service.test_sqlite import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", lines + code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


# -- both stores, side by side -------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b c", "ü"])
HOURS = st.integers(0, 12)
STATES = st.sampled_from(list(TaskState))


@st.composite
def histories(draw: st.DrawFn) -> list[Record | int]:
    """Draw what a loop might record, and between that how much to prune."""
    return draw(st.lists(records() | st.integers(0, 12), max_size=40))


def records() -> st.SearchStrategy[Record]:
    """Draw one record."""
    moments = HOURS.map(lambda hour: at("2026-10-01") + timedelta(hours=hour, microseconds=hour))
    instants = HOURS.map(lambda hour: at("2026-10-01") + timedelta(hours=hour))
    ids = st.builds(lambda name, hour: an_id(f"{name}.2026-10-01T{hour:02}:00:00"), NAMES, HOURS)
    # Only the last attempt may still change.
    attempts = st.builds(
        lambda count, minutes: tuple(
            an_attempt(
                at("2026-10-01") + number % 3 * DAY,
                number=number,
                minutes=minutes if number == count else number,
            )
            for number in range(1, count + 1)
        ),
        st.integers(0, 4),
        st.sampled_from([None, 1, 2]),
    )
    tasks = st.builds(a_task, ids, STATES, attempts=attempts, reason=st.text(max_size=9))
    runs = st.builds(
        lambda name, first: a_run(name, first, first + timedelta(minutes=30), count=3),
        NAMES,
        instants,
    )
    pauses = st.builds(a_pause, st.sampled_from(PauseScope), NAMES, until=moments | st.none())
    states = st.builds(
        a_routine_state, NAMES, last_success=instants | st.none(), known_since=moments
    )
    return (
        tasks.map(lambda task: RecordTask(task=task))
        | runs.map(lambda run: RecordRun(run=run))
        | st.builds(lambda name, first: ForgetRun(routine=name, first=first), NAMES, instants)
        | states.map(lambda state: RecordRoutine(state=state))
        | moments.map(lambda moment: RecordPlannedUntil(at=moment))
        | st.builds(lambda id, drop: RecordAhead(task=id, drop=drop), ids, st.booleans())
        | st.builds(lambda one, drop: RecordPause(pause=one, drop=drop), pauses, st.booleans())
    )


def all_answers(reader: Reader) -> list[object]:
    """Return everything that a store says."""
    half = at("2026-10-01T06:00:00")
    answers: list[object] = [
        reader.planned_until(),
        reader.routines(),
        reader.live(),
        reader.ahead(),
        reader.pauses(),
        reader.early(half),
        reader.early_runs(half),
        reader.failed(),
        reader.failed(half),
        dict(reader.counts()),
        reader.last_ended_of_all(),
        reader.recent_ends(7),
    ]
    for name in ("a", "b c", "ü"):
        answers += [reader.tasks_since(name, half), reader.runs_since(name, half)]
        answers += [reader.newest(name), reader.last_ended(name), reader.durations(name, 3)]
        answers += [reader.history(routine=name, limit=5, since=half)]
        answers += [reader.run_of(an_id(f"{name}.2026-10-01T03:00:00"))]
    answers += [reader.history(state=state, until=half) for state in (None, *TaskState)]
    return answers


@given(history=histories())
def test_both_stores_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, history: list[Record | int]
) -> None:
    path = tmp_path_factory.mktemp("store") / "s.db"
    with closing(SqliteStore(path)) as sqlite, SqliteReader(path) as reader:
        memory = MemoryStore()
        for part in history:
            if isinstance(part, int):
                for store in (memory, sqlite):
                    list(store.prune(at(f"2026-10-01T{part:02}:30:00"), part % 4, step=2))
                continue
            for store in (memory, sqlite):
                store.apply([part])
        assert all_answers(sqlite) == all_answers(memory) == all_answers(reader)
    shutil.rmtree(path.parent)


# -- nothing committed is ever lost --------------------------------------------------------------


@on_posix
@pytest.mark.parametrize("enough", [1, 40, 333])
def test_a_kill_in_the_midst_of_writing_loses_nothing(tmp_path: Path, enough: int) -> None:
    path = tmp_path / "s.db"
    writer = child(
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "for number in range(10**6):\n"
        "    store.apply(record(number))\n"
        "    print(number, flush=True)\n",
        path,
    )
    assert writer.stdout is not None
    done = -1
    while done < enough:
        done = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    done = max([done, *(int(line) for line in writer.stdout if line.endswith("\n"))])
    writer.wait(DEADLINE)
    writer.stdout.close()
    with closing(SqliteStore(path)) as store:
        until = store.planned_until()
        assert until is not None
        # One transaction more may have been kept than was heard of.
        last = round((until - at("2026-10-01")).total_seconds())
        assert last in (done, done + 1)
        assert len(store.tasks_since("load", at("2026-10-01"))) == last + 1
        assert store.counts()[TaskState.SUCCEEDED] == last + 1 + min(last + 1, 7)


def test_a_record_that_is_refused_takes_its_whole_transaction_with_it(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "s.db")) as store:
        store.apply(record(1))
        before = all_answers(store)
        bad = RecordRun(run=a_run(first="2026-10-02", last="2026-10-01"))
        registry = RegistryText(sources=(Source(path="/d/registry.xml", data=b""),), timezone="UTC")
        with pytest.raises(sqlite3.IntegrityError):
            store.apply([*record(2), bad], registry)
        assert all_answers(store) == before
        assert store.sources() == ()
        store.apply(record(2))
        assert store.planned_until() == at("2026-10-01T00:00:02")


@on_posix
def test_a_full_disk_is_said_and_the_same_records_can_be_kept_later(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    # A limit on the size of files is as good as a full disk.
    writer = child(
        "import resource\n"
        "store = SqliteStore(Path(sys.argv[1]))\n"
        "unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, unlimited[1]))\n"
        "number = 0\n"
        "try:\n"
        "    while True:\n"
        "        store.apply(record(number))\n"
        "        number += 1\n"
        "except StoreError as error:\n"
        "    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)\n"
        "store.apply(record(number))\n"
        "print(number)\n",
        path,
    )
    message, number = writer.communicate(timeout=DEADLINE)[0].splitlines()
    assert writer.returncode == 0
    assert message.startswith(f"{path}: ")
    assert "disk" in message
    with closing(SqliteStore(path)) as store:
        assert len(store.tasks_since("load", at("2026-10-01"))) == int(number) + 1


def test_a_database_that_another_program_holds_is_said_to_be_locked(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(SqliteStore(path, timeout=0.01)) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds it locked"):
            store.apply(record(1))
        assert store.planned_until() is None
        other.rollback()
        store.apply(record(1))


# -- readers -------------------------------------------------------------------------------------


def test_a_reader_in_another_process_sees_whole_transactions_only(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(SqliteStore(path)) as store:
        store.apply(record(0))
        reader = child(
            "reader = SqliteReader(Path(sys.argv[1]))\n"
            "seen = -1\n"
            "while seen < 300:\n"
            "    fates = reader.history(routine='load', limit=1)\n"
            "    seen = round((fates[0].instant - at('2026-10-01')).total_seconds())\n"
            "    until = reader.planned_until()\n"
            "    assert until >= fates[0].instant, 'torn'\n"
            "    print(seen, flush=True)\n"
            "reader.close()\n",
            path,
        )
        assert reader.stdout is not None
        seen = [int(reader.stdout.readline())]
        for number in range(1, 301):
            store.apply(record(number))
        seen += [int(line) for line in reader.stdout]
        assert reader.wait(DEADLINE) == 0
        reader.stdout.close()
    assert seen == sorted(seen)
    assert seen[-1] == 300


def test_many_threads_may_ask_one_reader(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(50):
                fates = reader.history(limit=5)
                assert len({fate.instant for fate in fates}) == len(fates)
        except BaseException as error:
            failures.append(error)

    with closing(SqliteStore(path)) as store, SqliteReader(path) as reader:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for number in range(100):
            store.apply(record(7 * number)[:1])
        for thread in threads:
            thread.join(DEADLINE)
    assert failures == []


@pytest.mark.parametrize("name", ["a b.db", "why?.db", "50%25.db", "#1.db", "täglich.db", "a&b=c"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    with closing(SqliteStore(folder / name)) as store:
        store.apply(record(1))
        with SqliteReader(folder / name) as reader:
            assert reader.planned_until() == store.planned_until()
    with SqliteReader(folder / name) as reader:
        assert len(reader.history()) == 2
    assert {file.name for file in folder.iterdir()} <= {name, f"{name}-wal", f"{name}-shm"}


def test_a_reader_never_makes_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such database"):
        SqliteReader(tmp_path / "s.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="is empty"):
        SqliteReader(tmp_path / "empty.db")
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    with SqliteReader(path) as reader, pytest.raises(StoreError, match="cannot be written"):
        reader._ask(("DELETE FROM tally", ()))


def test_what_a_killed_writer_left_in_the_log_is_read(tmp_path: Path) -> None:
    path, copy = tmp_path / "s.db", tmp_path / "copy"
    copy.mkdir()
    with closing(SqliteStore(path)) as store:
        store.apply(record(1))
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", copy)
    with SqliteReader(copy / "s.db") as reader:
        assert reader.planned_until() == at("2026-10-01T00:00:01")


# -- other users: run by root these tests become another one ------------------------------------


def as_another_user() -> None:
    """Give up the rights of root, which no mode of a file can keep out."""
    Path("/").as_uri()  # imports what the other one may not read
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user may read, as are all above it: those of pytest are private."""
    with tempfile.TemporaryDirectory(prefix="shared-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


READ_AS_ANOTHER = (
    "as_another_user()\n"
    "try:\n"
    "    with SqliteReader(Path(sys.argv[1])) as reader:\n"
    "        print(reader.planned_until())\n"
    "except StoreError as error:\n"
    "    print(error)\n"
)


def answer_in(folder: Path) -> str:
    """Return what another user reads, from a folder that they cannot write to."""
    folder.chmod(0o555)
    try:
        return child(READ_AS_ANOTHER, folder / "s.db").communicate(timeout=DEADLINE)[0].strip()
    finally:
        folder.chmod(0o755)


@on_posix
def test_a_database_in_a_folder_that_is_only_for_reading_can_be_read(shared: Path) -> None:
    with closing(SqliteStore(shared / "s.db")) as store:
        store.apply(record(1))
    assert answer_in(shared) == "2026-10-01 00:00:01+00:00"
    assert [file.name for file in shared.iterdir()] == ["s.db"]


@on_posix
def test_it_can_be_read_there_while_a_scheduler_writes(shared: Path) -> None:
    with closing(SqliteStore(shared / "s.db")) as store:
        store.apply(record(1))
        assert answer_in(shared) == "2026-10-01 00:00:01+00:00"


@on_posix
def test_where_a_log_cannot_be_read_nothing_old_is_shown_as_new(shared: Path) -> None:
    copy = shared / "copy"
    copy.mkdir()
    with closing(SqliteStore(shared / "s.db")) as store:
        store.apply(record(1))
        for suffix in ("", "-wal"):
            shutil.copy(shared / f"s.db{suffix}", copy)
    assert "s.db: it cannot be opened" in answer_in(copy)


# -- what is no database of ours -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is a text, and longer than any header could be " * 9, "this is no SQLite database"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "this is no SQLite database|damaged"),
    ],
)
def test_what_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(content)
    for open_it in (SqliteStore, SqliteReader):
        with pytest.raises(StoreError, match=words):
            open_it(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", ["cut", "scribbled"])
def test_a_damaged_database_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "s.db"
    with closing(SqliteStore(path)) as store:
        for number in range(200):
            store.apply(record(number))
    content = path.read_bytes()
    page = 4096
    half = len(content) // page // 2 * page
    path.write_bytes(content[:half] if damage == "cut" else content[:page] + b"\x5a" * (half))
    with pytest.raises(StoreError, match=r"s\.db: this database is damaged"):
        SqliteStore(path)


def test_damage_that_shows_in_use_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with closing(SqliteStore(path)) as store:
        for number in range(400):
            store.apply(record(number))
    with closing(SqliteStore(path)) as store:
        content = path.read_bytes()
        path.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))
        store._database.execute("PRAGMA shrink_memory")  # or it would not look at the file
        with pytest.raises(DamagedError, match="this database is damaged"):
            store.history()
        with pytest.raises(DamagedError, match="this database is damaged"):
            store.apply(record(401))
        with pytest.raises(DamagedError, match="this database is damaged"):
            list(store.prune(at("2027-01-01"), 1))


def test_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is there such a folder"):
        SqliteStore(tmp_path / "nowhere" / "s.db")
    for open_it in (SqliteStore, SqliteReader):
        with pytest.raises(StoreError, match="this is a folder"):
            open_it(tmp_path)


# -- indexes -------------------------------------------------------------------------------------


def test_each_question_is_answered_from_an_index(tmp_path: Path) -> None:
    plans: list[str] = []

    class Explained(SqliteReader):
        def _ask(self, *questions):  # type: ignore[no-untyped-def]
            with closing(sqlite3.connect(path)) as database:
                for statement, parameters in questions:
                    found = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                    plans.extend(row[3] for row in found)
            return super()._ask(*questions)

    path = tmp_path / "s.db"
    with closing(SqliteStore(path)) as store:
        store.apply(record(1))
    with Explained(path) as reader:
        all_answers(reader)
    assert len(plans) > 50
    # A scan is fine in the order of an index that holds only what matters, or in which a limit
    # ends it, and of tables that are small.
    fine = r"task USING INDEX|t USING INDEX|skipped USING INDEX|attempt USING (COVERING )?INDEX"
    small = r"(t|name|tally|routine|ahead|pause|planned|registry_source)$"
    scans = [plan.removeprefix("SCAN ") for plan in plans if plan.startswith("SCAN")]
    assert [scan for scan in scans if not re.match(f"{fine}|{small}", scan)] == []


def test_anyone_can_read_the_views(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store: Store = SqliteStore(path)
    store.apply(
        [
            *record(1),
            RecordRun(run=a_run()),
            RecordRoutine(state=a_routine_state(last_success=at("2026-10-01"))),
            RecordPause(pause=a_pause(PauseScope.TAG, "night", until=at("2026-10-02"))),
        ]
    )
    store.close()
    with closing(sqlite3.connect(path)) as database:
        (task,) = database.execute(
            "SELECT instant, state, changed_at FROM tasks WHERE routine = 'load'"
        )
        assert task == ("2026-10-01T00:00:01Z", "succeeded", "2026-10-01T00:00:01.000Z")
        (end,) = database.execute("SELECT ended_at FROM attempts WHERE routine = 'load'")
        assert end == ("2026-10-01T00:01:01.000Z",)
        (run,) = database.execute("SELECT first, last, count FROM skipped_runs")
        assert run == ("2026-10-01T00:00:00Z", "2026-10-01T05:00:00Z", 6)
        (routine,) = database.execute("SELECT known_since, last_success FROM routines")
        assert routine == ("2026-10-01T00:00:00.000Z", "2026-10-01T00:00:00Z")
        (pause,) = database.execute("SELECT * FROM pauses")
        assert pause == ("tag", "night", "2026-10-01T00:00:00.000Z", "2026-10-02T00:00:00.000Z")
