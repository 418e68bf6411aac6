"""``plan``: the tasks to come."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from scheduler.cli.answers import PlannedView
from scheduler.cli.printing import STATE_STYLES, Cell, Page, page_of, say, say_json, table
from scheduler.cli.sources import source_of
from scheduler.cli.status import pause_in_words
from scheduler.cli.times import distance_in_words, moment_in_words, now
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError

_DAY = timedelta(days=1)


def plan(arguments: Namespace) -> int:
    """Print the tasks to come in a window."""
    routine = routine_of(arguments)
    at = now()
    if arguments.registry is not None:
        answer: object = _plan_of_file(arguments, routine, at)
    else:
        answer = source_of(arguments).get(
            "plan",
            **{
                "from": arguments.start,
                "to": arguments.end,
                "routine": routine,
                "if": _assumed(arguments),
                "expected": "yes" if _wants_expected(arguments) else None,
            },
        )
    if arguments.json:
        say_json(answer)
    else:
        say(*plan_lines(cast("list[PlannedView]", answer), page_of(sys.stdout), at))
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
            _fate_in_words(one),
            ", ".join(one["waits_for"]),
        )
        for one in view
    ]
    return table(rows, page, header=("task", "", "", "starts", "ends", "", "waits for"))


def _fate_in_words(one: PlannedView) -> Cell:
    """Return what is expected of a task, unless it simply succeeds."""
    state = one.get("expected_state")
    if state is None or state == "succeeded":
        return ""
    reason = one.get("expected_reason")
    return (f"{state}: {reason}" if reason else state), STATE_STYLES.get(state)


def _assumed(arguments: Namespace) -> str | None:
    return None if arguments.assumed is None else ",".join(arguments.assumed)


def _wants_expected(arguments: Namespace) -> bool:
    return arguments.expected or not arguments.json


def _plan_of_file(arguments: Namespace, routine: str | None, at: datetime) -> list[PlannedView]:
    """Return the plan of a registry file by itself: no scheduler need ever have run it."""
    from scheduler.registry.task_id import parse_moment
    from scheduler.service.config import Settings, read_config
    from scheduler.service.forecast import Conditions, expected_views, limits_of
    from scheduler.service.queries import planned
    from scheduler.service.registry_files import load_registry
    from scheduler.service.views import planned_view

    config = arguments.config_file
    settings = None if config is None else read_config(Path(config))
    registry = load_registry(arguments.registry, None if settings is None else settings.timezone)
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
        # Nothing is known of how long its routines take.
        conditions = Conditions(limits=limits_of((settings or Settings()).max_running))
        expected = expected_views(registry, ids, (start, end), assumed, conditions)
        views = [{**view, **more} for view, more in zip(views, expected, strict=True)]
    return [cast("PlannedView", view) for view in views]
