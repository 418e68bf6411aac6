"""``plan --ical``: the tasks to come as a calendar, RFC 5545.

Times are in UTC, which a calendar shows in the zone of whoever looks.  Of the same task the event
is the same each time, so that a calendar that gets the file again changes it and adds none.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from icalendar import Calendar, Component, Event

from scheduler.cli.printing import clean
from scheduler.service.answers import PlannedView
from scheduler.version import __version__

_UNQUOTED = "+:"  # of task ids: their wall time stays readable


def ical_of(view: Sequence[PlannedView], scheduler: str, at: datetime) -> str:
    """Return the calendar, with its own line ends: an event for each task.

    ``scheduler`` is the name that tells the tasks of several schedulers apart.
    """
    calendar = Calendar()
    _add(calendar, "version", "2.0")
    _add(calendar, "prodid", f"-//scheduler//scheduler {__version__}//EN")
    # What the name is called in the standard, and what older calendars read instead.
    for name in ("name", "x-wr-calname"):
        _add(calendar, name, clean(scheduler))
    for one in view:
        calendar.add_component(_event_of(one, scheduler, at))
    return str(calendar.to_ical(), "utf-8")


def _event_of(one: PlannedView, scheduler: str, at: datetime) -> Event:
    expected_start, end = _moment(one.get("expected_start")), _moment(one.get("expected_end"))
    start = expected_start or _moment(one["instant"])
    event = Event()
    _add(event, "uid", _uid(one["task"], scheduler))
    _add(event, "dtstamp", at)
    _add(event, "dtstart", start)
    # An event without an end is of one moment; the standard has none end when it starts.
    if start is not None and end is not None and start < end:
        _add(event, "dtend", end)
    _add(event, "summary", clean(one["routine"]))
    _add(event, "description", "\n".join(clean(line) for line in _told(one)))
    if one.get("expected_state") is not None and expected_start is None:
        _add(event, "status", "TENTATIVE")  # it is not expected to run
    _add(event, "transp", "TRANSPARENT")  # nobody is busy with it
    return event


def _add(component: Component, name: str, value: object) -> None:
    component.add(name, value)  # pyright: ignore[reportUnknownMemberType] typed in part only


def _uid(task: str, scheduler: str) -> str:
    """Return what is of one task alone, in letters that no calendar stumbles over."""
    parts = (quote(part, safe=_UNQUOTED, errors="replace") for part in (task, scheduler))
    return "@".join(parts)


def _moment(text: str | None) -> datetime | None:
    """Return a moment in UTC and, as in the file, in whole seconds."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def _told(one: PlannedView) -> Iterator[str]:
    yield one["task"]
    if one["waits_for"]:
        yield f"waits for {', '.join(one['waits_for'])}"
    if "paused" in one:
        # Not how long that is from now: who knows when it is read.
        until = one["paused"]["until"]
        yield f"paused until {'resumed' if until is None else until[:16].replace('T', ' ')}"
    due_by = one.get("due_by")
    if due_by is not None:
        late = ", and is expected not to" if one.get("expected_overdue") else ""
        yield f"should succeed by {due_by[:16].replace('T', ' ')}{late}"
    state, reason = one.get("expected_state"), one.get("expected_reason")
    if state is not None and state != "succeeded":
        yield f"expected: {state}: {reason}" if reason else f"expected: {state}"
