"""What is said, and can be done, where the state of a scheduler is gone or damaged.

An empty database is a scheduler that knows of no run: it is never begun in silence where there
was another.  Only files are looked at here; copies are `store.backup`'s business.
"""

import os
import shlex
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scheduler.errors import DamagedError, SchedulerError, StoreError
from scheduler.service.instance import remembered
from scheduler.service.store.backup import newest_backup


def restore_words(backup: Path, *, name: str, config: str) -> list[str]:
    """Return the command that puts a backup back, word by word."""
    which = ["--config_file", config] if config else ["--scheduler_name", name]
    return ["scheduler", "backup", "--restore", str(backup), *which]


def in_shell(words: list[str]) -> str:
    """Return a command as it is typed."""
    return shlex.join(words) if os.name == "posix" else subprocess.list2cmdline(words)


@contextmanager
def offering_backup(database: Path, *, name: str, config: Path | None) -> Generator[None]:
    """Say of a database that turns out to be damaged how to go back to its newest backup."""
    try:
        yield
    except DamagedError as error:
        raise DamagedError(f"{error}; {_way_back(database, name=name, config=config)}") from error


def notice_of_missing(database: Path, *, name: str, config: Path | None, log: Path) -> str | None:
    """Return what a start without a database has to say, if there was one; else None.

    That there was one tell: what is remembered of the scheduler, its log, or a backup.

    Raises:
        StoreError: what was written last is there without the database it belongs to.
    """
    if _size(database):
        return None
    newest_writes = Path(f"{os.path.realpath(database)}-wal")
    if _size(newest_writes):  # SQLite would throw it away
        raise StoreError(
            f"{database}: this database is gone or empty, but what was written to it last,"
            f" {newest_writes} (put the database back where it was; or remove that file;"
            f" {_way_back(database, name=name, config=config)})"
        )
    if not (_ran_with(name, database) or _size(log) or newest_backup(database)):
        return None
    return (
        f"{database} IS GONE: scheduler {name!r} ran with it before; a start begins with an empty"
        f" one, and knows of no earlier run ({_way_back(database, name=name, config=config)})"
    )


def _ran_with(name: str, database: Path) -> bool:
    try:
        known = remembered(name)
    except SchedulerError:  # of a folder in which nothing ran yet: it has the folder's name
        return False
    return known is not None and known.database == os.path.realpath(database)


def _way_back(database: Path, *, name: str, config: Path | None) -> str:
    backup = newest_backup(database)
    if backup is None:
        return "there is no backup beside it"
    path = "" if config is None else os.path.abspath(config)
    command = in_shell(restore_words(backup, name=name, config=path))
    return f"to go back to its newest backup, while no scheduler runs: {command}"


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
