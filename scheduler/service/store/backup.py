"""Copies of a database, made while its scheduler writes to it, and putting one back.

A plain copy of the file is not whole: what was written last stands in the log beside it.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scheduler.errors import DamagedError, SchedulerError, StoreError
from scheduler.service.store.connection import connect_to_read, failure
from scheduler.service.store.migrate import newest, schema_of
from scheduler.service.store.protocol import BOOT_NOTE

ENDING = ".backup"

_STEP = 1000  # pages, after each of which Ctrl-C is heard
_OF_WAL = ("-wal", "-shm")

Files = tuple[tuple[int, int] | None, ...]
"""Device and number of each file of a database; None for one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made, and looked through."""

    path: Path
    size: int  # bytes
    schema: int  # number of its last migration


def back_up(database: Path, target: Path | None, at: datetime) -> Backup:
    """Copy a database that may be written to meanwhile; ``target`` may be a folder.

    Without a target the copy stands beside the database, with the time in its name.  The writer
    is not held up: the copy is of one moment, the one at which it begins.

    Raises:
        SchedulerError: there is no such database, it is damaged, there is a file of the target's
            name, or it cannot be written.
    """
    target = _target(database, target, at)
    if os.path.lexists(target):
        raise SchedulerError(f"{target} is there already: name another file, or remove it")
    with closing(connect_to_read(database)) as source:
        schema = schema_of(source, database)
        size = copy_of(source, database, target)
    return Backup(path=target, size=size, schema=schema)


def copy_of(
    source: sqlite3.Connection, database: Path, target: Path, *, is_to_go_on: bool = False
) -> int:
    """Copy what a connection sees into a new file, whole or not at all; return its size.

    With ``is_to_go_on`` the copy takes the place of the source at once, and is its equal.  Any
    other may be put back when the records of what ran then are long gone: that there is none must
    not mean that an attempt never began.

    Raises:
        StoreError: it cannot be written, or what was read is damaged.
    """
    draft = _draft_beside(target)
    try:
        try:
            _fill(draft, source, is_to_go_on=is_to_go_on)
        except sqlite3.DatabaseError as error:
            raise _failure(error, database, target) from error
        size = _safe_on_disk(draft)
        _become(draft, target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        for ending in ("", "-journal", *_OF_WAL):
            with suppress(OSError):
                os.unlink(f"{draft}{ending}")
    return size


def put_back(backup: Path, database: Path) -> Path | None:
    """Put a backup in the place of a database; return where that is kept, if there was one.

    Whoever calls this holds the database's lock: nothing may have it open.

    Raises:
        SchedulerError: the backup is no database of ours, newer than this program, or damaged; or
            a file cannot be written.
    """
    database = Path(os.path.realpath(database))
    if backup.exists() and database.exists() and os.path.samefile(backup, database):
        raise SchedulerError(f"{backup} is the database itself, not a backup of it")
    draft = free_name(database, "restored")
    with closing(connect_to_read(backup)) as source:
        number = schema_of(source, backup)
        if number == 0:
            raise SchedulerError(f"{backup} holds no state of a scheduler")
        if number > newest():
            raise SchedulerError(f"{backup} was written by a newer version of the scheduler")
        copy_of(source, backup, draft)
    return take_place(draft, database)


def take_place(draft: Path, database: Path, ours: Files = ()) -> Path | None:
    """Give a whole copy the name of the database; return where another one is kept, if any.

    ``ours`` are files of which the copy was made: they are no loss.

    Raises:
        StoreError: it cannot be done.
    """
    try:
        with suppress(OSError):
            like = os.stat(database)
            os.chmod(draft, like.st_mode)
            os.chown(draft, like.st_uid, like.st_gid)
        # The next one to open the copy would take a log that stands beside it for its own.
        is_ours = [known is not None and known in ours for known in files_of(database)]
        for ending, is_one in zip(_OF_WAL, is_ours[1:], strict=True):
            if is_one or is_ours[0]:
                Path(f"{database}{ending}").unlink(missing_ok=True)
        kept = None if is_ours[0] else set_aside(database)
        os.replace(draft, database)
    except OSError as error:
        raise StoreError(f"{database} cannot be replaced: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(database)
    return kept


def set_aside(database: Path) -> Path | None:
    """Rename a database and its log, so that they can still be read; return the new name."""
    if not os.path.lexists(database) and not os.path.lexists(f"{database}-wal"):
        return None
    kept = free_name(database, "replaced")
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError):
            os.rename(f"{database}{ending}", f"{kept}{ending}")
    with suppress(FileNotFoundError):
        os.unlink(f"{database}-shm")
    return kept


def files_of(database: Path) -> Files:
    """Return which files a database consists of: itself, its log, the index of that."""
    return tuple(identity_of(f"{database}{ending}") for ending in ("", *_OF_WAL))


def identity_of(file: str | Path) -> tuple[int, int] | None:
    """Return device and number of a file; None if there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def free_name(database: Path, word: str, ending: str = "") -> Path:
    """Return ``DATABASE.WORD``, or with a number if that is taken."""
    path, number = Path(f"{database}.{word}{ending}"), 1
    while os.path.lexists(path):
        number += 1
        path = Path(f"{database}.{word}-{number}{ending}")
    return path


