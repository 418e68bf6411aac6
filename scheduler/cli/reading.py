"""The verbs that only read and print: ``list``, ``why``."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from scheduler.cli.printing import (
    STATE_STYLES,
    Cell,
    Page,
    Style,
    clean,
    page_of,
    say,
    say_json,
    styled,
    table,
)
from scheduler.cli.sources import source_of
from scheduler.cli.status import pause_in_words
from scheduler.cli.times import distance_in_words, moment_in_words, now
from scheduler.cli.words import needed_target_of
from scheduler.errors import SchedulerError, quoted
from scheduler.service.answers import (
    ListView,
    RoutineView,
    WhyView,
)


def list_routines(arguments: Namespace) -> int:
    """Print the routines."""
    answer = source_of(arguments).get("list", tag=arguments.tag)
    if arguments.json:
        say_json(answer)
    else:
        say(*list_lines(cast("ListView", answer), page_of(sys.stdout), now()))
    return 0


def why(arguments: Namespace) -> int:
    """Print why a task is in its state."""
    following: str | None = arguments.following
    if following is not None and arguments.word != "next":
        see = "see scheduler why --help"
        raise SchedulerError(f"why: one word too many, {quoted(following)} ({see})")
    if following is not None:
        # What is meant is left to who knows the routines: one may have that for its name.
        arguments.word = f"next {following}"
    target = needed_target_of(arguments)
    answer = source_of(arguments).get("why", task=target.task or target.routine)
    if arguments.json:
        say_json(answer)
    else:
        say(*why_lines(cast("WhyView", answer), page_of(sys.stdout)))
    return 0


def list_lines(view: ListView, page: Page, at: datetime) -> list[str]:
    """Return the table of the routines."""
    if not view["routines"]:
        return ["There are no routines."]
    rows = [_routine_row(one, at) for one in view["routines"]]
    return table(rows, page, header=("routine", "when", "next", "", "last", "", "about"))


def _routine_row(view: RoutineView, at: datetime) -> Sequence[Cell]:
    last = view["last"]
    style = None if view["enabled"] else Style.DIM
    following = distance_in_words(view["next"], at) if view["enabled"] else "disabled"
    paused = f"paused {pause_in_words(view['paused'], at)}" if view["paused"] else ""
    ended: tuple[Cell, Cell] = ("", "")
    if last is not None:
        ended = (
            (last["state"], STATE_STYLES.get(last["state"])),
            moment_in_words(last["changed_at"], at),
        )
    return (
        (view["name"], style),
        view["schedule_in_words"],
        following,
        (paused, Style.YELLOW),
        *ended,
        view["description"],
    )


def why_lines(view: WhyView, page: Page) -> list[str]:
    """Return the chain of reasons, a step a line, and the commands that mend it."""
    lines: list[str] = []
    for depth, link in enumerate(view["chain"]):
        sentence = clean(link["sentence"])
        name = clean(link["task"])
        if sentence.startswith(name):
            style = STATE_STYLES.get(link["state"], Style.BOLD)
            sentence = styled(name, style, page) + sentence.removeprefix(name)
        lines.append("  " * depth + sentence)
    if view["commands"]:
        lines += ["", "To mend it:", *(f"  {clean(command)}" for command in view["commands"])]
    return lines
