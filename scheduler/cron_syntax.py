"""The text of a cron expression -> which minutes, hours, days and months it names.

The five fields of crontab(5) as Debian's cron reads them, with the extensions of SPEC 3: `N/step`,
`L`, `LW`, `5L`, `5#3`, names within lists and ranges, steps beyond a range.  0 and 7 are Sunday.
What the fields mean on a clock belongs to `cron`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from scheduler.errors import SchedulerError, quoted

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_MONTH_NAMES = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_MONTHS: dict[str, int] = {name: n for n, name in enumerate(_MONTH_NAMES.split(), start=1)}
_WEEKDAYS: dict[str, int] = {
    name: n for n, name in enumerate("SUN MON TUE WED THU FRI SAT".split())
}
_SHOWN = 40  # characters of a bad expression that a message repeats


# eq=False: there are five of them, and a cache tells them apart by identity.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldRule:
    """What one field may hold."""

    name: str
    low: int
    high: int
    names: dict[str, int]


MINUTE = FieldRule(name="minute", low=0, high=59, names={})
HOUR = FieldRule(name="hour", low=0, high=23, names={})
DAY = FieldRule(name="day of month", low=1, high=31, names={})
MONTH = FieldRule(name="month", low=1, high=12, names=_MONTHS)
WEEKDAY = FieldRule(name="day of week", low=0, high=7, names=_WEEKDAYS)
RULES = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFields:
    """What the day of month and the day of week name; bit n of a mask is n, and 0 is Sunday."""

    numbers: int
    last_day: bool  # L
    last_workday: bool  # LW: the last Monday to Friday of the month
    weekdays: int
    last_weekdays: int  # 5L: the last Friday
    nth_weekdays: tuple[tuple[int, int], ...]  # 5#3: (5, 3), the third Friday
    needs_both: bool  # one of the two begins with *: both must match, else either is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A parsed expression.  A mask has bit n set where n is named."""

    minutes: int
    hours: int
    days: DayFields
    months: int
    is_wildcard: bool  # the minute or the hour field begins with *


def shown(expression: str) -> str:
    """Return the expression as a message shows it: quoted, and never long."""
    return quoted(expression, _SHOWN)


