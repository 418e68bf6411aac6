"""The name of a task, and the moments that people write.

`load.2026-11-23T02:00:00` is the task of `load` at that wall time of its zone.  A wall time that
occurs twice carries its offset from UTC.  It lives beside the registry, because which tasks a
task waits for is the registry's answer (ADR 0001).
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from scheduler.errors import SchedulerError
from scheduler.zones import DAY, EPOCH_ORDINAL, Zone, to_instant, to_utc, zone_named

_MOMENT = re.compile(
    r"""(?P<date> \d{4}-\d\d-\d\d | \d{8} )
        (?: [Tt ] (?P<time> \d\d:\d\d(?::\d\d)? | \d\d-\d\d(?:-\d\d)? | \d{4}(?:\d\d)? ) )?
        (?P<offset> [Zz] | [+-]\d\d:?\d\d(?::?\d\d)? )?""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TaskId:
    """One routine at one instant.

    ``instant`` is UTC and in whole seconds.  ``zone`` is the one that the task was planned in:
    it only serves to write the id, two ids are equal without it.
    """

    routine: str
    instant: datetime
    zone: str = field(default="UTC", compare=False)

    def __post_init__(self) -> None:
        if self.instant.tzinfo is not UTC:
            object.__setattr__(self, "instant", to_utc(to_instant(self.instant)))

    def __str__(self) -> str:
        """Return ``routine.2026-11-23T02:00:00`` in the task's zone."""
        return f"{self.routine}.{wall_text(self.instant, self.zone)}"

    @property
    def local(self) -> datetime:
        """Return the instant as wall time of the task's zone, aware."""
        return self.instant.astimezone(zone_named(self.zone).info)


# The tasks of a plan, or of a page, are of few moments: each is asked for again and again.
@lru_cache(maxsize=4096)
def wall_text(instant: datetime, zone: str) -> str:
    """Return the wall time of an instant, with its offset only where that is needed to tell it."""
    known = zone_named(zone)
    seconds = to_instant(instant)
    local = instant.astimezone(known.info)
    text = local.replace(tzinfo=None).isoformat(timespec="seconds")
    if len(known.instants_of(known.wall_of(seconds))) < 2:
        return text
    return text + _offset_text(known.offset_at(seconds))


def _offset_text(seconds: int) -> str:
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = divmod(seconds, 3600)
    text = f"{sign}{hours:02d}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def split_task_id(text: str) -> tuple[str, str]:
    """Return (routine, moment) of a task id, split at its last dot.

    Raises:
        SchedulerError: it has no dot, or nothing on one side of it.
    """
    routine, dot, moment = text.rpartition(".")
    if not dot or not routine or not _MOMENT.fullmatch(moment):
        raise SchedulerError(
            f"{_shown(text)} is not a task: write ROUTINE.INSTANT, such as load.2026-11-23T02:00:00"
        )
    return routine, moment


def parse_task_id(text: str, zone: str) -> TaskId:
    """Return the task that ``text`` names, read in ``zone`` unless it gives an offset.

    Raises:
        SchedulerError: it is no task id, or its wall time occurs twice or never in the zone.
    """
    routine, moment = split_task_id(text)
    if len(moment) == 10 or len(moment) == 8:
        raise SchedulerError(f"{_shown(text)} names a day: add the time, such as T02:00:00")
    return TaskId(routine, parse_moment(moment, zone), zone)


def parse_moment(text: str, zone: str) -> datetime:
    """Return the instant that a person wrote, in UTC.

    Accepted are ``2026-11-23T02:00:00`` and its shorter forms (no seconds, no time of day, ``-``
    for ``:``, no separators), followed by nothing, ``Z`` or an offset.

    Raises:
        SchedulerError: it is no moment, or a wall time that occurs twice or never in the zone.
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise SchedulerError(
            f"{_shown(text)} is not a moment: write one such as 2026-11-23T02:00:00"
        )
    day, time = re.sub(r"\D", "", found["date"]), re.sub(r"\D", "", found["time"] or "0000")
    try:
        naive = datetime.strptime(day + time.ljust(6, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        raise SchedulerError(f"{_shown(text)}: there is no such date or time") from None
    wall = (naive.date().toordinal() - EPOCH_ORDINAL) * DAY
    wall += naive.hour * 3600 + naive.minute * 60 + naive.second
    if found["offset"]:
        instant = wall - _offset(found["offset"], text)
    else:
        instant = _instant_of(wall, naive, zone_named(zone))
    try:
        return to_utc(instant)
    except OverflowError:
        raise SchedulerError(f"{_shown(text)}: there is no such date") from None


def _offset(text: str, whole: str) -> int:
    if text in "Zz":
        return 0
    digits = re.sub(r"\D", "", text).ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 24 or minutes > 59 or seconds > 59:
        raise SchedulerError(f"{_shown(whole)}: there is no such offset from UTC")
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if text[0] == "-" else 1)


def _instant_of(wall: int, naive: datetime, zone: Zone) -> int:
    if not date(1, 1, 4) < naive.date() < date(9999, 12, 28):
        raise SchedulerError(f"{naive.isoformat()}: there is no such date")
    instants = zone.instants_of(wall)
    if len(instants) == 1:
        return instants[0]
    if instants:
        either = " or ".join(_with_offset(instant, zone) for instant in instants)
        raise SchedulerError(f"{naive.isoformat()} occurs twice in {zone.name}: write {either}")
    gap = zone.gap_at(wall)
    assert gap is not None
    around = f"{_with_offset(gap[0] - 60, zone)} and {_with_offset(gap[0], zone)}"
    raise SchedulerError(
        f"{naive.isoformat()} does not occur in {zone.name}: the nearest are {around}"
    )


def _with_offset(instant: int, zone: Zone) -> str:
    wall = to_utc(instant) + timedelta(seconds=zone.offset_at(instant))
    return wall.replace(tzinfo=None).isoformat() + _offset_text(zone.offset_at(instant))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
