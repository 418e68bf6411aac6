"""The store in an SQLite database: `SqliteStore` is its one writer, `SqliteReader` for the rest.

No decisions: what to keep is the engine's word.
"""

import logging
import os
import sqlite3
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self, assert_never

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
from scheduler.engine.task import SkippedRun, Task
from scheduler.errors import StoreError
from scheduler.service.store.answers import Question, SqlAnswers
from scheduler.service.store.backup import (
    ENDING,
    Files,
    copy_of,
    files_of,
    free_name,
    identity_of,
    take_place,
)
from scheduler.service.store.connection import (
    FrozenConnection,
    connect_to_read,
    connect_to_write,
    failure,
    transaction,
)
from scheduler.service.store.migrate import (
    check,
    has_ancestor_state,
    migrate,
    newest,
    refuse_strange,
    schema_of,
)
from scheduler.service.store.protocol import TIMEZONE_NOTE, RegistryText
from scheduler.service.store.rows import (
    Row,
    attempt_row,
    pause_row,
    routine_row,
    run_row,
    task_row,
    to_micros,
    to_seconds,
    to_text,
)
from scheduler.service.store.statements import WRITES
from scheduler.zones import to_instant

__all__ = ["SqliteReader", "SqliteStore", "has_ancestor_state"]

log = logging.getLogger(__name__)

_SKIPPED = TaskState.SKIPPED.value


