"""One element of a registry -> a draft of a routine, or the defaults for others.

Looks at one element at a time; what routines have to do with each other is in `references`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.cron import Schedule
from scheduler.errors import SchedulerError, quoted
from scheduler.registry.attributes import (
    ATTRIBUTES,
    OF_DEFAULTS,
    OF_JOB,
    read_instant_kind,
    read_on,
    read_otherwise,
    read_wait_until,
)
from scheduler.registry.calendar_names import Calendars
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.combinations import settle_combinations, settle_preload
from scheduler.registry.elements import Element
from scheduler.registry.environment import Environment, merged, read_environment
from scheduler.registry.flaws import Flaw, Report
from scheduler.registry.names import check_name
from scheduler.registry.paths import Paths, absolute_path
from scheduler.registry.pools import Pools
from scheduler.registry.routine import Dependency, InstantKind, Place
from scheduler.registry.subjects import Subject
from scheduler.registry.value_readers import read_list

# What stands in a file and within a job, as after a job that was not closed, is left to `reader`.
IN_FILE = ("job", "routine", "defaults", "group", "include", "pool")
IN_JOB = ("dependency", "environment", *IN_FILE)

_ScheduleKey = tuple[str, str, str | None, OnHoliday]  # text, zone, calendar's name
_Found = dict[tuple[str, InstantKind], Dependency]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The defaults in force at a place in a file."""

    folder: str
    values: Mapping[str, object]  # by field of Routine; the schedule is still text
    environment: Environment = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job as far as its own element and the defaults in force tell."""

    label: str  # as messages call it: routine 'load'
    written_name: str | None
    shown_name: str | None  # the same, but never long
    name: str | None  # None if it is missing or can be no name
    place: Place
    values: Mapping[str, object]  # by field of Routine
    own: frozenset[str]  # the fields that it gives itself
    dependencies: tuple[Dependency, ...]
    is_flawed: bool


class Drafter:
    """Reads elements; what is wrong with them goes to the report."""

    def __init__(self, report: Report, paths: Paths, calendars: Calendars, pools: Pools) -> None:
        self._report = report
        self._paths = paths
        self._calendars = calendars
        self._pools = pools
        # The values and schedules of a large registry are the same few texts again and again.
        self._values: dict[tuple[str, str], object] = {}
        self._schedules: dict[_ScheduleKey, Schedule] = {}

    def draft(self, element: Element, scope: Scope) -> Draft:
        """Return what the element of a job says."""
        before = self._report.count
        written = element.attributes.get("name")
        label = f"<{element.tag}>" if written is None else f"routine {_quoted_name(written)}"
        subject = Subject(self._report, element, label, _shown_name(written))
        name = _read_name(subject)
        subject.check_attributes(OF_JOB)
        subject.check_children(IN_JOB)
        own = self._read_values(subject, scope.folder)
        _check_program(subject)
        values = {**scope.values, **own, "folder": scope.folder, "group": scope.group}
        settle_combinations(subject, values, own)
        settle_preload(values, own)
        self._pools.take(subject, values, own)
        schedule = self._schedule(subject, values)
        # One of the defaults in force may be wrong: reported there, but this routine has none.
        lacks_schedule = schedule is None and "schedule" in values
        values["schedule"] = schedule
        environment = read_environment(subject, scope.folder, self._paths)
        values["environment"] = merged(scope.environment, environment)
        dependencies = _read_dependencies(subject)
        return Draft(
            label=label,
            written_name=written,
            shown_name=subject.routine,
            name=name,
            place=element.place,
            values=values,
            own=frozenset(own),
            dependencies=dependencies,
            is_flawed=self._report.count > before or lacks_schedule,
        )

    def behind_defaults(self, element: Element, scope: Scope) -> Scope:
        """Return the scope of what follows a <defaults>."""
        subject = Subject(self._report, element, "<defaults>")
        subject.check_attributes(OF_DEFAULTS)
        subject.check_children(("environment",))
        return self._narrowed(subject, scope, scope.group)

    def within_group(self, element: Element, scope: Scope) -> Scope:
        """Return the scope of what stands in a <group>."""
        written = element.attributes.get("name")
        label = "<group>" if written is None else f"group {quoted(written)}"
        subject = Subject(self._report, element, label)
        subject.check_attributes(OF_DEFAULTS | {"name"})
        name = subject.given("name", "a group needs a name")
        group = "/".join(part for part in (scope.group, name) if part)
        return self._narrowed(subject, scope, group or None)

    def _narrowed(self, subject: Subject, scope: Scope, group: str | None) -> Scope:
        own = self._read_values(subject, scope.folder)
        self._pools.mention(subject, own)
        values = {**scope.values, **own}
        settle_preload(values, own)
        if "schedule" in subject.element.attributes:
            self._schedule(subject, values)
        environment = read_environment(subject, scope.folder, self._paths)
        return Scope(
            folder=scope.folder,
            values=values,
            environment=merged(scope.environment, environment),
            group=group,
        )

    def _read_values(self, subject: Subject, folder: str) -> dict[str, object]:
        """Return the values of an element's attributes, by field of Routine."""
        values: dict[str, object] = {}
        for attribute, text in subject.element.attributes.items():
            row = ATTRIBUTES.get(attribute)
            if row is None:
                continue
            if not row.may_be_empty and not text.strip():
                subject.wrong(f"{attribute} is empty", "give it a value or leave it out")
                continue
            try:
                if attribute == "calendar":
                    values[row.field] = self._calendar(text, folder)
                elif row.is_path:
                    values[row.field] = absolute_path(attribute, text, folder, self._paths)
                else:
                    values[row.field] = self._read_value(attribute, text)
            except SchedulerError as error:
                subject.wrong_as(error)
        return values

    def _calendar(self, text: str, folder: str) -> Calendar | None:
        return self._calendars.named(text, folder) if text.strip() else None

    def _read_value(self, attribute: str, text: str) -> object:
        key = attribute, text
        if key not in self._values:
            self._values[key] = ATTRIBUTES[attribute].read(text)
        return self._values[key]

    def _schedule(self, subject: Subject, values: Mapping[str, object]) -> Schedule | None:
        """Return the schedule in the zone in force, which only now is known."""
        text, zone = values.get("schedule"), values["zone"]
        if text is None:
            return None
        assert isinstance(text, str) and isinstance(zone, str)
        calendar, on_holiday = values.get("calendar"), values.get("on_holiday", OnHoliday.SKIP)
        assert calendar is None or isinstance(calendar, Calendar)
        assert isinstance(on_holiday, OnHoliday)
        key = text, zone, calendar.name if calendar else None, on_holiday
        if key not in self._schedules:
            try:
                self._schedules[key] = (
                    Schedule(text, zone)
                    if calendar is None
                    else CalendarSchedule(text, zone, calendar, on_holiday)
                )
            except SchedulerError as error:
                # A bad default was reported where it stands, not for each job that has it.
                if "schedule" in subject.element.attributes:
                    subject.wrong_as(error)
                return None
        return self._schedules[key]


