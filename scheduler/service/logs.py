"""Where logs lie: the path of an attempt's log, the scheduler's own, and which may go.

    logs/ROUTINE/2026-10-01T02-00-00.1.log   what attempt 1 of the October task wrote
    logs/~scheduler.NAME.log                 the scheduler's own

The own log begins with a ``~``, which no routine's name may hold, so that no routine's folder can
ever stand in its place.
"""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from operator import attrgetter
from pathlib import Path

from scheduler.errors import SchedulerError, quoted
from scheduler.service.log_files import FOLDER_MODE, open_file, opened_folder

OWN_LOG_BYTES = 10_000_000
OWN_LOG_FILES = 5  # old ones, kept beside the current one
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"

_STEP = 200  # logs that one step of pruning looks at

_INSTANT = re.compile(
    r"(?P<wall>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<offset>Z|[+-]\d\d:\d\d(?::\d\d)?)?"
)
_PATH = re.compile(r"[/\\:\x00]")
_LOG_NAME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)T(?P<hour>\d\d)-(?P<minute>\d\d)-(?P<second>\d\d)"
    r"(?P<offset>Z|[+-]\d{4}(?:\d\d)?)?\.(?P<attempt>[1-9]\d*)\.log"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLog:
    """The log of one attempt."""

    path: Path
    instant: str  # as in the task's id: 2026-10-25T02:30:00+02:00
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """Which logs of attempts are kept."""

    longest: timedelta = timedelta(days=90)
    tasks: int = 100  # so many newest tasks of each routine keep theirs, however old
    total: int = 2_000_000_000  # bytes of all together; the oldest give way, those too


# -- Logs of attempts ------------------------------------------------------------------------


def log_path(log_directory: Path, routine: str, instant: str, attempt: int) -> Path:
    """Return the log of an attempt; ``instant`` as in the task's id, with an offset or without.

    Raises:
        SchedulerError: the name of the routine is a path.  No registry gives such a name, but a
            database may be anyone's.
    """
    if _PATH.search(routine) or routine in ("", ".", ".."):
        raise SchedulerError(f"{quoted(routine)} is a path, not the name of a routine")
    match = _INSTANT.fullmatch(instant)
    assert match is not None, f"not the instant of a task id: {instant!r}"
    wall, offset = match["wall"].replace(":", "-"), (match["offset"] or "").replace(":", "")
    return log_directory / routine / f"{wall}{offset}.{attempt}.log"


def attempt_logs(log_directory: Path, routine: str) -> list[AttemptLog]:
    """Return the logs of a routine's attempts, oldest instant first."""
    path = log_directory / routine
    try:
        with opened_folder(path) as folder, os.scandir(path if folder is None else folder) as found:
            names = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
    except OSError:
        return []  # it is not there, or nothing that logs would be written into
    logs = (_attempt_log(path / name) for name in names)
    return sorted((log for log in logs if log is not None), key=_age)


def _attempt_log(path: Path) -> AttemptLog | None:
    """Read a log's name; None if it is not an attempt's."""
    match = _LOG_NAME.fullmatch(path.name)
    if match is None:
        return None
    offset = match["offset"] or ""
    if offset not in ("", "Z"):
        digits = offset[1:]
        offset = offset[0] + ":".join(digits[place : place + 2] for place in (0, 2, 4)).rstrip(":")
    instant = f"{match['day']}T{match['hour']}:{match['minute']}:{match['second']}{offset}"
    return AttemptLog(path=path, instant=instant, attempt=int(match["attempt"]))


def _age(log: AttemptLog) -> tuple[str, float, int]:
    """Order logs by wall time; of one that occurs twice the greater offset comes first."""
    wall, offset = log.instant[:19], log.instant[19:]
    ahead = datetime.fromisoformat(log.instant).utcoffset() if offset else None
    return wall, -ahead.total_seconds() if ahead else 0.0, log.attempt


# -- Which may go ----------------------------------------------------------------------------


