"""A routine and its policies, as frozen values.

What a routine is, not what becomes of it: no task state, no default that depends on config.cfg.
Values are checked where they are built (`reader`) and trusted afterwards.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from scheduler.cron import Schedule
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.deadlines import Deadline
from scheduler.registry.masking import masked_value


class InstantKind(StrEnum):
    """Which task of an upstream routine is waited for (a binding)."""

    LATEST = "latest"  #: at the latest instant not after one's own
    PREVIOUS = "previous"  #: at the latest instant strictly before one's own
    SAME_DAY = "same-day"  #: at its last instant in one's own local day, even if later
    SAME_WEEK = "same-week"  #: the same for the week, which begins on Monday
    SAME_MONTH = "same-month"  #: the same for the month
    ALL = "all"  #: at each instant after one's own previous one, up to one's own


class On(StrEnum):
    """Which end of the task waited for lets the waiting one start."""

    SUCCESS = "success"
    FAILURE = "failure"
    DONE = "done"


class Otherwise(StrEnum):
    """What becomes of a task when a dependency's ``wait_until`` has passed in vain."""

    RUN = "run"  #: it waits for that dependency no longer
    SKIP = "skip"
    FAIL = "fail"


class Backlog(StrEnum):
    """Of tasks that are due and not started: keep the newest, or each."""

    LATEST = "latest"
    ALL = "all"


class Overlap(StrEnum):
    """May two tasks of one routine run at once."""

    NO = "no"
    YES = "yes"


class Warm(StrEnum):
    """May an attempt start by fork of a warm interpreter."""

    AUTO = "auto"  #: wherever the script cannot tell that from a cold start
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the registry's files something is written."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """That a routine waits for tasks of another, the upstream ``name``."""

    name: str
    instant: InstantKind = InstantKind.LATEST
    on: On = On.SUCCESS
    wait_until: Deadline | None = None
    otherwise: Otherwise = Otherwise.RUN
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable, given by name and value."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"Variable(name={self.name!r}, value={masked_value(self.name, self.value)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableFile:
    """A file of environment variables; its values are never shown."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """A named, recurring piece of work: a Python script, a schedule, and what it depends on.

    Exactly one of ``script`` and ``module`` is set.  ``zone`` is the resolved name of the IANA
    zone; ``schedule`` already speaks it.  Paths are absolute, or begin with ``{statics}/``.
    ``dependents`` names the routines that depend on this one, in registry order.
    A schedule with a calendar is a `CalendarSchedule`.
    """

    name: str
    script: str | None = None
    module: str | None = None
    schedule: Schedule | None = None
    zone: str = "UTC"
    dependencies: tuple[Dependency, ...] = ()
    dependents: tuple[str, ...] = ()
    # Split into words, not yet formatted; there may be secrets among them.
    arguments: tuple[str, ...] = field(default=(), repr=False)
    python: str | None = None
    directory: str | None = None
    folder: str = ""  # of the file that the routine stands in
    retries: int = 0
    retry_delay: timedelta = timedelta(seconds=30)
    retry_backoff: float = 2.0  # factor from one delay to the next
    timeout: timedelta | None = None
    grace: timedelta = timedelta(seconds=10)
    skip_exit: int | None = None
    backlog: Backlog = Backlog.LATEST
    start_by: Deadline | None = None
    due_by: Deadline | None = None
    overlap: Overlap = Overlap.NO
    pool: str | None = None
    pool_slots: int = 1
    priority: int = 0  # the higher goes first
    require_any: bool = False  # one of its dependencies is enough
    calendar: Calendar | None = None
    on_holiday: OnHoliday = OnHoliday.SKIP
    warm: Warm = Warm.AUTO
    preload: tuple[str, ...] = ()  # modules that a warm interpreter has loaded for it
    enabled: bool = True
    description: str = ""
    tags: tuple[str, ...] = ()
    environment: tuple[Variable | VariableFile, ...] = ()
    group: str | None = None
    place: Place | None = field(default=None, compare=False)

    @property
    def timezone(self) -> str:
        """Return the name of the zone that its schedule and its days are in."""
        return self.zone

    @property
    def upstreams(self) -> tuple[str, ...]:
        """Return the names of the other routines it depends on, once each, in registry order."""
        if not self.dependencies:
            return ()
        names = (dependency.name for dependency in self.dependencies)
        return tuple(dict.fromkeys(name for name in names if name != self.name))

    @property
    def is_by_hand(self) -> bool:
        """Return whether nothing but a person makes tasks of it."""
        return self.schedule is None and not self.upstreams

    @property
    def is_by_rounds(self) -> bool:
        """Return whether it has no schedule and triggers when its upstreams have."""
        return self.schedule is None and bool(self.upstreams)

    @property
    def calendar_name(self) -> str:
        """Return what its calendar is called: of a file its name, without the folder."""
        return "" if self.calendar is None else self.calendar.name.replace("\\", "/").split("/")[-1]

    def nominal(self, instant: int) -> int:
        """Return the instant that a holiday moved to this one; itself if none did."""
        schedule = self.schedule
        return schedule.nominal(instant) if isinstance(schedule, CalendarSchedule) else instant
