"""Connections to an SQLite file, transactions on them, and their failures in words."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scheduler.errors import DamagedError, StoreError

# One statement after the other, also where the file was opened.
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # Elsewhere than on macOS these say nothing new; there fsync does not reach the disk.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # A big transaction, or a long backup, need not leave a big log behind.
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16000",
)
# To look at all of a database of this size takes a quarter of a second; of a bigger one, too long.
_CHECKED_SIZE = 64 * 10**6

_WORDS = {
    sqlite3.SQLITE_FULL: "there is no room left on the disk",
    sqlite3.SQLITE_BUSY: "another program holds it locked (an open database tool, or a backup?)",
    sqlite3.SQLITE_READONLY: "it, or its folder, cannot be written to",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: is there such a folder, and may you use it?",
    sqlite3.SQLITE_PERM: "it cannot be opened: access was denied",
    sqlite3.SQLITE_IOERR: "the disk failed to read or to write it",
    sqlite3.SQLITE_NOTADB: "this is no SQLite database (name another in config.cfg, [DEFAULT]"
    " database)",
    sqlite3.SQLITE_CORRUPT: "this database is damaged ('scheduler backup --restore FILE' puts a"
    " backup in its place; to start without it, rename it and its -wal file)",
}
_CANNOT_WRITE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class FrozenConnection(sqlite3.Connection):
    """A connection that takes the file for one that nobody changes: good for one look."""


def connect_to_write(path: Path, timeout: float) -> sqlite3.Connection:
    """Return the connection of the one writer; the file is made if it is not there.

    Raises:
        StoreError: it cannot be opened, is damaged, or cannot have a write-ahead log.
    """
    try:
        database = sqlite3.connect(path.absolute(), timeout=timeout, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise failure(error, path) from error
    try:
        _refuse_damage(database, path)
        _set_up(database, path)
    except sqlite3.DatabaseError as error:
        database.close()
        raise failure(error, path) from error
    except StoreError:
        database.close()
        raise
    return database


def _refuse_damage(database: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > _CHECKED_SIZE:
        return
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedError(f"{path}: {_WORDS[sqlite3.SQLITE_CORRUPT]}: {found}")


def _set_up(database: sqlite3.Connection, path: Path) -> None:
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: it cannot have a write-ahead log here: use a local disk")
    for setting in _SETTINGS:
        database.execute(setting)


def connect_to_read(path: Path, timeout: float = 5.0) -> sqlite3.Connection:
    """Return a connection that only reads, from one thread at a time; it never makes a database.

    Raises:
        StoreError: there is none, or it cannot be opened.
    """
    try:
        if path.is_dir():
            raise StoreError(f"{path}: this is a folder, not a database")
        if not path.stat().st_size:  # to open it would throw away a log that is left beside it
            raise StoreError(f"{path}: this database is empty: the scheduler never started")
    except FileNotFoundError:
        raise StoreError(f"{path}: there is no such database (start the scheduler once)") from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        return _opened(_uri(path), timeout)
    except sqlite3.DatabaseError as error:
        # A reader of a write-ahead log needs a file beside it.  Where it may not make one and
        # no one has, nobody is writing: without a log, the file alone holds everything.
        if _kind(error) not in _CANNOT_WRITE or _log_size(path):
            raise failure(error, path) from error
    try:
        return _opened(f"{_uri(path)}&immutable=1", timeout, FrozenConnection)
    except sqlite3.DatabaseError as error:
        raise failure(error, path) from error


def _opened(
    uri: str, timeout: float, kind: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    database = sqlite3.connect(
        uri,
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        factory=kind,
    )
    try:
        # The file is opened with the first statement, not before.
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _log_size(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _uri(path: Path) -> str:
    uri = path.absolute().as_uri()
    if not uri.startswith("file:///"):  # a Windows share: SQLite takes no host there
        uri = uri.replace("file://", "file:////", 1)
    return f"{uri}?mode=ro"


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Generator[None, None, None]:
    """Do what stands inside as one durable transaction, or nothing of it.

    Raises:
        StoreError: the database failed.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            # Some failures have rolled back already.
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake of ours
    except sqlite3.DatabaseError as error:
        raise failure(error, path) from error


def failure(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    """Return what a failure of the database is to its user."""
    kind = _kind(error)
    words = _WORDS.get(kind, "it cannot be used")
    is_damaged = kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return (DamagedError if is_damaged else StoreError)(f"{path}: {words}: {error}")


def _kind(error: sqlite3.DatabaseError) -> int:
    # The finer code is in the higher bits.  What the module itself raises has none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
