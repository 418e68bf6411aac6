"""Lengths of time as people write them: ``90s``, ``30m``, ``2h``, ``1d``, and sums like ``1h30m``.

Pure: text in, `timedelta` out, and back.  Times of day and ``+2h`` belong to the registry's reader.
"""

import re
from datetime import timedelta

from scheduler.errors import SchedulerError, quoted

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SUM = re.compile(r"(?:[0-9]+[smhd])+")
_TERM = re.compile(r"0*([0-9]+)([smhd])")
_EXAMPLES = "90s, 30m, 2h, 1d or 1h30m"

# Nobody waits for longer, and an instant plus this is still a date.
_LONGEST = timedelta(days=36_525)
_MOST_DIGITS = len(str(int(_LONGEST.total_seconds())))


def parse_duration(text: str) -> timedelta:
    """Return the length of time that ``text`` says, or raise `SchedulerError`."""
    written = text.strip()
    if not _SUM.fullmatch(written):
        wanted = "add its unit" if re.fullmatch("[0-9]+", written) else "write a number and a unit"
        raise SchedulerError(f"{quoted(text)} is not a duration: {wanted}, as in {_EXAMPLES}")
    terms: list[tuple[str, str]] = _TERM.findall(written)
    # Digits are counted first: int() refuses thousands of them in words of its own.
    if any(len(number) > _MOST_DIGITS for number, _ in terms):
        raise SchedulerError(f"{quoted(text)} is longer than a hundred years")
    length = sum(int(number) * _SECONDS[unit] for number, unit in terms)
    if length > _LONGEST.total_seconds():
        raise SchedulerError(f"{quoted(text)} is longer than a hundred years")
    return timedelta(seconds=length)


def duration_text(length: timedelta) -> str:
    """Return a length of time as it may be written: ``1h30m``."""
    rest = int(length.total_seconds())
    parts: list[str] = []
    for unit, seconds in reversed(_SECONDS.items()):
        number, rest = divmod(rest, seconds)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