def _read_name(subject: Subject) -> str | None:
    name = subject.element.attributes.get("name")
    if name is None:
        subject.wrong("name is missing", "each routine needs a name")
        return None
    try:
        check_name(name)
    except Flaw as flaw:
        subject.wrong_as(flaw)
        return None
    return name


def _quoted_name(name: str) -> str:
    # Two valid names may differ in their last letter only; others need not be shown in full.
    return quoted(name, 200 if name.isprintable() and len(name) <= 200 else 30)


def _shown_name(name: str | None) -> str | None:
    return name if name is None or len(name) <= 200 else name[:59] + "…"


def _check_program(subject: Subject) -> None:
    attributes = subject.element.attributes
    if "script" in attributes and "module" in attributes:
        subject.wrong("script and module exclude each other", "keep the one that is to run")
    elif "script" not in attributes and "module" not in attributes:
        subject.wrong("script is missing", "each routine runs a script or a module")


def _read_dependencies(subject: Subject) -> tuple[Dependency, ...]:
    """Return what a job depends on: first its attribute's names, then its elements."""
    found: _Found = {}
    text = subject.element.attributes.get("depends_on")
    if text is not None:
        _read_depends_on(subject, text, found)
    for child in subject.element.children:
        if child.tag == "dependency":
            _read_dependency(subject.part(child), found)
    return tuple(found.values())


def _read_depends_on(subject: Subject, text: str, found: _Found) -> None:
    if not text.strip():
        subject.wrong("depends_on is empty", "give it names or leave it out")
        return
    try:
        names = read_list("depends_on", text)
    except Flaw as flaw:
        subject.wrong_as(flaw)
        names = tuple(name for name in map(str.strip, text.split(",")) if name)
    for name in names:
        _add(subject, Dependency(name=name, place=subject.element.place), found)


def _read_dependency(part: Subject, found: _Found) -> None:
    part.check_attributes(("name", "instant", "on", "wait_until", "otherwise"))
    part.check_children(())
    name = part.given("name", "it names the routine that is waited for")
    attributes = part.element.attributes
    try:
        kind = read_instant_kind(attributes.get("instant", "latest"))
        on = read_on(attributes.get("on", "success"))
        until = attributes.get("wait_until")
        wait_until = None if until is None else read_wait_until(until)
        otherwise = read_otherwise(attributes.get("otherwise", "run"))
    except Flaw as flaw:
        part.wrong_as(flaw)
        return
    if "otherwise" in attributes and wait_until is None:
        part.wrong("otherwise without wait_until", "say until when it waits, or leave it out")
    if name is not None:
        new = Dependency(
            name=name.strip(),
            instant=kind,
            on=on,
            wait_until=wait_until,
            otherwise=otherwise,
            place=part.element.place,
        )
        _add(part, new, found)


def _add(subject: Subject, new: Dependency, found: _Found) -> None:
    if (new.name, new.instant) in found:
        kind = "" if new.instant is InstantKind.LATEST else f' with instant="{new.instant}"'
        subject.wrong(f"dependency on {quoted(new.name)}{kind} is given twice", "remove one")
    else:
        found[new.name, new.instant] = new
