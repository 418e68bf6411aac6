"""A scheduler on a virtual clock: the real engine over a store in memory, and no process at all.

How long a script takes, and how it ends, is told beforehand; time jumps from one event to the
next.  What runs users' own tests (`scheduler.testing`) and forecasts is this.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush

from scheduler.durations import parse_duration
from scheduler.engine.admission import Limits
from scheduler.engine.commands import Command, KillAttempt, Record, RecordTask, StartAttempt, WakeAt
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    SchedulerStarted,
    TimePassed,
)
from scheduler.engine.states import TaskState
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service.recovery import restored
from scheduler.service.store.memory import MemoryStore

_KILLED = "SIGTERM"
_LOOKED_AT = 50  # tasks of a routine that can be looked at while one is decided


@dataclass(frozen=True, slots=True)
class Ends:
    """How an attempt goes: it takes so long, then exits with this code.

    ``lasts`` is in minutes, or a text such as ``"1h30m"``, or a `timedelta`.

    Raises:
        SchedulerError: it is no length of time, or no exit code.
    """

    lasts: float | str | timedelta = 0
    code: int = 0

    def __post_init__(self) -> None:
        if self.length < timedelta():
            raise SchedulerError(f"Ends({self.lasts!r}): an attempt cannot take less than no time")
        if self.code < 0:
            raise SchedulerError(f"Ends: {self.code} is not an exit code: give 0 or more")

    @property
    def length(self) -> timedelta:
        """Return how long the attempt takes."""
        if isinstance(self.lasts, timedelta):
            return self.lasts
        if isinstance(self.lasts, str):
            return parse_duration(self.lasts)
        try:
            return timedelta(minutes=self.lasts)
        except (OverflowError, ValueError):
            raise SchedulerError(f"Ends: {self.lasts!r} is not a number of minutes") from None


OutcomeOf = Callable[[TaskId, int], Ends]
"""Tells how an attempt of a task goes, by its number."""


@dataclass(slots=True, kw_only=True)
class Simulator:
    """One scheduler's life, or several in a row over one store."""

    registry: Registry
    now: datetime
    outcome_of: OutcomeOf
    limits: Limits
    store: MemoryStore = field(default_factory=MemoryStore)
    starts: list[tuple[datetime, TaskId]] = field(default_factory=list[tuple[datetime, TaskId]])
    steps: int = 0  # how often something happened
    effort: int = 0  # what came of it: one step may change, or look at, thousands of tasks
    _live: dict[str, set[TaskId]] = field(default_factory=dict[str, set[TaskId]])
    _engine: Engine | None = None
    _wake_at: datetime | None = None
    _running: dict[TaskId, int] = field(default_factory=dict[TaskId, int])  # the drawn number
    _ends: list[tuple[datetime, int, AttemptExited]] = field(
        default_factory=list[tuple[datetime, int, AttemptExited]]
    )
    _drawn: int = 0

    def start(self, *, assume_done: bool = False) -> None:
        """Start a scheduler, from the store if there was one before."""
        snapshot = restored(self.store, self.registry, self.registry, self.now)
        self._engine = Engine(self.registry, snapshot, self.limits)
        self._wake_at = None
        for task in snapshot.live:
            if task.state is TaskState.RUNNING:
                number = task.attempts[-1].number
                self._handle(AttemptLost(at=self.now, task=task.id, attempt=number))
        self._handle(SchedulerStarted(at=self.now, registry=self.registry, assume_done=assume_done))

    def die(self) -> None:
        """Let the scheduler, and all that it runs, die at once."""
        self._engine = self._wake_at = None
        self._ends.clear()
        self._running.clear()

    def run_until(self, end: datetime) -> None:
        """Let time pass up to ``end``; what happens at that very moment is not seen to yet."""
        while (following := self.following()) is not None and following < end:
            self.step()
        self.now = max(self.now, end)

    def following(self) -> datetime | None:
        """Return when something happens next, if ever."""
        moments = [self._ends[0][0]] if self._ends else []
        if self._wake_at is not None:
            moments.append(self._wake_at)
        return min(moments, default=None)

    def step(self) -> None:
        """Let the next thing happen: an end counts before what falls due at the same moment."""
        following = self.following()
        assert following is not None, "nothing happens any more"
        self.now = max(self.now, following)
        self.steps += 1
        if not self._ends or self._ends[0][0] > following:
            self._handle(TimePassed(at=self.now))
            return
        _, drawn, exited = heappop(self._ends)
        if self._running.get(exited.task) == drawn:
            del self._running[exited.task]
            self._handle(exited)

    def _handle(self, event: AnyEvent) -> None:
        """Give an event to the engine, keep what it decides, and carry that out."""
        assert self._engine is not None, "start it first"
        commands = self._engine.handle(event)
        self._note_effort(commands)
        self.store.apply([command for command in commands if isinstance(command, Record)])
        for command in commands:
            self._carry_out(command)

    def _note_effort(self, commands: list[Command]) -> None:
        self.effort += len(commands)
        for command in commands:
            if isinstance(command, RecordTask):
                live = self._live.setdefault(command.task.routine, set())
                (live.discard if command.task.state.is_end else live.add)(command.task.id)
                self.effort += len(live) // _LOOKED_AT

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartAttempt(task=id, attempt=number):
                self.starts.append((self.now, id))
                ends = self.outcome_of(id, number)
                try:
                    at = self.now + ends.length
                except OverflowError:
                    raise SchedulerError(f"{id}: {ends.lasts!r} ends after the last year") from None
                self._end_later(AttemptExited(at=at, task=id, attempt=number, code=ends.code))
            case KillAttempt(task=id, attempt=number):
                self._end_later(
                    AttemptExited(at=self.now, task=id, attempt=number, signal=_KILLED, killed=True)
                )
            case WakeAt(at=moment):
                self._wake_at = moment
            case _:
                pass

    def _end_later(self, exited: AttemptExited) -> None:
        """Let an attempt end as told; how it would have ended before is void."""
        self._drawn += 1
        self._running[exited.task] = self._drawn
        heappush(self._ends, (exited.at, self._drawn, exited))
