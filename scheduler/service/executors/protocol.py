"""What runs attempts: the contract that every executor keeps.

Values and the protocol only.  An executor starts, kills and reports; it knows no retry, no
state and no store.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that it takes to start one attempt."""

    task: str  # the task's id, as text: with the attempt's number, the key of the attempt
    attempt: int  # from 1
    python: str  # the interpreter, an absolute path
    script: str | None  # an absolute path; exactly one of script and module is set
    module: str | None
    arguments: tuple[str, ...] = field(repr=False)  # the words after the script's name
    directory: str  # working directory
    environment: Mapping[str, str] = field(repr=False)  # whole, as the child is to see it
    log: Path | None  # takes stdout and stderr as they come; None: the terminal's own
    log_limit: int  # bytes of the log that are kept, head and tail
    grace: float  # seconds between the polite and the hard kill
    # What is masked in what the process says of itself, the longest first.
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The process of an attempt, named so that it can be told from a later one of its pid."""

    pid: int
    process_start: float  # as psutil.Process.create_time(): seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the process of an attempt ended.

    ``code`` is its exit code, or None if a signal ended it, which ``signal`` then names
    (``SIGKILL``).  ``error`` is the last line of the uncaught exception, if there was one
    (``ValueError: no rows``), or why the process could not be started.  ``killed`` tells that it
    was ended by us, on request.  ``peak_memory`` and ``cpu_time`` are None where the system, or
    the way in which it ended, leaves them unknown.
    """

    code: int | None = None
    signal: str | None = None
    error: str | None = None
    killed: bool = False
    peak_memory: int | None = None  # bytes
    cpu_time: float | None = None  # seconds


class LaunchError(Exception):
    """The process could not be started: no such script, interpreter or directory.

    The message says which, in words that serve as the attempt's reason.
    """


Report = Callable[[str, int, Exit], None]
"""Called from any thread with (task, attempt, exit) once an attempt's process tree is gone."""


class Executor(Protocol):
    """Starts, kills and reports."""

    def start(self, launch: Launch) -> Started:
        """Start the attempt and return its process; raise `LaunchError` if that is impossible."""
        ...

    def kill(self, task: str, attempt: int, *, hard: bool = False) -> None:
        """End the attempt's whole process tree: polite, grace, hard; or hard at once.

        Returns at once; the end is reported like any other.  Does nothing if it has ended.
        """
        ...

    def close(self) -> None:
        """Wait for the threads that watch; call it after the last attempt has been reported."""
        ...
