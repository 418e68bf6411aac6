"""What a scheduler answers, as the command line reads it: the JSON of `service.views`, typed.

Types only.  The answers come from our own queries, so their shape is taken for granted.
"""

from typing import NotRequired, TypedDict, final


@final
class AttemptView(TypedDict):
    """One process of a task."""

    number: int
    started_at: str
    ended_at: str | None
    outcome: str | None
    code: int | None
    signal: str | None
    error: str | None
    log: str


@final
class TaskView(TypedDict):
    """A task with its state."""

    task: str
    routine: str
    instant: str
    state: str
    cause: str
    reason: str
    origin: str
    root: str | None
    cover: str | None
    planned_at: str
    changed_at: str
    stand_ins: list[list[str]]
    attempts: list[AttemptView]


@final
class RunView(TypedDict):
    """Neighbouring instants of a routine, skipped in one record."""

    routine: str
    first: str
    last: str
    count: int
    state: str
    cause: str
    reason: str
    cover: str | None
    at: str


@final
class PlannedView(TypedDict):
    """A task to come."""

    task: str
    routine: str
    instant: str
    waits_for: list[str]


@final
class DependencyView(TypedDict):
    """What a routine depends on."""

    name: str
    instant: str
    on: str


@final
class RoutineView(TypedDict):
    """A routine with its next instant and its last task."""

    name: str
    script: str | None
    module: str | None
    schedule: str | None
    schedule_in_words: str
    timezone: str
    enabled: bool
    next: str | None
    last: TaskView | None
    depends_on: list[DependencyView]
    dependents: list[str]
    backlog: str
    overlap: str
    tags: list[str]
    description: str
    known_since: str | None


@final
class SchedulerView(TypedDict):
    """The scheduler that answers, or whose data folder does."""

    name: str
    is_live: bool
    pid: int | None
    address: str | None
    started_at: str | None
    mode: str
    config: str
    registry: str
    database: str
    timezone: str
    is_stopping: bool
    notices: list[str]


@final
class StatusView(TypedDict):
    """What runs, is blocked, failed, waits and comes next."""

    scheduler: SchedulerView
    running: list[TaskView]
    blocked: list[TaskView]
    failed: list[TaskView]
    ready: list[TaskView]
    waiting: list[TaskView]
    next: list[PlannedView]
    recent: list[TaskView]
    unknown: list[str]
    counts: dict[str, int]
    routine: NotRequired[RoutineView]


@final
class ListView(TypedDict):
    """All routines."""

    routines: list[RoutineView]


@final
class LinkView(TypedDict):
    """One step from a task to its root cause."""

    task: str
    state: str
    sentence: str


@final
class WhyView(TypedDict):
    """Why a task is in its state."""

    task: str
    state: str
    sentences: list[str]
    chain: list[LinkView]
    root: str | None
    commands: list[str]


@final
class HistoryView(TypedDict):
    """What became of past instants, newest first."""

    fates: list[TaskView | RunView]


@final
class LogsView(TypedDict):
    """Where the log of an attempt is."""

    task: str
    attempt: int
    attempts: list[int]
    path: str
    size: int
    is_running: bool


@final
class DoneView(TypedDict):
    """What a request has changed."""

    messages: list[str]
    tasks: list[str]
