"""One live scheduler a name, and one a database: locks, the instance file, what is remembered.

In the instances folder stand for each name: ``NAME.lock``, held while it lives; ``NAME.json``,
where it serves and with which token, for its user only; ``NAME.known``, where its data folder is,
kept when it ends.  Liveness is the lock: it goes with the process, so that a crash leaves nothing
to clean up.  No task data, and imports kept few: ``status`` pays for them.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from scheduler.errors import SchedulerError, quoted
from scheduler.service.locks import Lock, is_held, read_object, write_object

_NAME = re.compile(r"[\w@+-][\w@+.-]*")
_LONGEST_NAME = 100  # bytes: some systems count them
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class NotRunningError(SchedulerError):
    """There is no live scheduler of that name, or none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A live scheduler, as its instance file describes it."""

    name: str
    pid: int
    process_start: float  # as psutil.Process.create_time(): tells it from a later one of its pid
    host: str
    port: int
    token: str
    config: str  # path of its config file; empty without one
    database: str
    started_at: str  # ISO 8601, UTC
    mode: str  # prod or test


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Where a scheduler that may be down keeps its data."""

    name: str
    config: str
    database: str
    mode: str


def instances_folder() -> Path:
    """Return the folder of the instance files: ``$SCHEDULER_HOME``, or the user state folder."""
    home = os.environ.get("SCHEDULER_HOME")
    if home:
        return Path(os.path.abspath(home)) / "instance"
    import platformdirs  # slow to import, and seldom needed where SCHEDULER_HOME is set

    return Path(platformdirs.user_state_dir("scheduler", appauthor=False)) / "instance"


def checked_name(name: str) -> str:
    """Return the name of a scheduler, composed (NFC), if it can be a file name on every system.

    Raises:
        SchedulerError: it can not; the message says what is allowed.
    """
    composed = unicodedata.normalize("NFC", name)
    is_usable = _NAME.fullmatch(composed) and not composed.endswith(".")
    is_long = len(composed.encode(errors="replace")) > _LONGEST_NAME
    if not is_usable or is_long or _DEVICES.fullmatch(composed):
        raise SchedulerError(
            f"{quoted(name)} cannot name a scheduler: use letters, digits and _ - + @, inside also"
            f" '.', at most {_LONGEST_NAME} bytes, and no name of a device"
        )
    return composed


def live_instances() -> list[Instance]:
    """Return the live schedulers of this user, by name."""
    names = (file.name.removesuffix(".json") for file in _files("*.json"))
    return [instance for name in sorted(names) if (instance := _live(name))]


def find(name: str | None) -> Instance:
    """Return the live scheduler of that name, or without a name the only one.

    Raises:
        NotRunningError: it is not live, or none is.
        SchedulerError: no name was given and several are live, or it does not serve yet.
    """
    if name is not None:
        return _find_named(checked_name(name))
    live = live_instances()
    if not live:
        raise NotRunningError("no scheduler is running (start one: scheduler start)")
    if len(live) > 1:
        names = ", ".join(instance.name for instance in live)
        raise SchedulerError(f"several schedulers are running: {names} (give --scheduler_name)")
    return live[0]


def has_ended(instance: Instance) -> bool:
    """Return whether that very scheduler has ended, and its name is free or another's."""
    if not is_held(instances_folder() / f"{instance.name}.lock"):
        return True
    now = _live(instance.name)
    return now is not None and (now.pid, now.started_at) != (instance.pid, instance.started_at)


def _find_named(name: str) -> Instance:
    instance = _live(name)
    if instance:
        return instance
    if is_held(instances_folder() / f"{name}.lock"):
        raise SchedulerError(f"scheduler {name!r} is starting or ending: try again in a moment")
    raise NotRunningError(f"scheduler {name!r} is not running")


def remembered(name: str | None) -> Remembered | None:
    """Return what is remembered of a scheduler, live or not; without a name of the only one."""
    if name is not None:
        return _remembered(instances_folder() / f"{checked_name(name)}.known")
    known = all_remembered()
    return known[0] if len(known) == 1 else None


def all_remembered() -> list[Remembered]:
    """Return what is remembered of every scheduler of this user, by name."""
    return [found for file in sorted(_files("*.known")) if (found := _remembered(file))]


