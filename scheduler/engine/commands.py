"""All that the engine can ask for: frozen values, in the imperative.

The ``Record...`` and ``Forget...`` commands of one event are stored in one transaction, before
anything is started or killed.
"""

from dataclasses import dataclass, field
from datetime import datetime

from scheduler.engine.task import Pause, RoutineState, SkippedRun, Task, TaskId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTask:
    """Keep this as the record of the task, in place of an older one."""

    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRun:
    """Keep this run of skipped instants, in place of one that begins at the same instant."""

    run: SkippedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetRun:
    """Drop the run that begins at this instant: it has been split."""

    routine: str
    first: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRoutine:
    """Keep what is remembered of a routine."""

    state: RoutineState


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlannedUntil:
    """Keep that each instant up to this one has its fate."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAhead:
    """Keep that a task is to be cancelled when its instant comes; or with ``drop``, forget it."""

    task: TaskId
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPause:
    """Keep a pause; or with ``drop``, forget it."""

    pause: Pause
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    """Start the process of an attempt."""

    task: TaskId
    attempt: int
    previous_instant: datetime | None  # of the routine's trigger, run or not
    since: datetime | None  # instant of the routine's last task that succeeded
    # In place of the routine's; there may be secrets among them.
    arguments: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAttempt:
    """End the process tree of an attempt; its end is reported like any other."""

    task: TaskId
    attempt: int
    hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Report `TimePassed` at this moment; None: there is nothing to wait for."""

    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Tell who watches that something about a task needs a person: ``overdue``."""

    task: TaskId
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer who asked: what was done, in sentences, and to which tasks."""

    messages: tuple[str, ...]
    tasks: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answer who asked that nothing was done, and why."""

    message: str


Record = (
    RecordTask
    | RecordRun
    | ForgetRun
    | RecordRoutine
    | RecordPlannedUntil
    | RecordAhead
    | RecordPause
)
Act = StartAttempt | KillAttempt | WakeAt | Notice | Reply | Refuse
Command = Record | Act
