"""All that can happen to the engine: frozen values, in the past tense.

Every event carries ``at``, the time at which it was noticed, aware and in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime

from scheduler.engine.states import Cause
from scheduler.engine.task import Pause, PauseScope, SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStarted(Event):
    """The scheduler serves; what came before was the work of an earlier one."""

    registry: Registry
    fresh: bool = False  # skip all that is due
    assume_done: bool = False  # what is unknown counts as succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed(Event):
    """The clock reached a moment that the engine asked for, or was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineWoke(Event):
    """Time went on while nothing could run: what is due by now is late."""

    is_followed: bool = False  # by events of the same moment, which count before what falls due


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptExited(Event):
    """The process of an attempt is gone."""

    task: TaskId
    attempt: int
    code: int | None = None
    signal: str | None = None
    error: str | None = None
    killed: bool = False
    peak_memory: int | None = None  # bytes
    cpu_time: float | None = None  # seconds
    ended_at: datetime | None = None  # if that was earlier: no scheduler was there to notice it


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRefused(Event):
    """An attempt could not be started; ``error`` says why."""

    task: TaskId
    attempt: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost(Event):
    """The process of an attempt is gone, or may never have been, and nobody knows how it ended."""

    task: TaskId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptNeverBegan(Event):
    """An earlier scheduler died between a decision and its act: the attempt cannot begin any more.

    Not one line of its script has run, and none will.
    """

    task: TaskId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the store holds of a task that the engine may have forgotten."""

    id: TaskId
    task: Task | None = None
    run: SkippedRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteAsked(Event):
    """A person asked for these tasks to run now."""

    tasks: tuple[Recorded, ...]
    arguments: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineExecuteAsked(Event):
    """A person asked for a task of this routine at the first free second."""

    routine: str
    arguments: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked(Event):
    """A person asked for a task to end, and with ``downstream`` for what waits for it."""

    task: Recorded
    downstream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkAsked(Event):
    """A person said what became of these tasks."""

    tasks: tuple[Recorded, ...]
    cause: Cause  # MARKED_SUCCEEDED or MARKED_SKIPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMarkAsked(Event):
    """A person said what became of all that is unknown."""

    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseAsked(Event):
    """A person asked that some routines start no tasks."""

    pause: Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeAsked(Event):
    """A person asked that what was paused goes on."""

    scope: PauseScope
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryReloaded(Event):
    """Another registry is in force from now on.

    ``records`` are what its tasks may wait for, and the engine may have forgotten.
    """

    registry: Registry
    records: tuple[Task | SkippedRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillAsked(Event):
    """A person asked for tasks that are past, behind all that is due.

    ``records`` are what they may wait for, and the engine may have forgotten.
    """

    tasks: tuple[Recorded, ...]
    records: tuple[Task | SkippedRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAsked(Event):
    """No more starts; with ``now``, running attempts are killed."""

    now: bool = False


AnyEvent = (
    SchedulerStarted
    | TimePassed
    | MachineWoke
    | AttemptExited
    | AttemptRefused
    | AttemptLost
    | AttemptNeverBegan
    | ExecuteAsked
    | RoutineExecuteAsked
    | CancelAsked
    | MarkAsked
    | UnknownMarkAsked
    | PauseAsked
    | ResumeAsked
    | RegistryReloaded
    | BackfillAsked
    | StopAsked
)
