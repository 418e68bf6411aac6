"""The verbs that only read and print: ``list``, ``why``, ``history``."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from scheduler.cli.answers import (
    AttemptView,
    HistoryView,
    ListView,
    RoutineView,
    RunView,
    TaskView,
    WhyView,
)
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
from scheduler.cli.status import ended_cells
from scheduler.cli.times import distance_in_words, length_between, moment_in_words, now
from scheduler.cli.words import needed_target_of, target_of


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
    target = needed_target_of(arguments)
    answer = source_of(arguments).get("why", task=target.task or target.routine)
    if arguments.json:
        say_json(answer)
    else:
        say(*why_lines(cast("WhyView", answer), page_of(sys.stdout)))
    return 0


def history(arguments: Namespace) -> int:
    """Print what became of past instants."""
    target = target_of(arguments)
    answer = source_of(arguments).get(
        "history", task=target.task, routine=target.routine, limit=arguments.limit
    )
    if arguments.json:
        say_json(answer)
        return 0
    view, page, at = cast("HistoryView", answer), page_of(sys.stdout), now()
    say(*(task_lines(view, page, at) if target.task else history_lines(view, page, at)))
    return 0


def list_lines(view: ListView, page: Page, at: datetime) -> list[str]:
    """Return the table of the routines."""
    if not view["routines"]:
        return ["There are no routines."]
    rows = [_routine_row(one, at) for one in view["routines"]]
    return table(rows, page, header=("routine", "when", "next", "last", "", "about"))


def _routine_row(view: RoutineView, at: datetime) -> Sequence[Cell]:
    last = view["last"]
    style = None if view["enabled"] else Style.DIM
    following = distance_in_words(view["next"], at) if view["enabled"] else "disabled"
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


def history_lines(view: HistoryView, page: Page, at: datetime) -> list[str]:
    """Return the table of past tasks."""
    if not view["fates"]:
        return ["Nothing has been recorded yet."]
    rows = [_fate_row(fate, at) for fate in view["fates"]]
    return table(rows, page, header=("task", "state", "since", "took", "attempts", "reason"))


def _fate_row(fate: TaskView | RunView, at: datetime) -> Sequence[Cell]:
    if "task" in fate:
        count = str(len(fate["attempts"])) if len(fate["attempts"]) > 1 else ""
        return fate["task"], *ended_cells(fate, at), count, fate["reason"]
    state = (fate["state"], STATE_STYLES.get(fate["state"]))
    return _span_of(fate), state, moment_in_words(fate["at"], at), "", "", fate["reason"]


def _span_of(run: RunView) -> str:
    if run["count"] == 1:
        return run["first"]
    return f"{run['first']} … {run['last'].removeprefix(run['routine'] + '.')} ({run['count']})"


def task_lines(view: HistoryView, page: Page, at: datetime) -> list[str]:
    """Return the story of one task, attempt by attempt."""
    fate = view["fates"][0]
    if "task" not in fate:
        return history_lines(view, page, at)
    state = styled(fate["state"], STATE_STYLES.get(fate["state"]), page)
    since = moment_in_words(fate["changed_at"], at)
    reason = f": {clean(fate['reason'])}" if fate["reason"] else ""
    lines = [f"{styled(clean(fate['task']), Style.BOLD, page)} {state} since {since}{reason}"]
    if fate["cover"]:
        lines.append(f"  covered by {clean(fate['cover'])}")
    for asked, given in fate["stand_ins"]:
        lines.append(f"  {clean(given)} stood in for {clean(asked)}")
    return lines + table(
        [_attempt_row(one, at) for one in fate["attempts"]],
        page,
        header=("attempt", "started", "took", "outcome", "log"),
    )


def _attempt_row(attempt: AttemptView, at: datetime) -> Sequence[Cell]:
    return (
        str(attempt["number"]),
        moment_in_words(attempt["started_at"], at),
        length_between(attempt["started_at"], attempt["ended_at"], at),
        _outcome_of(attempt),
        attempt["log"],
    )


def _outcome_of(attempt: AttemptView) -> str:
    if attempt["outcome"] is None:
        return "runs"
    if attempt["code"] is not None:
        how = f"exit code {attempt['code']}"
    else:
        how = attempt["signal"] or ""
    parts = (attempt["outcome"] if attempt["outcome"] != "exited" else "", how, attempt["error"])
    return ", ".join(part for part in parts if part)
