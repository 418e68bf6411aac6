"""What a scheduler answers, as API and command line have it: the JSON of `service.views`, typed.

Types only.  The answers come from our own queries, so their shape is taken for granted.
"""

from typing import Any, NotRequired, TypedDict, final


@final
class PingView(TypedDict):
    """Which scheduler answers."""

    name: str
    pid: int | None
    version: str
    is_stopping: bool


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
    peak_memory: int | None  # bytes
    cpu_time: float | None  # seconds
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
    stale: str | None  # a task that it waited for and that has been redone since
    retry_at: str | None
    is_overdue: bool  # had not succeeded by its due_by
    planned_at: str
    changed_at: str
    arguments: list[str] | None  # given for its attempt by hand; secrets are masked
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
class PauseView(TypedDict):
    """That no tasks of some routines are started."""

    scope: str  # all, tag or routine
    name: str
    since: str
    until: str | None


@final
class PlannedView(TypedDict):
    """A task to come."""

    task: str
    routine: str
    instant: str
    waits_for: list[str]
    paused: NotRequired[PauseView]
    expected_start: NotRequired[str | None]
    expected_end: NotRequired[str | None]
    expected_state: NotRequired[str | None]
    expected_reason: NotRequired[str]
    due_by: NotRequired[str | None]  # with what is expected
    expected_overdue: NotRequired[bool | None]


@final
class DependencyView(TypedDict):
    """What a routine depends on."""

    name: str
    instant: str
    on: str


@final
class VariableView(TypedDict):
    """A variable with its value, masked if its name says secret; or a file of variables."""

    name: NotRequired[str]
    value: NotRequired[str]
    file: NotRequired[str]


@final
class RoutineView(TypedDict):
    """A routine with its next instant and its last task."""

    name: str
    script: str | None
    module: str | None
    schedule: str | None
    schedule_in_words: str
    timezone: str
    arguments: list[str]  # secrets among them are masked
    environment: list[VariableView]
    enabled: bool
    next: str | None
    last: TaskView | None
    depends_on: list[DependencyView]
    dependents: list[str]
    backlog: str
    due_by: str | None  # as it may be written
    overlap: str
    warm: str
    preload: list[str]
    tags: list[str]
    description: str
    known_since: str | None
    paused: PauseView | None


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
    stale: list[TaskView]
    pauses: list[PauseView]
    commands: list[str]  # that mend what is blocked or failed
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
class GridCellView(TypedDict):
    """The worst task of a routine in one period."""

    task: str
    state: str
    reason: str
    instant: str
    count: int  # of all its tasks there


@final
class GridRowView(TypedDict):
    """A routine, period by period."""

    routine: str
    is_root: bool
    held_by: str | None
    last: GridCellView | None  # its newest task, whenever that was
    cells: list[GridCellView | None]
    unread: int  # of the first cells: they hold more tasks than a grid reads


@final
class GridView(TypedDict):
    """Routines by periods."""

    scheduler: SchedulerView
    at: str
    timezone: str
    period: str
    columns: list[str]  # where each begins
    rows: list[GridRowView]
    more: int  # routines that are left out


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
class ChangeView(TypedDict):
    """An attribute that has another value."""

    attribute: str
    old: str | None
    new: str | None


@final
class TouchedView(TypedDict):
    """What a reload means for one routine."""

    routine: str
    changes: list[ChangeView]
    schedule_in_words: str
    begins: bool  # it is new, or its instants are others
    next: str | None
    skipped: int  # tasks that have not started, and will not
    running: int


@final
class ProblemsView(TypedDict):
    """Why a registry cannot be adopted; without errors it is a `PreviewView`."""

    revision: None
    errors: list[dict[str, Any]]  # the fields of a `Problem`


@final
class PreviewView(TypedDict):
    """What a reload would change."""

    revision: str
    is_new: bool
    registry: str
    count: int
    summary: str
    added: list[TouchedView]
    removed: list[TouchedView]
    changed: list[TouchedView]
    rebound: list[TouchedView]
    pools: list[ChangeView]
    errors: list[dict[str, Any]]
    warnings: list[str]


@final
class RerunView(TypedDict):
    """What would run again."""

    tasks: list[str]


@final
class ExtentView(TypedDict):
    """How far a backfill is, and what is still to be planned."""

    count: int  # tasks of the whole range
    done: int  # of those, how many have succeeded
    missing: list[str]
    live: dict[str, int]  # those that are on their way, by state
    blocked: str | None  # the first one that is


@final
class DoneView(TypedDict):
    """What a request has changed."""

    messages: list[str]
    tasks: list[str]


@final
class StoppedView(TypedDict):
    """What the scheduler still waits for, or kills."""

    messages: list[str]
