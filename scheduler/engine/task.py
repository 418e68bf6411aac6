"""Tasks, their attempts, and what is kept of a routine between two passes, as frozen values.

No rules: what may follow what is `states.TRANSITIONS`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from scheduler.engine.states import Cause, TaskState
from scheduler.registry.task_id import TaskId

__all__ = [
    "Attempt",
    "Origin",
    "Outcome",
    "Pause",
    "PauseScope",
    "RoutineState",
    "SkippedRun",
    "Task",
    "TaskId",
]


class Origin(StrEnum):
    """Why a task exists."""

    SCHEDULED = "scheduled"  #: its routine's schedule yields the instant
    ROUND = "round"  #: its routine triggers by rounds
    BACKFILL = "backfill"  #: a person asked for a range
    MANUAL = "manual"  #: a person asked for it


class Outcome(StrEnum):
    """How an attempt ended."""

    EXITED = "exited"  #: by itself; its code says how
    KILLED = "killed"  #: by us, because a person asked
    TIMED_OUT = "timed out"  #: by us, because of the limit
    LOST = "lost"  #: unseen, while no scheduler was running
    REFUSED = "refused"  #: it could not be started


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One process for a task."""

    number: int  # from 1
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None  # None while it runs
    code: int | None = None  # exit code; None if a signal ended it
    signal: str | None = None  # SIGKILL
    error: str | None = None  # the last line of the traceback, or why it did not start
    peak_memory: int | None = None  # bytes
    cpu_time: float | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One routine at one instant, and what has become of it."""

    id: TaskId
    state: TaskState
    cause: Cause
    reason: str  # in words, without the state's name
    origin: Origin
    planned_at: datetime
    changed_at: datetime  # when it came to its state
    place: datetime  # its place in the queue: its instant, or the oldest that it covers
    attempts: tuple[Attempt, ...] = ()
    cover: TaskId | None = None  # the newer task that runs in its place
    root: TaskId | None = None  # of a blocked one: where the trouble began
    by_hand: bool = False  # its next or present attempt was asked for by a person
    # For that attempt, in place of the routine's.
    arguments: str | None = field(default=None, repr=False)
    tries: int = 0  # attempts since it was planned, or since a person asked for it
    retry_at: datetime | None = None  # when it is tried again
    is_overdue: bool = False  # had not succeeded by its due_by
    ending: Cause | None = None  # its processes are being ended: what it becomes when they are gone
    stand_ins: tuple[tuple[TaskId, TaskId], ...] = ()  # (waited for, accepted in its place)

    @property
    def routine(self) -> str:
        """Return the name of its routine."""
        return self.id.routine

    @property
    def instant(self) -> datetime:
        """Return the moment that it is for, in UTC."""
        return self.id.instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRun:
    """A run of one routine's neighbouring instants, skipped for one cause."""

    routine: str
    first: datetime
    last: datetime
    count: int
    cause: Cause
    reason: str
    at: datetime
    cover: TaskId | None = None
    zone: str = "UTC"

    def holds(self, instant: datetime) -> bool:
        """Return whether the instant, one of its routine's, lies in the run."""
        return self.first <= instant <= self.last


class PauseScope(StrEnum):
    """What a pause holds for."""

    ALL = "all"
    TAG = "tag"
    ROUTINE = "routine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """That no tasks of some routines are started; they are still planned."""

    scope: PauseScope
    name: str = ""  # of the tag or the routine
    since: datetime
    until: datetime | None = None  # None: until somebody resumes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutineState:
    """What the engine remembers of a routine besides its tasks."""

    name: str
    known_since: datetime  # instants up to here are unknown if there is no record of them
    trigger: str  # the rule of its instants, as text: another one means a change
    enabled: bool = True
    assumed: Cause | None = None  # what is unknown counts as marked so, by hand or --assume_done
    last_success: datetime | None = None  # instant of its newest task that succeeded
    last_manual: datetime | None = None  # instant of its newest task by hand
    zone: str = "UTC"
