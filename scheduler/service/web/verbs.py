"""The parameters of each verb, as the API takes and documents them.

Only their shape is checked here; what names and times mean is for `queries` and the loop.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scheduler.engine.states import TaskState
from scheduler.service.grid import DEFAULT_COLUMNS, DEFAULT_ROWS, MOST_COLUMNS, MOST_ROWS

P = TypeVar("P", bound="Parameters")

_Text = Annotated[str, Field(min_length=1, max_length=10_000)]
_TaskId = Annotated[_Text, Field(description="a task's id: routine.2026-10-01T02:00:00")]
_Routine = Annotated[_Text, Field(description="the name of a routine")]
_Moment = Annotated[_Text, Field(description="a time; without an offset in the registry's zone")]


class Parameters(BaseModel):
    """What every verb has in common: a parameter that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=False)

    def given(self) -> dict[str, object]:
        """Return the parameters under the names of the API, without those that are None."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Nothing(Parameters):
    """A verb without parameters."""


class Status(Parameters):
    """All routines, or one."""

    routine: _Routine | None = None


class List(Parameters):
    """All routines, or those with a tag."""

    tag: Annotated[_Text | None, Field(description="only routines with this tag")] = None


class Why(Parameters):
    """One task, past, present or to come."""

    task: _TaskId


class History(Parameters):
    """The newest tasks first."""

    routine: _Routine | None = None
    task: _TaskId | None = None
    state: Annotated[TaskState | None, Field(description="only tasks in this state")] = None
    since: Annotated[_Moment | None, Field(description="first instant, included")] = None
    until: Annotated[_Moment | None, Field(description="last instant, not included")] = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="at most so many tasks")] = 50


class Plan(Parameters):
    """From now, and for a day, unless told otherwise."""

    from_: Annotated[_Moment | None, Field(alias="from")] = None
    to: _Moment | None = None
    routine: _Routine | None = None
    if_: Annotated[
        _Text | None,
        Field(alias="if", description="'load fails', 'down 02:00-05:00', or several with commas"),
    ] = None
    expected: Annotated[
        Literal["yes"] | None, Field(description="what is expected of each task as well")
    ] = None


class Grid(Parameters):
    """All routines, or one; the last columns up to now."""

    routine: _Routine | None = None
    by: Annotated[_Text | None, Field(description="what a column is: 1m to 1d, week, month")] = None
    columns: Annotated[int, Field(ge=1, le=MOST_COLUMNS)] = DEFAULT_COLUMNS
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS, description="at most so many rows")] = (
        DEFAULT_ROWS
    )


class Logs(Parameters):
    """Whose log: that of a task's attempt; of a routine, its latest task's."""

    task: _TaskId | None = None
    routine: _Routine | None = None
    attempt: Annotated[int | None, Field(ge=1, description="by default the latest")] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        return _with_one_of(self, "task", "routine")


class Stop(Parameters):
    """Whether what runs is waited for, killed, or left running."""

    now: Annotated[bool, Field(description="kill what runs, instead of waiting for it")] = False
    detach: Annotated[
        bool, Field(description="leave running what runs: the next start looks after it")
    ] = False


class Rerun(Parameters):
    """Which recorded tasks to run: exactly one of task, failed, late, unknown, stale."""

    task: _TaskId | None = None
    failed: Annotated[bool | None, Field(description="all failed tasks")] = None
    late: Annotated[
        bool | None, Field(description="all skipped as too late that something is blocked by")
    ] = None
    unknown: Annotated[bool | None, Field(description="all unknown tasks")] = None
    stale: Annotated[
        bool | None, Field(description="all that rest on something that was redone since")
    ] = None
    since: Annotated[_Moment | None, Field(description="failed tasks from then on")] = None
    downstream: Annotated[bool | None, Field(description="and what waits for them, up to now")] = (
        None
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.since is not None and not self.failed:
            raise ValueError("since goes with failed only")
        if self.downstream and (self.stale or getattr(self, "routine", None)):
            raise ValueError("downstream goes with recorded tasks; stale includes it")
        return _with_one_of(self, *self._targets())

    def _targets(self) -> tuple[str, ...]:
        return "task", "failed", "late", "unknown", "stale"


class Execute(Rerun):
    """What to run: exactly one of task, routine, failed, late, unknown, stale."""

    routine: _Routine | None = None
    arguments: Annotated[str | None, Field(description="instead of the routine's own")] = None

    @model_validator(mode="after")
    def _has_one_argument(self) -> Self:
        if self.arguments is not None and (self.stale or self.late or self.downstream):
            raise ValueError("arguments go with one task, not with what waits for it")
        return self

    def _targets(self) -> tuple[str, ...]:
        return "task", "routine", "failed", "late", "unknown", "stale"


class Backfill(Parameters):
    """A routine's past tasks, from <= instant < to; without to, up to now."""

    routine: _Routine
    from_: Annotated[_Moment, Field(alias="from")]
    to: _Moment | None = None
    all: Annotated[bool, Field(description="also those that have succeeded")] = False
    downstream: Annotated[bool, Field(description="and what waits for them")] = False


class Resume(Parameters):
    """What goes on: exactly one of routine, tag, all, which is all that is paused."""

    routine: _Routine | None = None
    tag: Annotated[_Text | None, Field(description="all routines with this tag")] = None
    all: Annotated[bool | None, Field(description="all routines")] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        return _with_one_of(self, "routine", "tag", "all")


class Pause(Resume):
    """What to pause: exactly one of routine, tag, all."""

    until: Annotated[
        _Text | None, Field(description="a time, 06:00 or +2h; without, until resumed")
    ] = None


class Reload(Parameters):
    """Which registry to adopt."""

    revision: Annotated[_Text, Field(description="as the preview gave it")]


class Cancel(Parameters):
    """Which task to end."""

    task: _TaskId
    downstream: Annotated[bool, Field(description="and what waits for it")] = False


class Mark(Parameters):
    """What to record as what: a task, a routine's tasks from a time to another, or all unknown."""

    task: _TaskId | None = None
    routine: _Routine | None = None
    from_: Annotated[_Moment | None, Field(alias="from")] = None
    to: _Moment | None = None
    unknown: Annotated[bool | None, Field(description="all unknown tasks")] = None
    as_: Annotated[Literal["succeeded", "skipped"], Field(alias="as")]

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        has_range = self.from_ is not None and self.to is not None
        if bool(self.routine) != has_range or (self.from_ is None) != (self.to is None):
            raise ValueError("routine, from and to go together")
        return _with_one_of(self, "task", "routine", "unknown")


def _with_one_of(parameters: P, *names: str) -> P:
    """Return the parameters if exactly one of those named is given."""
    if sum(bool(getattr(parameters, name)) for name in names) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}")
    return parameters


def explained(problem: Mapping[str, object]) -> str:
    """Return one of pydantic's errors as words: which parameter, and what is wrong."""
    # The first part says query or body; none is left where the whole is meant.
    _, *parts = map(str, cast("tuple[str | int, ...]", problem["loc"]))
    message = str(problem.get("msg")).removeprefix("Value error, ")
    if problem.get("type") == "extra_forbidden":
        message = "there is no such parameter"
    return ": ".join([".".join(parts)[:100], message] if parts else [message])
