"""``plan``: the tasks to come."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from scheduler.cli.answers import PlannedView
from scheduler.cli.printing import Page, page_of, say, say_json, table
from scheduler.cli.sources import source_of
from scheduler.cli.times import distance_in_words, now
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
            "plan", **{"from": arguments.start, "to": arguments.end, "routine": routine}
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
        (one["task"], distance_in_words(one["instant"], at), ", ".join(one["waits_for"]))
        for one in view
    ]
    return table(rows, page, header=("task", "", "waits for"))


def _plan_of_file(arguments: Namespace, routine: str | None, at: datetime) -> list[PlannedView]:
    """Return the plan of a registry file by itself: no scheduler need ever have run it."""
    from scheduler.registry.task_id import parse_moment
    from scheduler.service.config import read_config
    from scheduler.service.queries import planned
    from scheduler.service.registry_files import load_registry
    from scheduler.service.views import planned_view

    config = arguments.config_file
    timezone = None if config is None else read_config(Path(config)).timezone
    registry = load_registry(arguments.registry, timezone)
    zone = registry.timezone
    start = at if arguments.start is None else parse_moment(arguments.start, zone)
    end = start + _DAY if arguments.end is None else parse_moment(arguments.end, zone)
    if end <= start:
        raise SchedulerError("the window is empty: --from must be before --to")
    names = None if routine is None else [registry[routine].name]
    ids = planned(registry, start, end, names)
    return [cast("PlannedView", planned_view(registry, id)) for id in ids]
