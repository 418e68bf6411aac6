"""Moments after an instant: ``06:30``, the first such time of day, or ``+2h``.

The one grammar of ``start_by``, ``due_by`` and ``wait_until``.  A deadline is a pure function of
an instant and a zone; what becomes of a task then is decided elsewhere.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from scheduler.cron import fixed_instants
from scheduler.durations import duration_text, parse_duration
from scheduler.errors import SchedulerError, quoted
from scheduler.zones import DAY, HOUR, LAST, MINUTE, Zone

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_LIKE_TIME = re.compile(r"([0-9]{1,2})[:.h]([0-9]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A time of day, or a length of time; exactly one of the two is set."""

    time: int | None = None  # seconds after midnight
    length: timedelta | None = None

    def __str__(self) -> str:
        """Return it as it may be written: ``06:30`` or ``+2h``."""
        if self.time is None:
            return f"+{duration_text(self.length or timedelta())}"
        hour, rest = divmod(self.time, HOUR)
        minute, second = divmod(rest, MINUTE)
        return f"{hour:02d}:{minute:02d}" + (f":{second:02d}" if second else "")

    def after(self, instant: int, zone: Zone) -> int:
        """Return the moment that it means for a task at ``instant``: always a later one.

        A time of day is the first such time strictly after the instant.  One that a gap swallows
        is the first minute after the gap; one that occurs twice may be either, whichever comes
        first after the instant.
        """
        if self.time is None:
            assert self.length is not None
            return min(instant + int(self.length.total_seconds()), LAST)
        # A clock that went back over midnight shows yesterday's times once more.
        for day in count(zone.wall_of(instant) // DAY - 1):
            later = [at for at in fixed_instants(zone, day * DAY + self.time) if at > instant]
            if later or day * DAY > LAST:
                return min([*later, LAST])
        raise AssertionError("days do not end")


def parse_deadline(text: str) -> Deadline:
    """Return what ``06:30``, ``06:30:15`` or ``+2h`` stands for.

    Raises:
        SchedulerError: it is neither.
    """
    written = text.strip()
    found = _TIME.fullmatch(written)
    if found:
        hour, minute, second = (int(part or 0) for part in found.groups())
        return Deadline(time=hour * HOUR + minute * MINUTE + second)
    if re.fullmatch(r"\+[0-9]+", written):
        raise SchedulerError(
            f"{quoted(text)} has no unit (write {quoted(written + 'h')} or {quoted(written + 'm')})"
        )
    if written.startswith("+"):
        length = parse_duration(written[1:])
        if not length:
            raise SchedulerError(f"{quoted(text)} is not after the instant")
        return Deadline(length=length)
    raise SchedulerError(
        f"{quoted(text)} is neither a time of day nor a length of time after the instant"
        f" (write {_meant(written)})"
    )


def _meant(written: str) -> str:
    """Return what to write instead, in quotes."""
    found = _LIKE_TIME.fullmatch(written)
    if found and int(found[1]) < 24 and int(found[2]) < 60:
        return f"'{int(found[1]):02d}:{found[2]}'"
    if written in ("24:00", "24:00:00"):
        return "'00:00'"
    try:
        parse_duration(written)
    except SchedulerError:
        return "one such as '06:30' or '+2h'"
    return quoted(f"+{written}")
