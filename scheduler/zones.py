"""Time zones: instants on one side, wall times and local days on the other.

The only module, with `cron`, that knows zones (ADR 0003).  An instant is a number of seconds
since 1970-01-01 UTC; a wall time is the same number for what a clock on the wall shows, as if
that clock ran in UTC; a day is a number of days since 1970-01-01.  Nothing here reads a clock.

The rules come from the `zoneinfo` of the standard library.  It cannot be asked for its
transitions, so they are found by sampling a year and bisecting, once for each zone and year.
"""

import difflib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from scheduler.errors import SchedulerError, quoted

MINUTE, HOUR, DAY = 60, 3600, 86_400

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

#: the first and last second that a `datetime` can express
FIRST = (date.min.toordinal() - EPOCH_ORDINAL) * DAY
LAST = (date.max.toordinal() - EPOCH_ORDINAL) * DAY + DAY - 1

#: what a machine links to whatever it likes, or to nothing
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})

# A change is overlooked if it is undone before the next sample.  The shortest on record lasted
# 95 hours (Freetown, September 1939).
_SAMPLE = 2 * DAY


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of instants, ``start <= instant < end``, in which a zone keeps one offset."""

    start: int
    end: int
    offset: int  # seconds east of UTC


class Zone:
    """One IANA zone: its segments, its local days, its wall times."""

    __slots__ = ("_shown", "_years", "info", "name")

    def __init__(self, info: ZoneInfo) -> None:
        self.info = info
        self.name: str = info.key
        self._years: dict[int, tuple[Segment, ...]] = {}
        self._shown: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def _sampled_offset(self, instant: int) -> int:
        # A datetime near the years 1 and 9999 may be beyond them in local time.
        clamped = min(max(instant, FIRST + 2 * DAY), LAST - 2 * DAY)
        offset = datetime.fromtimestamp(clamped, self.info).utcoffset()
        assert offset is not None
        return round(offset.total_seconds())

    def segments(self, year: int) -> tuple[Segment, ...]:
        """Return the segments of one UTC year, in order and without a gap between them."""
        found = self._years.get(year)
        if found is None:
            found = self._years[year] = tuple(self._measured(year))
        return found

    def _measured(self, year: int) -> Iterator[Segment]:
        begin, end = year_start(year), year_start(year + 1)
        start, at, offset = begin, begin, self._sampled_offset(begin)
        while at < end:
            ahead = min(at + _SAMPLE, end - 1) if at < end - 1 else end
            new = self._sampled_offset(ahead) if ahead < end else offset
            if new != offset:
                low, high = at, ahead  # the change is after low, not after high
                while high - low > 1:
                    middle = (low + high) // 2
                    if self._sampled_offset(middle) == offset:
                        low = middle
                    else:
                        high = middle
                yield Segment(start, high, offset)
                start, offset = high, self._sampled_offset(high)
                ahead = high
            at = ahead
        yield Segment(start, end, offset)

    def segment_at(self, instant: int) -> Segment:
        """Return the segment that holds the instant (it ends at the end of the year, at most)."""
        for segment in self.segments(year_of(instant)):
            if instant < segment.end:
                return segment
        raise AssertionError(f"year {year_of(instant)} does not hold {instant}")

    def shown_before(self, segment: Segment) -> int:
        """Return the wall time up to which the wall had shown every time before the segment began.

        A later start of the segment's own wall times means a gap, an earlier one a repetition.
        """
        found = self._shown.get(segment.start)
        if found is None:
            earlier = self.segment_at(segment.start - 1)
            found = earlier.end + earlier.offset
            # A date lived twice is the longest repetition there has been.
            while earlier.start > segment.start - 2 * DAY:
                earlier = self.segment_at(earlier.start - 1)
                found = max(found, earlier.end + earlier.offset)
            self._shown[segment.start] = found
        return found

    def offset_at(self, instant: int) -> int:
        """Return the offset from UTC in force at the instant, in seconds."""
        return self.segment_at(instant).offset

    def wall_of(self, instant: int) -> int:
        """Return what the clock on the wall shows at the instant."""
        return instant + self.offset_at(instant)

    def instants_of(self, wall: int) -> tuple[int, ...]:
        """Return the instants at which the wall shows this time: one, two if repeated, or none."""
        found: list[int] = []
        # No offset is beyond a day and two hours, also where a date was lost or lived twice.
        segment = self.segment_at(wall - DAY - 2 * HOUR)
        while True:
            if segment.start <= wall - segment.offset < segment.end:
                found.append(wall - segment.offset)
            if segment.end > wall + DAY + 2 * HOUR:
                return tuple(found)
            segment = self.segment_at(segment.end)

    def gap_at(self, wall: int) -> tuple[int, int] | None:
        """Return (instant, seconds) of the jump that swallows this wall time, if one does."""
        segment = self.segment_at(wall - DAY - 2 * HOUR)
        while segment.end <= wall + DAY + 2 * HOUR:
            following = self.segment_at(segment.end)
            if segment.end + segment.offset <= wall < segment.end + following.offset:
                return segment.end, following.offset - segment.offset
            segment = following
        return None

    def day_start(self, day: int) -> int | None:
        """Return the first instant that bears the date, or None if the zone left the date out."""
        midnight = day * DAY
        instants = self.instants_of(midnight)
        if instants:
            # A clock set back over midnight shows it twice; the first time begins the day.
            return instants[0]
        gap = self.gap_at(midnight)
        assert gap is not None
        instant, _ = gap
        return instant if self.wall_of(instant) // DAY == day else None

    def day_of(self, instant: int) -> int:
        """Return the day that the instant belongs to: the last that has begun by then."""
        day = self.wall_of(instant) // DAY
        # After a clock went back over midnight the wall bears the old date; the day is the new one.
        start = self.day_start(day + 1)
        return day + 1 if start is not None and start <= instant else day

    def day_bounds(self, day: int) -> tuple[int, int] | None:
        """Return (start, end) of a day, the end being the start of the next one; None if lost."""
        start = self.day_start(day)
        if start is None:
            return None
        following = day + 1
        while (end := self.day_start(following)) is None:
            following += 1
        return start, end


def year_start(year: int) -> int:
    """Return the first instant of a UTC year; years 0 and 10000 count as well."""
    if year < 1:
        return (date(1, 1, 1).toordinal() - EPOCH_ORDINAL - 366 * (1 - year)) * DAY
    if year > 9999:
        return (date(9999, 12, 31).toordinal() + 1 + 366 * (year - 10_000) - EPOCH_ORDINAL) * DAY
    return (date(year, 1, 1).toordinal() - EPOCH_ORDINAL) * DAY


def year_of(instant: int) -> int:
    """Return the UTC year that holds the instant."""
    ordinal = instant // DAY + EPOCH_ORDINAL
    if ordinal < 1:
        return -((-ordinal) // 366)
    if ordinal > date.max.toordinal():
        return 10_000 + (ordinal - date.max.toordinal() - 1) // 366
    return date.fromordinal(ordinal).year


@lru_cache(maxsize=2048)
def zone_named(name: str) -> Zone:
    """Return the zone of an IANA name.

    Raises:
        SchedulerError: there is no such zone; the message suggests a near one.
    """
    if name in _shipped_names() or name in _names():
        return Zone(ZoneInfo(name))
    folded = name[:100].strip().casefold().replace(" ", "_")
    near = difflib.get_close_matches(folded, _names_by_fold(), n=1, cutoff=0.85)
    hint = "write an IANA name such as 'Europe/Paris'"
    if near:
        hint = f"did you mean {_names_by_fold()[near[0]]!r}?"
    raise SchedulerError(f"unknown time zone {quoted(name)} ({hint})")


@lru_cache(maxsize=1)
def _shipped_names() -> frozenset[str]:
    # Reading this list is a hundred times faster than looking through the system's folders, and
    # a name in it is spelt right, also where file names ignore case.
    listed = pkgutil.get_data("tzdata", "zones") or b""
    return frozenset(listed.decode("ascii").split()) - _NO_PLACES


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    # `right/` zones count leap seconds, which no instant of ours does.
    found = available_timezones() - _NO_PLACES
    return frozenset(name for name in found if not name.startswith(("right/", "posix/")))


@lru_cache(maxsize=1)
def _names_by_fold() -> dict[str, str]:
    """Return the names by what a user may write for them: in any case, or the city alone."""
    names = sorted(_names())
    # Not for Etc/GMT+5: its sign is the opposite of what one who writes GMT+5 means.
    cities = {n.rpartition("/")[2].casefold(): n for n in names if not n.startswith("Etc/")}
    return cities | {n.casefold(): n for n in names}


def zone_of(timezone: "str | ZoneInfo | Zone") -> Zone:
    """Return the zone that a name or a `ZoneInfo` stands for.

    Raises:
        SchedulerError: there is no such zone, or the `ZoneInfo` has no name.
    """
    if isinstance(timezone, Zone):
        return timezone
    if isinstance(timezone, ZoneInfo):
        if not timezone.key:  # None, whatever its type says
            raise SchedulerError("a ZoneInfo made from a file has no name: write an IANA name")
        return zone_named(timezone.key)
    # A caller need not be type-checked.
    if not isinstance(timezone, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SchedulerError(f"a time zone is a name or a ZoneInfo, not {type(timezone).__name__}")
    return zone_named(timezone)


def to_instant(moment: datetime) -> int:
    """Return the whole seconds since 1970-01-01 UTC of an aware datetime, rounded down.

    Raises:
        SchedulerError: the datetime is naive.
    """
    span = since_epoch(moment)
    return span.days * DAY + span.seconds


def since_epoch(moment: datetime) -> timedelta:
    """Return the time from 1970-01-01 UTC to an aware datetime.

    Raises:
        SchedulerError: the datetime is naive.
    """
    if moment.tzinfo is not UTC and moment.utcoffset() is None:
        raise SchedulerError(f"{moment.isoformat()} has no time zone: give an aware datetime")
    # Not astimezone(): that overflows near the years 1 and 9999.
    return moment - EPOCH


def to_utc(instant: int) -> datetime:
    """Return the instant as an aware datetime in UTC."""
    return EPOCH + timedelta(seconds=instant)


def to_local(instant: int, zone: Zone) -> datetime:
    """Return the instant as an aware datetime of the zone, with ``fold`` set in a repeated hour."""
    return to_utc(instant).astimezone(zone.info)