class SqliteStore(SqlAnswers):
    """The one writer of a database, for the thread that made it.

    The file is made if it is not there, and its schema brought up to date.  ``timeout`` is how
    many seconds to wait for another program that holds the database locked.

    Raises:
        SchedulerError: the file is something else, damaged, of a newer version, or cannot be used.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        self._path = path
        self._real = Path(os.path.realpath(path))  # beside it stands its log
        self._timeout = timeout
        refuse_strange(path)
        self._database = connect_to_write(path, timeout)
        try:
            #: what its user is to know of how it was opened
            self.notices = tuple(self._bring_forward())
            self._files = self._opened_files()
            self._like = path.stat()
        except BaseException:
            self._database.close()
            raise

    def _bring_forward(self) -> Iterator[str]:
        """Bring the schema up to date, after a backup where there is something to lose."""
        number = schema_of(self._database, self._path)
        if 0 < number < newest():
            kept = free_name(self._real, f"schema-{number}", ENDING)
            try:
                copy_of(self._database, self._path, kept)
            except StoreError as error:
                raise type(error)(
                    f"{self._path} is of an older version, and stays so, for no backup of it can"
                    f" be made first: {error}"
                ) from error
            yield (
                f"the database was brought from schema {number} to {newest()};"
                f" as it was before it is kept as {kept}"
            )
        migrate(self._database, self._path)

    def close(self) -> None:
        """Let go of the database."""
        try:
            self._see_to_its_place()
        except StoreError as error:
            log.error("%s", error)
        self._database.close()

    @contextmanager
    def _transaction(self) -> Generator[None, None, None]:
        self._see_to_its_place()
        with transaction(self._database, self._path):
            yield

    def _see_to_its_place(self) -> None:
        """Put the database back if its file was deleted, moved away or replaced since.

        What was opened goes on unseen as long as it is open, and would be gone with this process.

        Raises:
            StoreError: it cannot be put back.
        """
        if files_of(self._real) == self._files:
            return
        draft = free_name(self._real, "rescued")
        copy_of(self._database, self._path, draft, is_to_go_on=True)
        with suppress(OSError):
            os.chmod(draft, self._like.st_mode)
            os.chown(draft, self._like.st_uid, self._like.st_gid)
        kept = take_place(draft, self._real, ours=self._files)
        database = connect_to_write(self._path, self._timeout)
        self._database.close()
        self._database = database
        self._files = self._opened_files()
        what = f"; the other file is kept as {kept}" if kept else ""
        log.error("%s was deleted or replaced while it was in use: it is back%s", self._real, what)

    def _opened_files(self) -> Files:
        self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the log
        return files_of(self._real)

    def _ask(self, *questions: Question) -> list[list[Row]]:
        # No transaction: nobody else writes.
        try:
            return [self._database.execute(*question).fetchall() for question in questions]
        except sqlite3.DatabaseError as error:
            raise failure(error, self._path) from error

    # -- records ---------------------------------------------------------------------------

    def apply(self, records: Sequence[Record], registry: RegistryText | None = None) -> None:
        """Keep all of these, or none: one durable transaction.

        Raises:
            StoreError: it could not be done; nothing is kept, and it may be tried again.
        """
        if not records and registry is None:
            return
        with self._counted() as counts:
            if registry is not None:
                self._keep_registry(registry)
            for record in records:
                self._keep(record, counts)

    def _keep(self, record: Record, counts: Counter[str]) -> None:
        match record:
            case RecordTask(task=task):
                self._keep_task(task, counts)
            case RecordRun(run=run):
                self._keep_run(run, counts)
            case ForgetRun(routine=routine, first=first):
                self._forget_run(routine, to_instant(first), counts)
            case RecordRoutine(state=state):
                self._database.execute(WRITES["keep routine"], routine_row(state))
            case RecordPlannedUntil(at=at):
                self._database.execute(WRITES["keep planned until"], (to_micros(at),))
            case RecordAhead(task=id, drop=False):
                row = (id.routine, to_instant(id.instant), id.zone)
                self._database.execute(WRITES["keep ahead"], row)
            case RecordAhead(task=id):
                key = (id.routine, to_instant(id.instant))
                self._database.execute(WRITES["forget ahead"], key)
            case RecordPause(pause=pause, drop=False):
                self._database.execute(WRITES["keep pause"], pause_row(pause))
            case RecordPause(pause=pause):
                self._database.execute(WRITES["forget pause"], pause_row(pause)[:2])
            case _:
                assert_never(record)

    def _keep_task(self, task: Task, counts: Counter[str]) -> None:
        row = task_row(task)
        key = row[:2]
        known = self._database.execute(WRITES["known task"], key).fetchone()
        counts[task.state.value] += 1
        if known is None:
            self._database.execute(WRITES["add task"], row)
            self._keep_attempts(task, 0)
            return
        state, attempts = known
        counts[state] -= 1
        self._database.execute(WRITES["change task"], (*row[2:], *key))
        if attempts > len(task.attempts):
            self._database.execute(WRITES["forget attempts"], (*key, len(task.attempts)))
        self._keep_attempts(task, min(attempts, len(task.attempts)))

    def _keep_attempts(self, task: Task, known: int) -> None:
        # Of those that are known only the last may have changed: a task may have a thousand.
        for attempt in task.attempts[max(known - 1, 0) :]:
            self._database.execute(WRITES["keep attempt"], attempt_row(task.id, attempt))

    def _keep_run(self, run: SkippedRun, counts: Counter[str]) -> None:
        row = run_row(run)
        known = self._database.execute(WRITES["known run"], row[:2]).fetchone()
        counts[_SKIPPED] += run.count - (known[0] if known else 0)
        self._database.execute(WRITES["keep run"], row)

    def _forget_run(self, routine: str, first: int, counts: Counter[str]) -> None:
        known = self._database.execute(WRITES["known run"], (routine, first)).fetchone()
        if known:
            counts[_SKIPPED] -= known[0]
            self._database.execute(WRITES["forget run"], (routine, first))

    def _keep_registry(self, registry: RegistryText) -> None:
        rows = (
            (at, to_text(source.path), source.data) for at, source in enumerate(registry.sources)
        )
        self._database.execute(WRITES["forget sources"])
        self._database.executemany(WRITES["keep source"], rows)
        self._database.execute(WRITES["keep note"], (TIMEZONE_NOTE, registry.timezone))

    @contextmanager
    def _counted(self) -> Generator[Counter[str], None, None]:
        """Do one transaction; what is counted inside goes to the tally with it."""
        counts: Counter[str] = Counter()
        with self._transaction():
            yield counts
            changed = [(count, state) for state, count in counts.items() if count]
            self._database.executemany(WRITES["count"], changed)

    # -- what the service keeps ------------------------------------------------------------

    def keep_note(self, key: str, value: str) -> None:
        """Keep a note of the service to itself."""
        with self._transaction():
            self._database.execute(WRITES["keep note"], (key, to_text(value)))

    # -- pruning ---------------------------------------------------------------------------

    def prune(self, before: datetime, keep: int, step: int = 10) -> Iterator[int]:
        """Delete ended tasks and runs older than ``before``, in steps; yield how many went in each.

        At least the newest ``keep`` tasks of a routine stay, and so does its last success.
        """
        try:
            yield from self._prune_tasks(to_seconds(before), keep, step)
            yield from self._prune_runs(to_seconds(before), step)
        except sqlite3.DatabaseError as error:  # of a question outside its transactions
            raise failure(error, self._path) from error

    def _prune_tasks(self, before: int, keep: int, step: int) -> Iterator[int]:
        routine = self._routine_after("")
        while routine is not None:
            gone, room = 0, step
            with self._in_passing(), self._counted() as counts:
                while routine is not None and room > 0:
                    found = self._forget_tasks(routine, before, keep, room, counts)
                    gone += found
                    if found < room:
                        routine = self._routine_after(routine)
                    room -= found + 1  # to look at a routine is some work, too
            yield gone

    @contextmanager
    def _in_passing(self) -> Generator[None, None, None]:
        """Hold up the loop as little as possible.

        The disk is not waited for: what a crash of the machine takes back is deleted again, and
        the next decision that is kept syncs all that was written before it.  And the log goes to
        the file bit by bit, for a thousand pages scattered all over it take a tenth of a second.
        """
        for setting in ("synchronous = NORMAL", "wal_autocheckpoint = 50"):
            self._database.execute(f"PRAGMA {setting}")
        try:
            yield
        finally:
            for setting in ("synchronous = FULL", "wal_autocheckpoint = 1000"):
                self._database.execute(f"PRAGMA {setting}")

    def _routine_after(self, name: str) -> str | None:
        (found,) = self._database.execute(WRITES["routine with tasks"], (name,)).fetchone()
        return None if found is None else str(found)

    def _forget_tasks(
        self, routine: str, before: int, keep: int, limit: int, counts: Counter[str]
    ) -> int:
        if keep > 0:
            oldest = self._database.execute(
                WRITES["oldest to keep"], (routine, keep - 1)
            ).fetchone()
            if oldest is None:
                return 0
            before = min(before, oldest[0])
        old = self._database.execute(WRITES["old tasks"], (routine, before, limit)).fetchall()
        self._database.executemany(WRITES["forget task"], (row[1:] for row in old))
        counts.subtract(state for state, *_ in old)
        return len(old)

    def _prune_runs(self, before: int, step: int) -> Iterator[int]:
        gone = step
        while gone == step:
            with self._in_passing(), self._counted() as counts:
                old = self._database.execute(WRITES["old runs"], (before, step)).fetchall()
                self._database.executemany(WRITES["forget run"], (row[1:] for row in old))
                counts[_SKIPPED] -= sum(count for count, *_ in old)
                gone = len(old)
            yield gone


class SqliteReader(SqlAnswers):
    """Reads a database from any thread, whether a scheduler is writing it or not.

    Each question has a connection of its own while it is answered; they are kept for the next.

    Raises:
        SchedulerError: there is no such database, it is of another version, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_closed = False
        self._file = identity_of(path)
        self._idle = deque([self._connected()])

    def close(self) -> None:
        """Let go of the database, once the questions under way are answered."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connected(self) -> sqlite3.Connection:
        database = connect_to_read(self._path)
        try:
            check(database, self._path)
        except BaseException:
            database.close()
            raise
        return database

    def _ask(self, *questions: Question) -> list[list[Row]]:
        self._notice_other_file()
        try:
            database = self._idle.pop()
        except IndexError:
            database = self._connected()
        try:
            answers = _answers(database, questions)
        except sqlite3.DatabaseError as error:
            database.close()
            raise failure(error, self._path) from error
        if isinstance(database, FrozenConnection):
            database.close()  # by the next question a scheduler may have been started
        else:
            self._idle.append(database)
        if self._is_closed:
            self.close()
        return answers

    def _notice_other_file(self) -> None:
        """Let go of what was opened where another file stands in its place by now."""
        file = identity_of(self._path)
        if file is None or file == self._file:  # None: gone, and what is open is all there is
            return
        self._file = file
        with suppress(IndexError):  # another thread was faster
            while True:
                self._idle.pop().close()


def _answers(database: sqlite3.Connection, questions: Iterable[Question]) -> list[list[Row]]:
    database.execute("BEGIN")
    answers = [database.execute(*question).fetchall() for question in questions]
    database.execute("COMMIT")
    return answers
