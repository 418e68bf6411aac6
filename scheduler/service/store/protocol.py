"""What a store must do: keep each decision before it is acted on, and give it back.

One writer, the loop; many readers.  No SQL here, and no decisions: what to keep is the engine's
word, what to ask for that of `recovery` and `queries`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from scheduler.engine.commands import Record
from scheduler.engine.states import TaskState
from scheduler.engine.task import Attempt, Pause, RoutineState, SkippedRun, Task, TaskId

#: the note that keeps the zone which the last registry was read with
TIMEZONE_NOTE = "registry timezone"
#: the note that tells whether the machine has been started anew since
BOOT_NOTE = "boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of the registry, as it was read."""

    path: str
    data: bytes = field(repr=False)  # there may be secrets in it


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryText:
    """The files of a registry that loaded, its own first, and the zone that it was read with."""

    sources: tuple[Source, ...]
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One line of history: a task, or a run of skipped instants."""

    task: Task | None = None
    run: SkippedRun | None = None

    @property
    def routine(self) -> str:
        """Return the name of its routine."""
        if self.task is not None:
            return self.task.routine
        assert self.run is not None
        return self.run.routine

    @property
    def instant(self) -> datetime:
        """Return the instant that it stands at: of a run, its last."""
        if self.task is not None:
            return self.task.instant
        assert self.run is not None
        return self.run.last


class Reader(Protocol):
    """What may be asked of a store, from any thread."""

    def planned_until(self) -> datetime | None:
        """Return up to when each instant has its fate; None if nothing was ever planned."""
        ...

    def routines(self) -> tuple[RoutineState, ...]:
        """Return what is remembered of each routine, by name."""
        ...

    def routine(self, name: str) -> RoutineState | None:
        """Return what is remembered of one routine."""
        ...

    def task(self, id: TaskId) -> Task | None:
        """Return the record of a task."""
        ...

    def run_of(self, id: TaskId) -> SkippedRun | None:
        """Return the run of skipped instants that the instant lies in (of its routine's)."""
        ...

    def live(self) -> tuple[Task, ...]:
        """Return the tasks that are not ended, by instant, then routine."""
        ...

    def ahead(self) -> tuple[TaskId, ...]:
        """Return the tasks to be cancelled when their instants come, by instant, then routine."""
        ...

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses in force, by scope, then name."""
        ...

    def tasks_since(self, routine: str, instant: datetime) -> tuple[Task, ...]:
        """Return the routine's tasks at or after an instant, oldest first."""
        ...

    def runs_since(self, routine: str, instant: datetime) -> tuple[SkippedRun, ...]:
        """Return the routine's runs that end at or after an instant, oldest first."""
        ...

    def early(self, after: datetime) -> tuple[Task, ...]:
        """Return tasks at instants after ``after``, in order of instant, then routine.

        After the moment up to which all is planned those are the tasks that a person had run before
        their time, and what is left of planning that was not ended.
        """
        ...

    def early_runs(self, after: datetime) -> tuple[SkippedRun, ...]:
        """Return the runs that end after ``after``, in order of their ends, then routine."""
        ...

    def history(
        self,
        *,
        routine: str | None = None,
        state: TaskState | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> tuple[Fate, ...]:
        """Return the newest fates, newest instant first; of all routines or of one."""
        ...

    def newest(self, routine: str) -> Task | None:
        """Return the routine's newest task that ran or is to run (its record is no mere cover)."""
        ...

    def last_ended(self, routine: str) -> Task | None:
        """Return the routine's newest task that ended with an attempt."""
        ...

    def last_ended_of_all(self) -> Mapping[str, Task]:
        """Return the newest task that ended with an attempt of each routine that has one."""
        ...

    def recent_ends(self, limit: int = 20) -> tuple[tuple[Task, Attempt], ...]:
        """Return the attempts that ended last, newest first, each with its task."""
        ...

    def redone(self, limit: int = 1000) -> tuple[tuple[TaskId, int], ...]:
        """Return the further attempts that ended, by task and number, what ended last first.

        At most the newest ``limit``; the ids do not know their zones.
        """
        ...

    def failed(self, since: datetime | None = None) -> tuple[Task, ...]:
        """Return failed tasks, by instant, then routine.

        Without ``since`` those that still matter: no newer task of the routine has succeeded, or
        something is blocked by it all the same.
        """
        ...

    def durations(self, routine: str, limit: int = 20) -> tuple[float, ...]:
        """Return the seconds that the last attempts of succeeded tasks took, newest task first.

        The newest ``limit`` of those tasks that had an attempt are looked at.
        """
        ...

    def counts(self) -> Mapping[TaskState, int]:
        """Return how many records there are in each state; a run counts its instants."""
        ...

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the last registry that loaded, its own first."""
        ...

    def note(self, key: str) -> str | None:
        """Return a note that the service made to itself."""
        ...


class Store(Reader, Protocol):
    """A reader that its one writer, the loop, may also change."""

    def apply(self, records: Sequence[Record], registry: RegistryText | None = None) -> None:
        """Keep all of these, or none: one durable transaction.

        With ``registry``, what the records follow from, in place of the one that was kept before.
        An attempt does not change any more once it has a successor.

        Raises:
            StoreError: it could not be done; nothing is kept, and it may be tried again.
        """
        ...

    def keep_note(self, key: str, value: str) -> None:
        """Keep a note of the service to itself."""
        ...

    def prune(self, before: datetime, keep: int, step: int = 10) -> Iterator[int]:
        """Delete ended tasks and runs older than ``before``, in steps; yield how many went in each.

        At least the newest ``keep`` tasks of a routine stay, and so does its last success.  A
        step is one transaction over at most ``step`` records and may find none.  Between two
        steps anything may be recorded.
        """
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
