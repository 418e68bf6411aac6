"""``plan``: the tasks to come."""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from scheduler.cli.printing import (
    STATE_STYLES,
    Cell,
    Page,
    Style,
    keep_line_ends,
    page_of,
    say,
    say_aside,
    say_json,
    table,
)
from scheduler.cli.sources import folder_of, given_name, name_of_folder, source_of
from scheduler.cli.status import pause_in_words
from scheduler.cli.times import distance_in_words, moment_in_words, now
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError
from scheduler.service.answers import PlannedView

if TYPE_CHECKING:
    from scheduler.registry.registry import Registry
    from scheduler.service.forecast import Conditions

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    tasks: list[PlannedView]
    scheduler: Callable[[], str]  # whose tasks they are


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """The data folder for which a registry file is planned, as far as one is known."""

    name: str
    max_running: int
    timezone: str | None = None  # of a config that was asked for, not only found in ./config.cfg
    database: Path | None = None


def plan(arguments: Namespace) -> int:
    """Print the tasks to come in a window."""
    routine = routine_of(arguments)
    if arguments.json and arguments.ical:
        raise SchedulerError("--json and --ical are two forms of one answer: give one of them")
    at = now()
    if arguments.registry is not None:
        found = _plan_of_file(arguments, routine, at)
    else:
        found = _plan_of_scheduler(arguments, routine)
    if arguments.json:
        say_json(found.tasks)
    elif arguments.ical:
        from scheduler.cli.ical import ical_of  # slow to import

        text = ical_of(found.tasks, found.scheduler(), at)
        keep_line_ends("utf-8")  # the standard's
        print(text, end="")
    else:
        say(*plan_lines(found.tasks, page_of(sys.stdout), at))
    return 0


def plan_lines(view: Sequence[PlannedView], page: Page, at: datetime) -> list[str]:
    """Return the table of the tasks to come."""
    if not view:
        return ["Nothing is planned in that time."]
    rows = [
        (
            one["task"],
            distance_in_words(one["instant"], at),
            f"paused {pause_in_words(one['paused'], at)}" if "paused" in one else "",
            moment_in_words(one.get("expected_start"), at),
            moment_in_words(one.get("expected_end"), at),
            moment_in_words(one.get("due_by"), at),
            _fate_in_words(one),
            ", ".join(one["waits_for"]),
        )
        for one in view
    ]
    return table(rows, page, header=("task", "", "", "starts", "ends", "due by", "", "waits for"))


def _fate_in_words(one: PlannedView) -> Cell:
    """Return what is expected of a task, unless it simply succeeds."""
    state, reason = one.get("expected_state"), one.get("expected_reason")
    is_told = state is not None and state != "succeeded"
    fate = (f"{state}: {reason}" if reason else state) if is_told else ""
    if one.get("expected_overdue"):
        return (f"OVERDUE; {fate}" if fate else "OVERDUE"), Style.RED
    return fate or "", STATE_STYLES.get(state or "")


def _assumed(arguments: Namespace) -> str | None:
    return None if arguments.assumed is None else ",".join(arguments.assumed)


def _wants_expected(arguments: Namespace) -> bool:
    return arguments.expected or not arguments.json


def _plan_of_scheduler(arguments: Namespace, routine: str | None) -> _Plan:
    source = source_of(arguments)
    answer = source.get(
        "plan",
        **{
            "from": arguments.start,
            "to": arguments.end,
            "routine": routine,
            "if": _assumed(arguments),
            "expected": "yes" if _wants_expected(arguments) else None,
        },
    )

    def name() -> str:
        return str(cast("dict[str, object]", source.get("ping"))["name"])

    return _Plan(tasks=cast("list[PlannedView]", answer), scheduler=name)


def _plan_of_file(arguments: Namespace, routine: str | None, at: datetime) -> _Plan:
    """Return the plan of a registry file by itself: no scheduler need ever have run it."""
    from scheduler.registry.task_id import parse_moment
    from scheduler.service.planned import planned
    from scheduler.service.registry_files import load_registry
    from scheduler.service.views import planned_view

    folder = _folder(arguments)
    registry = load_registry(arguments.registry, folder.timezone)
    zone = registry.timezone
    start = at if arguments.start is None else parse_moment(arguments.start, zone)
    end = start + _DAY if arguments.end is None else parse_moment(arguments.end, zone)
    if end <= start:
        raise SchedulerError("the window is empty: --from must be before --to")
    names = None if routine is None else [registry[routine].name]
    ids = list(planned(registry, start, end, names))
    views = [planned_view(registry, id) for id in ids]
    assumed = _assumed(arguments)
    if assumed is not None or _wants_expected(arguments):
        from scheduler.service.forecast import expected_views  # slow to import: it has the engine

        expected = expected_views(
            registry,
            ids,
            (start, end),
            assumed,
            lambda part: _conditions(folder, part),
            routine,
        )
        views = [{**view, **more} for view, more in zip(views, expected, strict=True)]
    return _Plan(
        tasks=[cast("PlannedView", view) for view in views],
        scheduler=lambda: folder.name,
    )


def _folder(arguments: Namespace) -> _Folder:
    from scheduler.service.config import Settings, read_config

    is_named = arguments.config_file is not None or given_name(arguments) is not None
    by_itself = _Folder(name=name_of_folder(arguments.registry), max_running=Settings().max_running)
    try:
        known = folder_of(arguments)
        settings = read_config(Path(known.config)) if known and known.config else None
    except SchedulerError:
        if is_named:
            raise
        return by_itself  # what is wrong where one stands is not what was asked about
    if known is None:
        return by_itself
    return _Folder(
        name=known.name,
        max_running=settings.max_running if settings else by_itself.max_running,
        # Times must not depend on where one stands.
        timezone=settings.timezone if settings and is_named else None,
        database=Path(known.database),
    )


def _conditions(folder: _Folder, registry: "Registry") -> "Conditions":
    """Return what a forecast starts from: how long routines of these names took in that folder."""
    from scheduler.service.forecast import Conditions, durations_of, limits_of
    from scheduler.service.wiring import reader_of

    durations: dict[str, timedelta] = {}
    if folder.database is not None:
        try:
            durations = durations_of(reader_of(folder.database), registry)
        except SchedulerError as error:
            say_aside(f"scheduler: it is not known how long routines take: {error}")
    return Conditions(limits=limits_of(folder.max_running), durations=durations)