def prune_logs(
    log_directory: Path, now: datetime, limits: LogLimits, is_kept: Callable[[Path], bool]
) -> Iterator[list[Path]]:
    """Delete the logs of attempts that are beyond the limits, in small steps.

    Each step looks at some hundred logs of one routine at most and yields what it has deleted,
    often nothing; between two steps the caller may do something else, or stop.  How old a log is
    says the time of its last change.  ``is_kept`` is asked before a log is deleted: those of
    running attempts must stay.  Links are not followed, and files that are not attempts' logs not
    touched.
    """
    oldest = (now - limits.longest).timestamp()
    hours: defaultdict[int, int] = defaultdict(int)
    for routine in _folders(log_directory):
        found: list[_Found] = []
        yield from _look_at(log_directory / routine, found)
        newest = _newest_of(found, limits.tasks)
        for some in _by_steps(found):
            deleted: list[Path] = []
            for one in some:
                aged = one.changed_at < oldest and one.log.instant not in newest
                if aged and not is_kept(one.log.path) and _delete(one.log.path):
                    deleted.append(one.log.path)
                else:
                    hours[int(one.changed_at // 3600)] += one.size
            yield deleted
    yield from _prune_to_total(log_directory, hours, limits.total, is_kept)


def _prune_to_total(
    log_directory: Path, hours: dict[int, int], total: int, is_kept: Callable[[Path], bool]
) -> Iterator[list[Path]]:
    """Delete the oldest logs until all are within the total.

    ``hours`` are the bytes of each hour's logs: with them the last hour to give way is known
    without holding, or sorting, millions of names.
    """
    excess = sum(hours.values()) - total
    if excess <= 0:
        return
    last_hour, freed = 0, 0
    for last_hour in sorted(hours):
        freed += hours[last_hour]
        if freed >= excess:
            break
    spare = freed - excess  # of the last hour's logs, so many bytes may stay
    for routine in _folders(log_directory):
        found: list[_Found] = []
        yield from _look_at(log_directory / routine, found)
        for some in _by_steps(found):
            deleted: list[Path] = []
            for one in some:
                hour = int(one.changed_at // 3600)
                if hour > last_hour:
                    continue
                if hour == last_hour and one.size <= spare:
                    spare -= one.size
                elif not is_kept(one.log.path) and _delete(one.log.path):
                    deleted.append(one.log.path)
            yield deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A log, and what the system says of it."""

    log: AttemptLog
    age: tuple[str, float, int]
    size: int  # bytes
    changed_at: float


def _look_at(folder: Path, found: list[_Found]) -> Iterator[list[Path]]:
    """Add a routine's logs, oldest instant first; yield nothing now and then."""
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(opened_folder(folder))
            entries = stack.enter_context(os.scandir(folder if descriptor is None else descriptor))
        except OSError:
            return  # gone, or a link by now
        for number, entry in enumerate(entries, 1):
            log = _attempt_log(folder / entry.name)
            if log is not None and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    stat = entry.stat(follow_symlinks=False)
                    size, changed_at = stat.st_size, stat.st_mtime
                    found.append(_Found(log=log, age=_age(log), size=size, changed_at=changed_at))
            if number % _STEP == 0:
                yield []
    found.sort(key=attrgetter("age"))


def _newest_of(found: list[_Found], count: int) -> set[str]:
    """Return so many of the newest instants of sorted logs."""
    newest: set[str] = set()
    for one in reversed(found):
        if len(newest) >= count and one.log.instant not in newest:
            break
        newest.add(one.log.instant)
    return newest


def _by_steps(found: list[_Found]) -> Iterator[list[_Found]]:
    for start in range(0, len(found), _STEP):
        yield found[start : start + _STEP]


def _folders(log_directory: Path) -> list[str]:
    try:
        with os.scandir(log_directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _delete(path: Path) -> bool:
    """Delete a log; tell whether it is gone.  Windows keeps one that somebody reads."""
    try:
        with opened_folder(path.parent) as folder:
            os.unlink(path if folder is None else path.name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


# -- The scheduler's own log -----------------------------------------------------------------


def own_log_path(log_directory: Path, name: str) -> Path:
    """Return the log of the scheduler of that name."""
    return log_directory / f"~scheduler.{name}.log"


class _OwnFile(RotatingFileHandler):
    """The file of the own log: opened as logs of attempts are."""

    def _open(self) -> TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return open_file(Path(path), flags)

        # It is always appended to.
        return open(
            self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=opener
        )


def set_up_own_log(log_directory: Path, name: str, level: str | int, *, console: bool) -> Path:
    """Send the log of this process to its file, and to the terminal if asked; return the file.

    ``level`` is the package's own; of other libraries warnings and errors are kept.  Called again,
    it replaces what it set up before.
    """
    path = own_log_path(log_directory, name)
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        _OwnFile(
            path,
            maxBytes=OWN_LOG_BYTES,
            backupCount=OWN_LOG_FILES,
            encoding="utf-8",
            errors="backslashreplace",
        )
    ]
    if console:
        handlers.append(logging.StreamHandler())
    formatter = logging.Formatter(LOG_FORMAT, TIME_FORMAT)
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("scheduler").setLevel(level)
    return path
