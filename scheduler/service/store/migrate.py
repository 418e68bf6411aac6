"""The schema of the database: whose it is, how new it is, and the numbered steps forward.

A step is a file ``sql/NNNN_words.sql``, carried out once and recorded in the table `migration`.
There is no way back: a program refuses a database that is newer than itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from scheduler.errors import SchedulerError, StoreError
from scheduler.service.store.connection import connect_to_read, failure, transaction
from scheduler.service.store.statements import FOLDER

_APPLICATION_ID = 0x73636864  # the first migration writes it
_ANCESTOR_TABLE = "state"


def migrations() -> list[tuple[int, str]]:
    """Return the number and the name of each migration, in order."""
    return [(int(file.name[:4]), file.stem) for file in sorted(FOLDER.glob("[0-9]*.sql"))]


def newest() -> int:
    """Return the number of the schema that this program works with."""
    return migrations()[-1][0]


def refuse_strange(path: Path) -> None:
    """Refuse a file that is not a database of ours, before anything in it is changed.

    Raises:
        SchedulerError: it is another program's database, or one of a newer version.
        StoreError: it could not be read.
    """
    if path.exists() and path.stat().st_size:
        with closing(connect_to_read(path)) as database:
            _usable_schema_of(database, path)


def migrate(database: sqlite3.Connection, path: Path) -> None:
    """Bring the schema forward to ours, in one transaction; a new file gets all of it.

    Raises:
        SchedulerError: it is another program's database, or one of a newer version.
        StoreError: it could not be read or written.
    """
    with transaction(database, path):
        done = _usable_schema_of(database, path)
        for number, name in migrations():
            if number > done:
                for statement in statements_of(name):
                    database.execute(statement)
                database.execute("INSERT INTO migration VALUES (?, ?)", (number, name))


def check(database: sqlite3.Connection, path: Path) -> None:
    """Refuse to read a database whose schema is not ours.

    Raises:
        SchedulerError: it is another program's database, or one of a newer or older version.
        StoreError: it could not be read.
    """
    if _usable_schema_of(database, path) < newest():
        raise SchedulerError(
            f"{path}: this database was written by an older version (a start of the scheduler"
            " brings it up to date)"
        )


def has_ancestor_state(path: Path) -> bool:
    """Return whether a file is the database of the program's ancestor; it is not changed."""
    if not path.is_file():
        return False
    try:
        with closing(connect_to_read(path)) as database:
            return not _is_ours(database) and _ANCESTOR_TABLE in _tables(database)
    except StoreError:
        return False  # no database at all, or one that whoever opens it next has words for


def schema_of(database: sqlite3.Connection, path: Path) -> int:
    """Return the number of the last migration that was carried out, also by a newer version.

    Raises:
        SchedulerError: it is another program's database.
        StoreError: it could not be read.
    """
    try:
        return _number(database, path)
    except sqlite3.DatabaseError as error:
        raise failure(error, path) from error


def _usable_schema_of(database: sqlite3.Connection, path: Path) -> int:
    """Return the number of the last migration; 0 of an empty database; refuse a newer one."""
    number = schema_of(database, path)
    if number > newest():
        raise SchedulerError(
            f"{path}: this database was written by a newer version of the scheduler (use that one,"
            " or a copy of the database from before)"
        )
    return number


def _number(database: sqlite3.Connection, path: Path) -> int:
    if _is_ours(database):
        (number,) = database.execute("SELECT max(number) FROM migration").fetchone()
        return int(number)
    tables = _tables(database)
    if _ANCESTOR_TABLE in tables:
        raise SchedulerError(
            f"{path}: this database was written by the program's ancestor (it is left as it is:"
            " rename it, or name another in config.cfg, [DEFAULT] database)"
        )
    if tables:
        raise SchedulerError(
            f"{path}: this database belongs to another program: it has a table {tables[0]!r}"
            " (name another in config.cfg, [DEFAULT] database)"
        )
    return 0


def _is_ours(database: sqlite3.Connection) -> bool:
    (mark,) = database.execute("PRAGMA application_id").fetchone()
    return bool(mark == _APPLICATION_ID)


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found]


def statements_of(name: str) -> Iterator[str]:
    """Yield the statements of a migration."""
    # Not executescript(): it would commit first, and a step that broke off would leave half of it.
    statement = ""
    for part in (FOLDER / f"{name}.sql").read_text(encoding="utf-8").split(";")[:-1]:
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    assert not statement, f"{name}.sql breaks off"