def parse(expression: str) -> Fields:
    """Return what the expression names.

    Raises:
        SchedulerError: it is no cron expression; the message gives the reason, not the place.
    """
    # A caller need not be type-checked.
    if not isinstance(expression, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SchedulerError(f"a schedule is text, not {type(expression).__name__}")
    return _parsed(expression)


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Fields:
    if not expression.isascii():
        raise SchedulerError(
            f"schedule {shown(expression)}: only plain ASCII characters are allowed"
        )
    text = expression.strip()
    if not text:
        raise SchedulerError("the schedule is empty: write five fields such as '0 2 * * *'")
    if text.startswith("@"):
        text = _expanded(text)
    parts = text.split()
    if len(parts) != 5:
        raise SchedulerError(f"schedule {shown(text)}: {_wrong_count(len(parts))}")
    try:
        return _fields(parts)
    except SchedulerError as error:
        raise SchedulerError(f"schedule {shown(text)}: {error}") from None


def _expanded(text: str) -> str:
    expanded = ALIASES.get(text.lower())
    if expanded is None:
        if text.lower() == "@reboot":
            raise SchedulerError("schedule '@reboot': a start of the machine is not an instant")
        raise SchedulerError(f"schedule {shown(text)}: unknown; there are {', '.join(ALIASES)}")
    return expanded


def _wrong_count(count: int) -> str:
    names = ", ".join(rule.name for rule in RULES)
    if count in (6, 7):
        return f"{count} fields, cron has five ({names}), none for seconds or years"
    return f"{count} field{'s' * (count != 1)}, cron has five: {names}"


def _fields(parts: list[str]) -> Fields:
    minute, hour, day, month, weekday = (part.upper() for part in parts)
    for rule, part in zip(RULES, (minute, hour, day, month, weekday), strict=True):
        if "?" in part:
            raise SchedulerError(f"'?' in {rule.name} is not cron: write '*'")
    return Fields(
        minutes=_mask(_items(minute), MINUTE),
        hours=_mask(_items(hour), HOUR),
        days=_day_fields(day, weekday),
        months=_mask(_items(month), MONTH),
        is_wildcard=minute.startswith("*") or hour.startswith("*"),
    )


@lru_cache(maxsize=4096)
def _day_fields(day: str, weekday: str) -> DayFields:
    days = _items(day)
    plain, last, nth = _weekday_items(weekday)
    weekdays = _mask(plain, WEEKDAY)
    return DayFields(
        numbers=_mask([item for item in days if item not in ("L", "LW")], DAY),
        last_day="L" in days,
        last_workday="LW" in days,
        weekdays=(weekdays | weekdays >> 7) & 0b1111111,
        last_weekdays=last,
        nth_weekdays=nth,
        needs_both=day.startswith("*") or weekday.startswith("*"),
    )


def _items(field: str) -> list[str]:
    # A list of a megabyte is a few items, written over and over again.
    return list(dict.fromkeys(field.split(",")))


def _weekday_items(field: str) -> tuple[list[str], int, tuple[tuple[int, int], ...]]:
    """Return the plain items, the mask of those like `5L`, and those like `5#3`."""
    plain: list[str] = []
    last = 0
    nth: dict[tuple[int, int], None] = {}
    for item in _items(field):
        day, hash_sign, number = item.partition("#")
        if hash_sign:
            nth[_number(day, WEEKDAY) % 7, _nth(number)] = None
        elif item.endswith("L") and item != "L":
            last |= 1 << _number(item[:-1], WEEKDAY) % 7
        else:
            plain.append(item)
    return plain, last, tuple(nth)


def _nth(text: str) -> int:
    digit = text.lstrip("0")
    if digit not in ("1", "2", "3", "4", "5"):
        raise SchedulerError(f"{_short('#' + text)} in day of week is out of range #1-#5")
    return int(digit)


def _mask(items: list[str], rule: FieldRule) -> int:
    mask = 0
    for item in items:
        mask |= _item_mask(item, rule)
    return mask


@lru_cache(maxsize=4096)
def _item_mask(item: str, rule: FieldRule) -> int:
    span, slash, step_text = item.partition("/")
    step = _step(step_text, rule) if slash else 1
    if not span:
        raise SchedulerError(f"an empty entry in {rule.name}")
    if span[0] in "HL":  # no number and no name: L-3 must not be taken for a range
        raise SchedulerError(_no_number(span, rule))
    if span == "*":
        low, high = rule.low, rule.high
    elif "-" in span:
        first, _, second = span.partition("-")
        low, high = _number(first, rule), _number(second, rule)
        if low > high:
            raise SchedulerError(_backwards(first, second, rule))
    else:
        low = _number(span, rule)
        high = rule.high if slash else low
    mask = 0
    for number in range(low, high + 1, step):
        mask |= 1 << number
    return mask


def _backwards(first: str, second: str, rule: FieldRule) -> str:
    first, second = first.lstrip("0") or "0", second.lstrip("0") or "0"
    message = f"range {first}-{second} in {rule.name} runs backwards"
    if rule is WEEKDAY and _number(second, rule) == 0:
        return f"{message}: a week ends with Sunday as 7, write {first}-7"
    return f"{message}: write {first}-{rule.high},{rule.low}-{second}"


def _step(text: str, rule: FieldRule) -> int:
    if not text.isdecimal():
        raise SchedulerError(f"step {_short(text)} in {rule.name} is not a number")
    # No field has a thousand values: a longer step than that yields the first one only.
    step = int(text.lstrip("0")[:4] or "0")
    if step == 0:
        raise SchedulerError(f"step 0 in {rule.name}: a step is at least 1")
    return step


def _number(text: str, rule: FieldRule) -> int:
    if text in rule.names:
        return rule.names[text]
    if not text.isdecimal():
        raise SchedulerError(_no_number(text, rule))
    digits = text.lstrip("0") or "0"
    if len(digits) > 2 or not rule.low <= int(digits) <= rule.high:
        raise SchedulerError(f"{rule.name} {_short(text)} is out of range {rule.low}-{rule.high}")
    return int(digits)


def _no_number(text: str, rule: FieldRule) -> str:
    if re.fullmatch(r"H(\(.*\))?", text):
        return f"'H' in {rule.name} is not cron: write the number itself"
    if re.fullmatch(r"[0-9]+W|L-[0-9]+", text):
        return f"{_short(text)} in {rule.name} is not supported: there are L and LW"
    if rule is WEEKDAY and text == "L":
        return "'L' in day of week needs a day: 5L is the last Friday"
    if not text:
        return f"a number is missing in {rule.name}"
    names = f" or {next(iter(rule.names))}-{list(rule.names)[-1]}" if rule.names else ""
    return f"{_short(text)} in {rule.name} is not a number {rule.low}-{rule.high}{names}"


def _short(text: str) -> str:
    return quoted(text, 20)