def claim(name: str, *, config: Path | None, database: Path, mode: str = "prod") -> "Claim":
    """Take the name and the database for this process; a context manager, for as long as it lives.

    Raises:
        SchedulerError: another scheduler has one of the two (it says which, and its pid), or
            a folder cannot be written.
    """
    name = checked_name(name)
    folder = instances_folder()
    words: dict[str, str | int] = {
        "name": name,
        "pid": os.getpid(),
        "config": os.path.abspath(config) if config else "",
        "database": os.path.realpath(database),
        "mode": mode,
    }
    with _said_in_words(f"the lock of scheduler {name!r}"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(folder)
        by_name = Lock(folder / f"{name}.lock", words)
        holder = by_name.taken()
        if holder is not None:
            holder = holder or read_object(folder / f"{name}.json") or {}
            raise SchedulerError(f"scheduler {name!r} is already running{_whose(holder)}")
    try:
        by_database = _lock_of(database, words)
        # What a crash left behind would send a client to a port that is no longer ours.
        (folder / f"{name}.json").unlink(missing_ok=True)
    except BaseException:
        by_name.release()
        raise
    return Claim(folder, words, (by_name, by_database))


@contextmanager
def claim_database(database: Path) -> Generator[None]:
    """Take a database alone, to do something to its file while no scheduler may start over it.

    Raises:
        SchedulerError: a scheduler has it (it says which, and its pid), or its folder cannot be
            written.
    """
    lock = _lock_of(database, {"pid": os.getpid()})
    try:
        yield
    finally:
        lock.release()


def _lock_of(database: Path, words: "Mapping[str, str | int]") -> Lock:
    with _said_in_words(f"the lock of the database {database}"):
        beside = Path(f"{os.path.realpath(database)}.lock")
        beside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(beside, words)
        holder = lock.taken()
    if holder is not None:
        other = f"scheduler {holder['name']!r}" if "name" in holder else "another program"
        raise SchedulerError(f"the database {database} is in use by {other}{_whose(holder)}")
    return lock


class Claim:
    """A name and a database that are ours until `release`."""

    def __init__(
        self, folder: Path, words: "Mapping[str, str | int]", locks: tuple[Lock, ...]
    ) -> None:
        self._words = words
        self._locks = locks
        self._file = folder / f"{words['name']}.json"
        self._known = folder / f"{words['name']}.known"

    def publish(self, *, host: str, port: int, token: str, at: datetime) -> Instance:
        """Write the instance file: from now on clients find the scheduler."""
        import psutil

        instance = Instance(
            name=str(self._words["name"]),
            pid=os.getpid(),
            process_start=psutil.Process().create_time(),
            host=host,
            port=port,
            token=token,
            config=str(self._words["config"]),
            database=str(self._words["database"]),
            started_at=at.isoformat(),
            mode=str(self._words["mode"]),
        )
        known = {key: self._words[key] for key in ("name", "config", "database", "mode")}
        with _said_in_words(f"the instance file {self._file}"):
            write_object(self._known, known)
            write_object(self._file, asdict(instance))
        return instance

    def release(self) -> None:
        """Give name and database back; where the data folder is stays remembered."""
        # The file first: whoever sees it without a lock would take this for a crash.
        with suppress(OSError):  # a full or vanished disk; the lock alone decides
            self._file.unlink(missing_ok=True)
        for lock in reversed(self._locks):
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _live(name: str) -> Instance | None:
    folder = instances_folder()
    file = folder / f"{name}.json"
    record = read_object(file)
    if record is None or not is_held(folder / f"{name}.lock"):
        return None
    _refuse_anothers(file)
    try:
        return _to_instance(record)
    except (KeyError, TypeError) as error:
        message = f"{folder / name}.json was written by another version of the program"
        raise SchedulerError(message) from error


def _close_to_others(folder: Path) -> None:
    """Keep others out of a folder: whoever may write there could pass for a scheduler of ours."""
    if os.name != "posix":
        return  # the user's own folders are closed to others there
    _refuse_anothers(folder)
    if os.stat(folder).st_mode & 0o077:
        os.chmod(folder, 0o700)


def _refuse_anothers(path: Path) -> None:
    if sys.platform == "win32" or os.geteuid() == 0:
        return
    owner = os.stat(path).st_uid
    if owner not in (os.geteuid(), 0):
        raise SchedulerError(
            f"{path} belongs to another user (uid {owner}), who could pass for your scheduler: set"
            " SCHEDULER_HOME to a folder of your own"
        )


def _to_instance(record: "Mapping[str, object]") -> Instance:
    def text(key: str) -> str:
        return str(record[key])

    pid, port, process_start = record["pid"], record["port"], record["process_start"]
    if not (isinstance(pid, int) and isinstance(port, int) and isinstance(process_start, float)):
        raise TypeError("pid, port and process_start are numbers")
    return Instance(
        name=text("name"),
        pid=pid,
        process_start=process_start,
        host=text("host"),
        port=port,
        token=text("token"),
        config=text("config"),
        database=text("database"),
        started_at=text("started_at"),
        mode=text("mode"),
    )


def _remembered(file: Path) -> Remembered | None:
    record = read_object(file)
    if record is None:
        return None
    return Remembered(
        name=file.name.removesuffix(".known"),
        config=str(record.get("config", "")),
        database=str(record.get("database", "")),
        mode=str(record.get("mode", "prod")),
    )


def _files(pattern: str) -> Iterator[Path]:
    try:
        yield from instances_folder().glob(pattern)
    except OSError as error:
        raise SchedulerError(f"{instances_folder()}: {error.strerror or error}") from error


def _whose(holder: "Mapping[str, object]") -> str:
    if "pid" not in holder:
        return ""
    config = f", config {holder['config']}" if holder.get("config") else ""
    return f" (pid {holder['pid']}{config})"


@contextmanager
def _said_in_words(what: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise SchedulerError(f"{what} cannot be written: {error.strerror or error}") from error
