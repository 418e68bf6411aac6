"""What runs attempts: the contract that every executor keeps.

Values and the protocol only.  An executor starts, kills and reports; it knows no retry, no
state and no store.  An attempt outlives the scheduler that began it: the next one's executor
finds it again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    warm: bool = False  # it may be started by fork of a warm interpreter,
    preload: tuple[str, ...] = ()  # which has these modules loaded
    # What is masked in what the process says of itself, the longest first.
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """All that it takes to look after an attempt that an earlier scheduler began."""

    task: str
    attempt: int
    scheduler: str  # its SCHEDULER_NAME,
    database: str  # and its SCHEDULER_DATABASE
    log: Path | None
    log_limit: int  # bytes
    grace: float  # seconds
    #: values that are not to be told, as far as they are known by now
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the process of an attempt ended.

    ``code`` is its exit code, or None if a signal ended it, which ``signal`` then names
    (``SIGKILL``).  ``error`` is the last line of the uncaught exception, if there was one
    (``ValueError: no rows``).  ``killed`` tells that it was ended by us, on request.
    ``peak_memory`` and ``cpu_time`` are None where the system, or the way in which it ended, leaves
    them unknown.
    """

    code: int | None = None
    signal: str | None = None
    error: str | None = None
    killed: bool = False
    peak_memory: int | None = None  # bytes
    cpu_time: float | None = None  # seconds
    ended_at: datetime | None = None  # UTC; None if that was just now
    refused: str | None = None  # it never began, and why
    is_lost: bool = False  # it is gone, and nobody saw how it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What has become of an attempt that an earlier scheduler began."""

    is_running: bool
    exit: Exit | None = None  # None while it runs


class LaunchError(Exception):
    """The process could not be started: no such script, interpreter or directory.

    The message says which, in words that serve as the attempt's reason.
    """


Report = Callable[[str, int, Exit], None]
"""Called from any thread with (task, attempt, exit) once an attempt's process tree is gone."""


class Executor(Protocol):
    """Starts, kills and reports."""

    def find(self, task: str, attempt: int) -> Found | None:
        """Return what has become of an attempt of an earlier scheduler.

        None: it has not begun, and never will.  Secrets in its error are not masked.
        """
        ...

    def strays(self) -> tuple[str, ...]:
        """Return, in words, what still runs of earlier schedulers and nobody has asked for."""
        ...

    def adopt(self, adoption: Adoption) -> None:
        """Look after an attempt that was found running: its end is reported, it can be killed."""
        ...

    def start(self, launch: Launch) -> None:
        """Start the attempt; raise `LaunchError` if that is impossible.

        A short attempt may be reported before this returns.
        """
        ...

    def kill(self, task: str, attempt: int, *, hard: bool = False) -> None:
        """End the attempt's whole process tree: polite, grace, hard; or hard at once.

        Returns at once; the end is reported like any other.  Does nothing if it has ended.
        """
        ...

    def forget(self, task: str, attempt: int) -> None:
        """Drop what is kept of an attempt that has ended, now that its end has been stored."""
        ...

    def close(self, *, leaves_running: bool = False) -> None:
        """Wait for the threads that watch; call it after the last attempt has been reported.

        With ``leaves_running`` it waits for nothing: the next scheduler finds what still runs.
        """
        ...
