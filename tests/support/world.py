"""A small simulated world: the real engine and a store, on a clock that the test moves.

Scripts take as long, and end as, the test says.  What happens is written down as a transcript:
events at the margin, what the engine made of them below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from scheduler.cron import Schedule
from scheduler.engine.admission import Limits
from scheduler.engine.commands import (
    Command,
    KillAttempt,
    Record,
    RecordRun,
    RecordTask,
    Refuse,
    Reply,
    StartAttempt,
    WakeAt,
)
from scheduler.engine.engine import Engine
from scheduler.engine.events import (
    AnyEvent,
    AttemptExited,
    AttemptLost,
    CancelAsked,
    ExecuteAsked,
    MarkAsked,
    Recorded,
    RegistryReloaded,
    SchedulerStarted,
    StopAsked,
    TimePassed,
    UnknownMarkAsked,
)
from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import SkippedRun, Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, InstantKind, On, Overlap, Routine
from scheduler.registry.task_id import parse_task_id
from scheduler.service.recovery import restored
from scheduler.service.store.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class Ends:
    """How the runs of a routine go: after so many minutes, with this exit code."""

    minutes: float = 0
    code: int = 0


Outcomes = Ends | Callable[[TaskId, int], Ends]


def a_routine(
    name: str,
    schedule: str | None = None,
    *needs: str | Dependency,
    zone: str = "UTC",
    backlog: Backlog | None = None,
    overlap: Overlap = Overlap.NO,
    enabled: bool = True,
    skip_exit: int | None = None,
) -> Routine:
    """Return a routine; a need is written ``load`` or ``load latest failure``."""
    return Routine(
        name=name,
        script=f"/{name}.py",
        schedule=Schedule(schedule, zone) if schedule else None,
        zone=zone,
        dependencies=tuple(_dependency(need) for need in needs),
        backlog=backlog or Backlog.LATEST,
        overlap=overlap,
        enabled=enabled,
        skip_exit=skip_exit,
    )


def _dependency(text: str | Dependency) -> Dependency:
    if isinstance(text, Dependency):
        return text
    name, *rest = text.split()
    kind = InstantKind(rest[0]) if rest else InstantKind.LATEST
    return Dependency(name=name, instant=kind, on=On(rest[1]) if len(rest) > 1 else On.SUCCESS)


def a_registry(
    *routines: Routine, timezone: str = "UTC", pools: Mapping[str, int] | None = None
) -> Registry:
    """Return a registry in which the backlog rule for what is named has been applied."""
    strict = {
        name
        for routine in routines
        for dependency in routine.dependencies
        if dependency.instant is not InstantKind.LATEST
        for name in (routine.name, dependency.name)
    }
    made = [
        replace(routine, backlog=Backlog.ALL) if routine.name in strict else routine
        for routine in routines
    ]
    return Registry(made, timezone=timezone, pools=pools)


def at(text: str) -> datetime:
    """Return a moment written as ``2026-11-02T02:00``, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class World:
    """One scheduler's life, or several in a row over one store."""

    registry: Registry
    now: datetime
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict[str, Outcomes])
    slots: int = 100
    late: int = 100
    planned_at_once: int = 50
    store: MemoryStore = field(default_factory=MemoryStore)
    lines: list[str] = field(default_factory=list[str])
    starts: list[tuple[datetime, TaskId]] = field(default_factory=list[tuple[datetime, TaskId]])
    wake_at: datetime | None = None
    running: dict[TaskId, int] = field(default_factory=dict[TaskId, int])
    replies: list[Reply | Refuse] = field(default_factory=list[Reply | Refuse])
    events: list[AnyEvent] = field(default_factory=list[AnyEvent])
    decided: list[list[Command]] = field(default_factory=list[list[Command]])  # event by event
    in_force: list[Registry] = field(default_factory=list[Registry])
    _ends: list[tuple[datetime, int, TaskId, int, int]] = field(
        default_factory=list[tuple[datetime, int, TaskId, int, int]]
    )
    _drawn: int = 0
    _engine: Engine | None = None
    _ran_with: Registry | None = None

    @property
    def limits(self) -> Limits:
        """Return how much may go on at once."""
        return Limits(max_running=self.slots, late=self.late, planned_at_once=self.planned_at_once)

    @property
    def engine(self) -> Engine:
        """Return the running engine."""
        assert self._engine is not None, "start it first"
        return self._engine

    def start(self, *, fresh: bool = False, assume_done: bool = False) -> "World":
        """Start a scheduler, from the store if there was one before."""
        old = self._ran_with or self.registry
        snapshot = restored(self.store, old, self.registry, self.now)
        self._engine = Engine(old, snapshot, self.limits)
        self.wake_at = None
        for task in snapshot.live:
            if task.state is TaskState.RUNNING:
                lost = AttemptLost(at=self.now, task=task.id, attempt=task.attempts[-1].number)
                self.handle(lost, f"lost {task.id}")
        started = SchedulerStarted(
            at=self.now, registry=self.registry, fresh=fresh, assume_done=assume_done
        )
        self.handle(started, "started")
        self._ran_with = self.registry
        return self

    def reload(self, registry: Registry) -> "World":
        """Let a person have another registry adopted while the scheduler runs, as the loop does."""
        found = restored(self.store, self.engine.registry, registry, self.now)
        records: tuple[Task | SkippedRun, ...] = (*found.ended, *found.runs)
        self.registry = self._ran_with = registry
        self.handle(RegistryReloaded(at=self.now, registry=registry, records=records), "reload")
        return self

    def crash(self) -> "World":
        """Let the scheduler and all that it runs die at once."""
        self._engine = None
        self._ends.clear()
        self.running.clear()
        self.note("crashed")
        return self

    def stop(self) -> "World":
        """Stop the scheduler: what runs goes on to its end, nothing starts."""
        self.handle(StopAsked(at=self.now), "stop asked")
        while self._ends:
            if self.wake_at is not None and self.wake_at < self._ends[0][0]:
                self.now = max(self.now, self.wake_at)
                self.handle(TimePassed(at=self.now), "")
            else:
                self._next_end()
        self._engine = None
        return self

    def run_until(self, end: datetime) -> "World":
        """Let time pass: ends count before what falls due."""
        while True:
            moments = [self._ends[0][0]] if self._ends else []
            moments += [self.wake_at] if self.wake_at is not None else []
            following = min(moments, default=None)
            if following is None or following > end:
                self.now = max(self.now, end)
                return self
            if self._ends and self._ends[0][0] == following:
                self._next_end()
            else:
                self.now = max(self.now, following)
                self.handle(TimePassed(at=self.now), "")

    def fall_due(self) -> "World":
        """Let time pass up to the next moment for which the engine wants to be woken, and wake it.

        Not more often than once: of what falls due then it may plan a part.
        """
        while self._ends and self.wake_at is not None and self._ends[0][0] <= self.wake_at:
            self._next_end()
        if self.wake_at is not None:
            self.now = max(self.now, self.wake_at)
            self.handle(TimePassed(at=self.now), "")
        return self

    def sleep_until(self, end: datetime) -> "World":
        """Let time pass while no scheduler runs."""
        self.now = end
        return self

    def ask(self, event: AnyEvent, words: str) -> Reply | Refuse:
        """Let a person ask for something, and return the answer."""
        self.replies.clear()
        self.handle(event, words)
        return self.replies[-1]

    def execute(self, *texts: str) -> Reply | Refuse:
        """Let a person run tasks."""
        tasks = tuple(self.recorded(text) for text in texts)
        return self.ask(ExecuteAsked(at=self.now, tasks=tasks), f"execute {' '.join(texts)}")

    def cancel(self, text: str, *, downstream: bool = False) -> Reply | Refuse:
        """Let a person cancel a task."""
        event = CancelAsked(at=self.now, task=self.recorded(text), downstream=downstream)
        return self.ask(event, f"cancel {text}{' --downstream' if downstream else ''}")

    def mark(self, cause: Cause, *texts: str) -> Reply | Refuse:
        """Let a person say what became of tasks."""
        tasks = tuple(self.recorded(text) for text in texts)
        event = MarkAsked(at=self.now, tasks=tasks, cause=cause)
        return self.ask(event, f"{cause}: {' '.join(texts)}")

    def mark_unknown(self) -> Reply | Refuse:
        """Let a person say that all that is unknown was done."""
        event = UnknownMarkAsked(at=self.now, cause=Cause.MARKED_SUCCEEDED)
        return self.ask(event, "mark --unknown succeeded")

    def edit(self, *routines: Routine) -> "World":
        """Let a person write another registry; the next start reads it."""
        self.registry = a_registry(*routines, timezone=self.registry.timezone)
        return self

    def recorded(self, text: str) -> Recorded:
        """Return a task with its record, as the loop looks it up for a request."""
        routine = text.rpartition(".")[0]
        zone = self.registry[routine].zone if routine in self.registry else "UTC"
        id = parse_task_id(text, zone)
        return Recorded(id=id, task=self.store.task(id), run=self.store.run_of(id))

    def task(self, text: str) -> Task:
        """Return the record of a task; a run of skipped ones has none."""
        task = self.recorded(text).task
        assert task is not None, f"no record of {text}"
        return task

    def state(self, text: str) -> str:
        """Return the state of a task, and of a skipped or blocked one the reason."""
        found = self.recorded(text)
        if found.run is not None and found.task is None:
            return f"skipped: {found.run.reason}"
        if found.task is None:
            return "none"
        detailed = found.task.state in (TaskState.SKIPPED, TaskState.BLOCKED, TaskState.WAITING)
        return f"{found.task.state}: {found.task.reason}" if detailed else str(found.task.state)

    def started(self, name: str) -> list[str]:
        """Return when the tasks of a routine started: ``task-instant@start``."""
        return [
            f"{id.instant:%dT%H:%M}@{when:%dT%H:%M}"
            for when, id in self.starts
            if id.routine == name
        ]

    def transcript(self) -> str:
        """Return what happened."""
        return "\n".join(self.lines)

    def note(self, words: str) -> None:
        """Write an event down."""
        self.lines.append(f"{self.now:%a %H:%M}  {words}")

    def decide(self, event: AnyEvent) -> list[Command]:
        """Give an event to the engine, and store and remember what it decides."""
        commands = self.engine.handle(event)
        self.events.append(event)
        self.decided.append(commands)
        self.in_force.append(self.engine.registry)
        self.store.apply([command for command in commands if isinstance(command, Record)])
        return commands

    def handle(self, event: AnyEvent, words: str) -> None:
        """Give an event to the engine, store what it decides, and carry that out."""
        commands = self.decide(event)
        told = [line for command in commands if (line := self._in_words(command))]
        if words or told:
            self.note(words or "time passed")
            self.lines.extend(f"           {line}" for line in told)
        for command in commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case StartAttempt(task=id, attempt=number):
                assert id not in self.running, f"{id} started twice"
                self.running[id] = number
                self.starts.append((self.now, id))
                ends = self.outcomes.get(id.routine, Ends())
                ends = ends(id, number) if callable(ends) else ends
                self._drawn += 1
                when = self.now + timedelta(minutes=ends.minutes)
                heappush(self._ends, (when, self._drawn, id, number, ends.code))
            case KillAttempt(task=id, attempt=number):
                self._ends = [item for item in self._ends if item[2] != id]
                self._drawn += 1
                heappush(self._ends, (self.now, self._drawn, id, number, -15))
            case WakeAt(at=moment):
                self.wake_at = moment
            case Reply() | Refuse():
                self.replies.append(command)
            case _:
                pass

    def _next_end(self) -> None:
        when, _, id, number, code = heappop(self._ends)
        self.now = max(self.now, when)
        if self.running.pop(id, None) is None:
            return
        event = AttemptExited(
            at=self.now,
            task=id,
            attempt=number,
            code=None if code < 0 else code,
            signal="SIGTERM" if code < 0 else None,
            killed=code < 0,
        )
        self.handle(event, f"exited {id} code={code}")

    def _in_words(self, command: Command) -> str:
        match command:
            case RecordTask(task=task) if task.ending is not None:
                return f"ending {task.id}: {task.ending}"
            case RecordTask(task=task):
                overdue = "OVERDUE " if task.is_overdue else ""
                return f"{overdue}{task.state} {task.id}" + (
                    f": {task.reason}" if task.reason else ""
                )
            case RecordRun(run=run):
                first, last = TaskId(run.routine, run.first), TaskId(run.routine, run.last)
                return f"skipped {run.count} {first} .. {last}: {run.reason}"
            case StartAttempt(task=id, attempt=number):
                return f"start {id} #{number}"
            case KillAttempt(task=id, attempt=number):
                return f"kill {id} #{number}"
            case Reply(messages=messages):
                return "reply " + "; ".join(messages)
            case Refuse(message=message):
                return f"refuse {message}"
            case _:
                return ""


def fates(world: World, name: str, start: datetime, end: datetime) -> Sequence[str]:
    """Return the fate of each of a routine's instants, start <= instant < end."""
    found: list[str] = []
    for instant in world.registry.instants(name, start, end):
        id = TaskId(name, instant)
        task, run = world.store.task(id), world.store.run_of(id)
        found.append(str(task.state) if task else "skipped" if run else "none")
    return found
