"""Moments and lengths as people write them: short where today is meant.

Moments come as ISO 8601 with the offset of their routine's zone, and are shown in it.
"""

from datetime import datetime, timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def now() -> datetime:
    """Return the current moment in UTC."""
    from scheduler.service.clock import SystemClock

    return SystemClock(with_timer=False).now()


def moment_in_words(text: str | None, at: datetime) -> str:
    """Return ``02:00`` if that is today there, else ``2026-11-23 02:00``; nothing for None."""
    if text is None:
        return ""
    moment = datetime.fromisoformat(text)
    time = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    today = at.astimezone(moment.tzinfo).date()
    return time if moment.date() == today else f"{moment.date()} {time}"


def distance_in_words(text: str | None, at: datetime) -> str:
    """Return ``in 12 min``, or ``5 s ago``; nothing for None."""
    if text is None:
        return ""
    left = datetime.fromisoformat(text) - at
    return f"in {length_in_words(left)}" if left > timedelta() else f"{length_in_words(-left)} ago"


def length_between(start: str, end: str | None, at: datetime) -> str:
    """Return the time from start to end in words, or so far."""
    last = at if end is None else datetime.fromisoformat(end)
    return length_in_words(last - datetime.fromisoformat(start))


def length_in_words(length: timedelta) -> str:
    """Return ``850 ms``, ``12 s``, ``3 min 20 s``, ``2 h 5 min`` or ``3 d 4 h``."""
    milliseconds = max(length // timedelta(milliseconds=1), 0)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    left = milliseconds // 1000
    parts: list[str] = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if parts or count:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)
