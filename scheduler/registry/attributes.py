"""The attributes of registry.xml: one row each, with the reader of its text.

A reader returns the value of a `Routine` field or raises a `Flaw` whose reason names the
attribute.  Which routine it is about, and where it stands, is added by `drafts`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from scheduler.durations import parse_duration
from scheduler.errors import SchedulerError, quoted
from scheduler.registry.arguments import read_arguments
from scheduler.registry.flaws import Flaw, did_you_mean, flaw_of, listed
from scheduler.registry.routine import Backlog, InstantKind, On, Overlap
from scheduler.zones import zone_named

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """How the text of one attribute becomes the value of one field of `Routine`."""

    field: str
    read: Callable[[str], object]
    is_inherited: bool = True  # may also stand in <defaults> and <group>
    is_path: bool = False  # relative to the folder of the file that it stands in
    may_be_empty: bool = False  # which takes a default back


def read_list(attribute: str, text: str) -> tuple[str, ...]:
    """Return the entries of a list that is separated by commas, without the spaces around them."""
    entries = tuple(entry.strip() for entry in text.split(","))
    if "" in entries:
        raise Flaw(f"{attribute} {quoted(text)} has an empty entry", "put one comma between two")
    return entries


def read_zone(text: str) -> str:
    """Return the name of an IANA zone."""
    try:
        return zone_named(text).name
    except SchedulerError as error:
        flaw = flaw_of(error)
        raise Flaw(f"timezone: {flaw.reason}", flaw.hint) from None


def _choice(
    attribute: str, values: Mapping[str, T], also: Mapping[str, str] | None = None
) -> Callable[[str], T]:
    """Return a reader of one of a few words; ``also`` has others that people write for them."""

    def read(text: str) -> T:
        if text in values:
            return values[text]
        word = text[:40].strip().casefold()
        meant = word if word in values else (also or {}).get(word)
        hint = f"write {meant!r}" if meant else did_you_mean(text, values)
        raise Flaw(f"{attribute} {quoted(text)} is not {listed(values)}", hint)

    return read


def _read_module(text: str) -> str:
    is_path = "/" in text or "\\" in text or text.endswith(".py")
    if is_path or not all(part.isidentifier() for part in text.split(".")):
        hint = "a path is given as script" if is_path else "as after python -m: package.module"
        raise Flaw(f"module {quoted(text)} is not the name of a module", hint)
    return text


def _read_grace(text: str) -> object:
    try:
        return parse_duration(text)
    except SchedulerError as error:
        flaw = flaw_of(error)
        raise Flaw(f"grace {flaw.reason}", flaw.hint) from None


def _read_skip_exit(text: str) -> int:
    reason = f"skip_exit {quoted(text)} is not an exit code from 1 to 255"
    if re.fullmatch("0+", text):
        raise Flaw(f"skip_exit {quoted(text)}: exit code 0 means success", "99 is usual")
    if not re.fullmatch("0{0,9}[0-9]{1,3}", text) or int(text) > 255:
        raise Flaw(reason, "99 is usual")
    return int(text)


def _read_tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(read_list("tags", text))) if text.strip() else ()


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
#: text here: defaults hand it on to jobs in other time zones.
ATTRIBUTES = {
    "script": Attribute(field="script", read=str, is_inherited=False, is_path=True),
    "module": Attribute(field="module", read=_read_module, is_inherited=False),
    "schedule": Attribute(field="schedule", read=str),
    "timezone": Attribute(field="zone", read=read_zone),
    "arguments": Attribute(field="arguments", read=read_arguments, may_be_empty=True),
    "python": Attribute(field="python", read=str, is_path=True),
    "directory": Attribute(field="directory", read=str, is_path=True),
    "grace": Attribute(field="grace", read=_read_grace),
    "skip_exit": Attribute(field="skip_exit", read=_read_skip_exit),
    "backlog": Attribute(
        field="backlog", read=_choice("backlog", {word.value: word for word in Backlog})
    ),
    "overlap": Attribute(
        field="overlap", read=_choice("overlap", {word.value: word for word in Overlap}, _YES_NO)
    ),
    "enabled": Attribute(
        field="enabled", read=_choice("enabled", {"true": True, "false": False}, _TRUE_FALSE)
    ),
    "description": Attribute(field="description", read=str, is_inherited=False, may_be_empty=True),
    "tags": Attribute(field="tags", read=_read_tags, may_be_empty=True),
}

#: what a job may bear
OF_JOB = frozenset(["name", "depends_on", *ATTRIBUTES])
#: what <defaults> may bear, and <group> beside its name
OF_DEFAULTS = frozenset(name for name, row in ATTRIBUTES.items() if row.is_inherited)

read_instant_kind = _choice(
    "instant",
    {word.value: word for word in InstantKind},
    {"same day": "same-day", "same_day": "same-day", "last": "latest", "newest": "latest"},
)
read_on = _choice(
    "on",
    {word.value: word for word in On},
    {"succeeded": "success", "failed": "failure", "any": "done", "always": "done"},
)

#: attributes and elements that SPEC has and this version has not
LATER = frozenset(
    """retries retry_delay retry_backoff timeout start_by pool pool_slots priority due_by calendar
    on_holiday warm preload require""".split()
)
LATER_OF_DEPENDENCY = frozenset(["wait_until", "otherwise"])
LATER_ELEMENTS = frozenset(["pool"])

#: how other programs call what is meant
FOREIGN = {
    "after": "depends_on",
    "args": "arguments",
    "catchup": "backlog",
    "command": "script",
    "cron": "schedule",
    "cwd": "directory",
    "dependencies": "depends_on",
    "depends": "depends_on",
    "env": "environment",
    "id": "name",
    "interpreter": "python",
    "path": "script",
    "requires": "depends_on",
    "task": "job",
    "tz": "timezone",
    "upstream": "depends_on",
    "variable": "environment",
    "working_directory": "directory",
}
