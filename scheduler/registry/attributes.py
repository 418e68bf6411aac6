"""The attributes of registry.xml: one row each, with the reader of its text.

A reader returns the value of a `Routine` field or raises a `Flaw` whose reason names the
attribute.  Which routine it is about, and where it stands, is added by `drafts`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from scheduler.durations import parse_duration
from scheduler.errors import SchedulerError, quoted
from scheduler.registry.arguments import read_arguments
from scheduler.registry.calendars import OnHoliday
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.flaws import Flaw, flaw_of
from scheduler.registry.routine import Backlog, InstantKind, On, Otherwise, Overlap, Warm
from scheduler.registry.value_readers import (
    choice,
    factor,
    in_words_of,
    or_none,
    read_list,
    whole_number,
)
from scheduler.zones import zone_named

# Enough for any use, and few enough for arithmetic on dates.
_MOST_RETRIES = 1_000
_LARGEST_BACKOFF = 100
_HIGHEST_PRIORITY = 1_000_000
MOST_SLOTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """How the text of one attribute becomes the value of one field of `Routine`."""

    field: str
    read: Callable[[str], object]
    is_inherited: bool = True  # may also stand in <defaults> and <group>
    is_path: bool = False  # relative to the folder of the file that it stands in
    may_be_empty: bool = False  # which takes a default back


def read_zone(text: str) -> str:
    """Return the name of an IANA zone."""
    try:
        return zone_named(text).name
    except SchedulerError as error:
        flaw = flaw_of(error)
        raise Flaw(f"timezone: {flaw.reason}", flaw.hint) from None


def _read_module(text: str) -> str:
    is_path = "/" in text or "\\" in text or text.endswith(".py")
    if is_path or not all(part.isidentifier() for part in text.split(".")):
        hint = "a path is given as script" if is_path else "as after python -m: package.module"
        raise Flaw(f"module {quoted(text)} is not the name of a module", hint)
    return text


def _read_skip_exit(text: str) -> int:
    reason = f"skip_exit {quoted(text)} is not an exit code from 1 to 255"
    if re.fullmatch("0+", text):
        raise Flaw(f"skip_exit {quoted(text)}: exit code 0 means success", "99 is usual")
    if not re.fullmatch("0{0,9}[0-9]{1,3}", text) or int(text) > 255:
        raise Flaw(reason, "99 is usual")
    return int(text)


def _read_timeout(text: str) -> timedelta | None:
    length = or_none(in_words_of("timeout", parse_duration))(text)
    if length == timedelta():
        raise Flaw(f"timeout {quoted(text)} leaves no time to run", "leave it out for no limit")
    return length


def _read_tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(read_list("tags", text))) if text.strip() else ()


def _read_preload(text: str) -> tuple[str, ...]:
    modules = tuple(dict.fromkeys(text.split()))
    for module in modules:
        if not all(part.isidentifier() for part in module.split(".")):
            raise Flaw(
                f"preload {quoted(module)} is not the name of a module", _preload_hint(module)
            )
    return modules


def _preload_hint(module: str) -> str:
    if "," in module or ";" in module:
        return "separate modules by spaces: pandas numpy"
    if module.endswith(".py") or "/" in module or "\\" in module:
        return "name the module as import does, not its file"
    return "as after import: package.module"


_YES_NO = {"true": "yes", "false": "no", "1": "yes", "0": "no", "on": "yes", "off": "no"}
_TRUE_FALSE = {
    "yes": "true",
    "no": "false",
    "1": "true",
    "0": "false",
    "on": "true",
    "off": "false",
}

#: the attributes of a job but `name` and `depends_on`, which `drafts` reads.  A schedule stays
#: text here: defaults hand it on to jobs in other time zones; and what a calendar names is found
#: by `drafts`, as it may be a file.
ATTRIBUTES = {
    "script": Attribute(field="script", read=str, is_inherited=False, is_path=True),
    "module": Attribute(field="module", read=_read_module, is_inherited=False),
    "schedule": Attribute(field="schedule", read=str),
    "timezone": Attribute(field="zone", read=read_zone),
    "arguments": Attribute(field="arguments", read=read_arguments, may_be_empty=True),
    "python": Attribute(field="python", read=str, is_path=True),
    "directory": Attribute(field="directory", read=str, is_path=True),
    "retries": Attribute(field="retries", read=whole_number("retries", 0, _MOST_RETRIES)),
    "retry_delay": Attribute(field="retry_delay", read=in_words_of("retry_delay", parse_duration)),
    "retry_backoff": Attribute(
        field="retry_backoff", read=factor("retry_backoff", 1, _LARGEST_BACKOFF)
    ),
    "timeout": Attribute(field="timeout", read=_read_timeout, may_be_empty=True),
    "grace": Attribute(field="grace", read=in_words_of("grace", parse_duration)),
    "skip_exit": Attribute(field="skip_exit", read=_read_skip_exit),
    "backlog": Attribute(
        field="backlog", read=choice("backlog", {word.value: word for word in Backlog})
    ),
    "start_by": Attribute(
        field="start_by", read=or_none(in_words_of("start_by", parse_deadline)), may_be_empty=True
    ),
    "due_by": Attribute(
        field="due_by", read=or_none(in_words_of("due_by", parse_deadline)), may_be_empty=True
    ),
    "overlap": Attribute(
        field="overlap", read=choice("overlap", {word.value: word for word in Overlap}, _YES_NO)
    ),
    "pool": Attribute(field="pool", read=or_none(str.strip), may_be_empty=True),
    "pool_slots": Attribute(field="pool_slots", read=whole_number("pool_slots", 1, MOST_SLOTS)),
    "priority": Attribute(
        field="priority", read=whole_number("priority", -_HIGHEST_PRIORITY, _HIGHEST_PRIORITY)
    ),
    "require": Attribute(
        field="require_any",
        read=choice("require", {"all": False, "any": True}, {"one": "any", "each": "all"}),
    ),
    "calendar": Attribute(field="calendar", read=str, may_be_empty=True),
    "on_holiday": Attribute(
        field="on_holiday",
        read=choice(
            "on_holiday",
            {word.value: word for word in OnHoliday},
            {"previous": "before", "next": "after", "none": "skip"},
        ),
    ),
    "warm": Attribute(
        field="warm",
        read=choice(
            "warm",
            {word.value: word for word in Warm},
            {"yes": "auto", "true": "auto", "on": "auto", "1": "auto", "never": "no"}
            | {"cold": "no", "false": "no", "off": "no", "0": "no"},
        ),
    ),
    "preload": Attribute(field="preload", read=_read_preload, may_be_empty=True),
    "enabled": Attribute(
        field="enabled", read=choice("enabled", {"true": True, "false": False}, _TRUE_FALSE)
    ),
    "description": Attribute(field="description", read=str, is_inherited=False, may_be_empty=True),
    "tags": Attribute(field="tags", read=_read_tags, may_be_empty=True),
}

#: what a job may bear
OF_JOB = frozenset(["name", "depends_on", *ATTRIBUTES])
#: what <defaults> may bear, and <group> beside its name
OF_DEFAULTS = frozenset(name for name, row in ATTRIBUTES.items() if row.is_inherited)

read_instant_kind = choice(
    "instant",
    {word.value: word for word in InstantKind},
    {"same day": "same-day", "same_day": "same-day", "last": "latest", "newest": "latest"},
)
read_on = choice(
    "on",
    {word.value: word for word in On},
    {"succeeded": "success", "failed": "failure", "any": "done", "always": "done"},
)

read_wait_until = in_words_of("wait_until", parse_deadline)
read_otherwise = choice(
    "otherwise",
    {word.value: word for word in Otherwise},
    {"start": "run", "go": "run", "skipped": "skip", "failed": "fail", "failure": "fail"},
)

#: how other programs call what is meant
FOREIGN = {
    "after": "depends_on",
    "args": "arguments",
    "catchup": "backlog",
    "command": "script",
    "cron": "schedule",
    "cwd": "directory",
    "deadline": "due_by",
    "dependencies": "depends_on",
    "depends": "depends_on",
    "env": "environment",
    "holidays": "calendar",
    "id": "name",
    "interpreter": "python",
    "max_retries": "retries",
    "path": "script",
    "requires": "depends_on",
    "retry": "retries",
    "sla": "due_by",
    "task": "job",
    "tz": "timezone",
    "upstream": "depends_on",
    "variable": "environment",
    "working_directory": "directory",
}
