"""A routine's trigger in words, for people who do not read cron every day."""

from scheduler.cron_syntax import ALIASES
from scheduler.registry.calendars import OnHoliday
from scheduler.registry.routine import Routine

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_SHOWN_NAMES = 3


def trigger_in_words(routine: Routine) -> str:
    """Return when a routine triggers: ``daily at 02:00``; what has no short words stays cron."""
    if routine.schedule is not None:
        words = schedule_in_words(routine.schedule.expression)
        return words if routine.calendar is None else f"{words}, {_holidays(routine)}"
    upstreams = routine.upstreams
    if not upstreams:
        return "by hand only"
    if len(upstreams) == 1:
        return f"whenever {upstreams[0]} triggers"
    named = ", ".join(upstreams[:_SHOWN_NAMES]) + (", …" if len(upstreams) > _SHOWN_NAMES else "")
    return f"once all of {named} have triggered"


def _holidays(routine: Routine) -> str:
    way = {
        OnHoliday.SKIP: "not on",
        OnHoliday.BEFORE: "before",
        OnHoliday.AFTER: "after",
    }[routine.on_holiday]
    return f"{way} holidays ({routine.calendar_name})"


def schedule_in_words(expression: str) -> str:
    """Return a cron expression in words where few are enough, else as it is."""
    expression = ALIASES.get(expression.lower(), expression)
    minute, hour, day, month, weekday = expression.split()
    if month != "*":
        return expression
    if day == weekday == "*":
        return _each_day(minute, hour) or expression
    if not (minute.isdecimal() and hour.isdecimal()):
        return expression
    time = f"{int(hour):02d}:{int(minute):02d}"
    if day == "*":
        days = _weekdays(weekday)
        return f"{days} at {time}" if days else expression
    if weekday == "*" and day.isdecimal():
        return f"monthly on day {int(day)} at {time}"
    if weekday == "*" and day == "L":
        return f"monthly on the last day at {time}"
    return expression


def _each_day(minute: str, hour: str) -> str | None:
    if hour == "*":
        if minute in ("*", "*/1"):
            return "every minute"
        if minute.startswith("*/") and minute[2:].isdecimal() and 60 % int(minute[2:]) == 0:
            return f"every {int(minute[2:])} minutes"
        return f"hourly at :{int(minute):02d}" if minute.isdecimal() else None
    if not minute.isdecimal():
        return None
    if hour.startswith("*/") and hour[2:].isdecimal() and 24 % int(hour[2:]) == 0:
        return f"every {int(hour[2:])} hours at :{int(minute):02d}"
    hours = hour.split(",")
    if not all(one.isdecimal() for one in hours):
        return None
    times = [f"{int(one):02d}:{int(minute):02d}" for one in hours]
    return f"daily at {', '.join(times)}"


def _weekdays(weekday: str) -> str | None:
    if weekday.upper() in ("1-5", "MON-FRI"):
        return "Monday to Friday"
    names = {name[:3].upper(): name for name in _WEEKDAYS}
    found: list[str] = []
    for one in weekday.upper().split(","):
        if one.isdecimal():
            found.append(_WEEKDAYS[int(one) % 7])
        elif one in names:
            found.append(names[one])
        else:
            return None
    return f"on {', '.join(found)}"
