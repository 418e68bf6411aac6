"""``reload``: show what another registry changes, ask, and let it be adopted."""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from scheduler.cli.confirming import is_confirmed
from scheduler.cli.printing import Cell, Page, Style, clean, page_of, say, say_json, styled, table
from scheduler.cli.sources import live_of
from scheduler.cli.times import distance_in_words, now
from scheduler.errors import Problem, RegistryError
from scheduler.service.answers import ChangeView, DoneView, PreviewView, ProblemsView, TouchedView
from scheduler.service.client import Client

_NOT_CONFIRMED = 1


def reload(arguments: Namespace) -> int:
    """Show what changes, ask on a terminal, and reload."""
    client = Client(live_of(arguments))
    answer = client.get("reload")
    if cast("ProblemsView", answer)["errors"]:
        raise _refusal(cast("ProblemsView", answer))
    view = cast("PreviewView", answer)
    if not arguments.json:
        say(*preview_lines(view, page_of(sys.stdout), now()))
    if not view["is_new"]:
        if arguments.json:
            say_json({**view, "messages": []})
        return 0
    if _touches(view) and not is_confirmed("Adopt this registry?", arguments):
        say("nothing was changed")
        return _NOT_CONFIRMED
    done = cast("DoneView", client.post("reload", revision=view["revision"]))
    if arguments.json:
        say_json({**view, "messages": done["messages"]})
    else:
        say(*map(clean, done["messages"]))
    return 0


def preview_lines(view: PreviewView, page: Page, at: datetime) -> list[str]:
    """Return what is printed of what a reload would change."""
    lines = [styled(f"warning: {clean(one)}", Style.YELLOW, page) for one in view["warnings"]]
    if not view["is_new"]:
        return [*lines, "the registry's files have not changed"]
    rows: list[Sequence[Cell]] = []
    for word, style, touched in (
        ("added", Style.GREEN, view["added"]),
        ("removed", Style.RED, view["removed"]),
        ("changed", Style.YELLOW, view["changed"]),
        ("re-bound", Style.CYAN, view["rebound"]),
    ):
        for one in touched:
            rows.append(((word, style), one["routine"], "; ".join(_effects(word, one, at))))
    rows += [
        (("pool", Style.YELLOW), one["attribute"], _written({**one, "attribute": "slots"}))
        for one in view["pools"]
    ]
    return [*lines, *table(rows, page)]


def _effects(word: str, one: TouchedView, at: datetime) -> Iterator[str]:
    yield from (_written(change) for change in one["changes"])
    if word == "re-bound":
        yield "waits for other tasks than before"
    if one["begins"]:
        following = distance_in_words(one["next"], at)
        yield f"{one['schedule_in_words']}, first {following}" if following else "by hand only"
    if one["skipped"]:
        yield f"{_tasks(one['skipped'])} not started: skipped"
    if one["running"]:
        yield f"{_tasks(one['running'])} running: not touched"


def _written(change: ChangeView) -> str:
    if change["old"] is None or change["new"] is None:
        return change["attribute"]
    return f"{change['attribute']}: {change['old'] or 'none'} → {change['new'] or 'none'}"


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _touches(view: PreviewView) -> bool:
    """Return whether anything but a comment has changed."""
    return any((view["added"], view["removed"], view["changed"], view["rebound"], view["pools"]))


def _refusal(view: ProblemsView) -> RegistryError:
    return RegistryError([Problem(**problem) for problem in view["errors"]])