def newest_backup(database: Path) -> Path | None:
    """Return the newest of the backups that stand beside a database."""
    return max(_backups(Path(os.path.realpath(database))), key=_age, default=None)


def _backups(database: Path) -> Iterator[Path]:
    # No glob: the name may hold brackets.
    with suppress(OSError), os.scandir(database.parent) as entries:
        for entry in entries:
            if entry.name.startswith(f"{database.name}.") and entry.name.endswith(ENDING):
                yield Path(entry.path)


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except OSError:
        return 0.0, path.name


def _target(database: Path, target: Path | None, at: datetime) -> Path:
    stamp = f"{at.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"
    if target is None:
        return free_name(Path(os.path.realpath(database)), stamp, ENDING)
    if target.is_dir():
        return free_name(target.absolute() / database.name, stamp, ENDING)
    return target.absolute()


def _draft_beside(target: Path) -> Path:
    """Return a new file that its user alone may read, on the disk of the target."""
    try:
        number, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    except FileNotFoundError:
        raise StoreError(f"{target} cannot be written: there is no such folder") from None
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error
    os.close(number)
    return Path(name)


def _fill(draft: Path, source: sqlite3.Connection, *, is_to_go_on: bool) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous = OFF")  # it counts only once it has its name
        # One view of the source for all steps: else each commit would begin the copy anew.
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=_STEP)
        finally:
            source.execute("ROLLBACK")
        # One file that is whole by itself, wherever it is carried.
        copy.execute("PRAGMA journal_mode = DELETE")
        if not is_to_go_on and schema_of(copy, draft):
            copy.execute("DELETE FROM note WHERE key = ?", (BOOT_NOTE,))
        (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _failure(error: sqlite3.DatabaseError, database: Path, target: Path) -> StoreError:
    """Return a failure in words, with the file that it is about: what is read, or what is made."""
    of_source = failure(error, database)
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if isinstance(of_source, DamagedError) or kind == sqlite3.SQLITE_BUSY:
        return of_source
    return failure(error, target)


def _safe_on_disk(file: Path) -> int:
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())
        return os.fstat(opened.fileno()).st_size


def _become(draft: Path, target: Path) -> None:
    """Give a file its name, unless there is one of that name by now."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise SchedulerError(f"{target} is there already: name another file") from None
    except (OSError, NotImplementedError):  # a disk that knows no links
        if os.path.lexists(target):
            raise SchedulerError(f"{target} is there already: name another file") from None
        os.rename(draft, target)
    _sync_folder(target)


def _sync_folder(file: Path) -> None:
    with suppress(OSError):  # Windows cannot open a folder
        number = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
