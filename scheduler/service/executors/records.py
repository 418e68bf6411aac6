"""The records of attempts: which processes each has, and how it ended, in files of their own.

An attempt's record outlives the scheduler that decided on it: supervisor.py writes it, beside the
script, and the next scheduler reads it.  Each scheduler has a folder for those that it begins,
with a door in it; without the door nothing begins there any more (ADR 21).
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scheduler.service.executors.supervisor import DOOR, WARM

SHUT = "shut"  # what a door is called that has been taken away
_NAME_LIMIT = 255  # bytes of a file name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process, told from a later one of its pid by when it started."""

    pid: int
    start: str  # as supervisor.start_of() has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an attempt ended, as its supervisor saw it."""

    at: datetime
    code: int | None  # None if a signal ended it
    signal: int | None
    peak_memory: int | None  # bytes
    cpu_time: float | None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of an attempt that has begun."""

    path: Path
    script: ProcessId  # its main process
    supervisor: ProcessId  # the one process that sees its end; the script itself without a fork
    is_warm: bool = False  # the supervisor is a warm interpreter, which has other attempts too
    error: str | None = None  # the last line of its uncaught exception
    ended: Ended | None = None  # None as long as nobody has seen its end


class RecordsFolder:
    """The records of one database: the folders of those schedulers whose attempts still matter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def are_there(self) -> bool:
        """Return whether an earlier scheduler has left any trace; one that was killed does."""
        return bool(self._generations())

    def shut_out(self) -> None:
        """Let no attempt of an earlier scheduler begin any more: what has not, never will.

        Raises:
            OSError: a folder cannot be changed.
        """
        for generation in self._generations():
            for path in sorted(generation.iterdir()):
                if path.name.partition(".")[0] == DOOR and path.is_dir():
                    shut(path)

    def found(self) -> Iterator[Record]:
        """Yield the record of each attempt that has begun and is not forgotten yet."""
        for generation in self._generations():
            for path in sorted(generation.iterdir()):
                if not path.is_dir() and (record := read_record(path)) is not None:
                    yield record

    def opened(self, name: str) -> "Generation":
        """Return a new folder, for the attempts of one scheduler; nobody has had one of that name.

        Raises:
            OSError: it cannot be made.
        """
        generation = Generation(self.folder / name)
        generation.make()
        return generation

    def tidy(self) -> None:
        """Take away the folders of earlier schedulers that hold no record any more."""
        for generation in self._generations():
            remove_if_empty(generation)
        remove_if_empty(self.folder)

    def _generations(self) -> list[Path]:
        try:
            return sorted(one for one in self.folder.iterdir() if one.is_dir())
        except FileNotFoundError:
            return []


class Generation:
    """The folder for the records of the attempts that one scheduler begins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._door = folder / DOOR

    def is_open(self) -> bool:
        """Return whether attempts can begin: nobody has deleted the folder."""
        return self._door.is_dir()

    def make(self) -> None:
        """Make the folder.

        Raises:
            OSError: it cannot be made.
        """
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._door.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path_of(self, task: str, attempt: int) -> Path:
        """Return where the record of an attempt stands once it has begun."""
        return self._folder / name_of(task, attempt)

    def close(self) -> None:
        """Shut the door, and take the folder away if it holds no record."""
        shutil.rmtree(self._door, ignore_errors=True)
        remove_if_empty(self._folder)


def shut(door: Path) -> None:
    """Let nobody through a door any more.

    Raises:
        OSError: its folder cannot be changed.
    """
    gone = door.with_name(SHUT + door.name.removeprefix(DOOR))
    # In one stroke: who has drafted a record behind it finds no way out.
    with contextlib.suppress(FileNotFoundError):
        door.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def name_of(task: str, attempt: int) -> str:
    """Return the name of an attempt's record."""
    # A colon cannot be in the name of a file on Windows.
    name = f"{task.replace(':', '-')}.{attempt}"
    assert len(os.fsencode(name)) <= _NAME_LIMIT, f"{name} is too long a name"
    return name


def remove_if_empty(folder: Path) -> None:
    """Take a folder away, unless there is something in it."""
    try:
        folder.rmdir()
    except OSError:
        return  # it is not empty, or not there


def read_record(path: Path) -> Record | None:
    """Return the record in a file; None if there is none: that attempt has not begun.

    Raises:
        OSError: it is there, but cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    found: Record | None = None
    # A line that was never finished says nothing.
    for line in text.split("\n")[:-1]:
        word, _, rest = line.partition(" ")
        if word == "begun":
            found = _begun(path, rest.split(" "))
        elif found is not None and word == "error":
            found = replace(found, error=rest)
        elif found is not None and word == "ended":
            found = replace(found, ended=_ended(rest.split(" ")))
    return found


def _begun(path: Path, words: list[str]) -> Record | None:
    is_warm = words[4:] == [WARM]
    if (len(words) != 4 and not is_warm) or not (words[0].isdecimal() and words[2].isdecimal()):
        return None
    return Record(
        path=path,
        script=ProcessId(pid=int(words[0]), start=words[1]),
        supervisor=ProcessId(pid=int(words[2]), start=words[3]),
        is_warm=is_warm,
    )


def _ended(words: list[str]) -> Ended | None:
    try:
        at, kind, number, peak, cpu = words
        return Ended(
            at=datetime.fromtimestamp(float(at), UTC),
            code=int(number) if kind == "code" else None,
            signal=int(number) if kind == "signal" else None,
            peak_memory=int(peak) or None,
            cpu_time=float(cpu),
        )
    except (ValueError, OverflowError, OSError):
        return None  # damaged: what cannot be read is not known
