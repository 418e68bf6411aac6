"""``status``: what runs, is blocked, failed, waits and comes next."""

import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
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
from scheduler.cli.sources import given_name, source_of
from scheduler.cli.times import (
    distance_in_words,
    length_between,
    length_in_words,
    moment_in_words,
    now,
)
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError, as_word
from scheduler.service.answers import (
    PauseView,
    PlannedView,
    RoutineView,
    SchedulerView,
    StatusView,
    TaskView,
    VariableView,
)
from scheduler.service.instance import Instance, live_instances


def status(arguments: Namespace) -> int:
    """Print the status of a scheduler; without a name and with several live, which there are."""
    if arguments.grid or arguments.html or arguments.by:
        from scheduler.cli.grid import grid

        return grid(arguments)
    routine = routine_of(arguments)
    if arguments.watch:
        from scheduler.cli.watching import watch

        if arguments.json:
            raise SchedulerError("give --watch or --json, not both")
        source_of(arguments)  # what is wrong with the words is said at once
        return watch(lambda page: _lines(arguments, routine, page))
    live = live_instances() if given_name(arguments) is None else []
    if len(live) > 1 and arguments.config_file is None:
        _print_schedulers(live, arguments)
        return 0
    answer = source_of(arguments).get("status", routine=routine)
    if arguments.json:
        say_json(answer)
    else:
        say(*status_lines(cast("StatusView", answer), page_of(sys.stdout), now()))
    return 0


def _lines(arguments: Namespace, routine: str | None, page: Page) -> list[str]:
    answer = source_of(arguments).get("status", routine=routine)
    return status_lines(cast("StatusView", answer), page, now())


def status_lines(view: StatusView, page: Page, at: datetime) -> list[str]:
    """Return what is printed of a status; sections that are empty are left out."""
    lines = list(scheduler_lines(view["scheduler"], page, at))
    if "routine" in view:
        lines += ["", *routine_lines(view["routine"], page, at)]
    if view["pauses"]:
        lines += ["", *_pause_lines(view["pauses"], page, at)]
    for title, style, rows in _sections(view, at):
        if rows:
            lines += ["", styled(f"{title} ({len(rows)})", style, page), *table(rows, page)]
    if view["unknown"]:
        lines += ["", *_unknown_lines(view["unknown"], page)]
    if view["commands"] and view["scheduler"]["is_live"]:
        lines += ["", "To mend it, once its cause is repaired:"]
        lines += [f"  {clean(command)}" for command in view["commands"]]
    if view["stale"]:
        hint = "To bring what is stale up to date: scheduler execute --stale"
        lines += ["", styled(hint, Style.DIM, page)]
    if view["blocked"] or view["failed"]:
        task = (view["blocked"] or view["failed"])[0]["task"]
        hint = f"To see why, and what mends it: scheduler why {as_word(task)}"
        lines += ["", styled(clean(hint), Style.DIM, page)]
    if _is_all_well(view):
        lines += ["", styled("All is well.", Style.GREEN, page)]
    return lines


def _is_all_well(view: StatusView) -> bool:
    """Return whether there is nothing at all that a person has to see to."""
    scheduler = view["scheduler"]
    if "routine" in view or not scheduler["is_live"] or scheduler["is_stopping"]:
        return False
    sections = (view["blocked"], view["failed"], view["stale"], view["unknown"], view["pauses"])
    overdue = (one["is_overdue"] for one in (*view["running"], *view["ready"], *view["waiting"]))
    return not any((*sections, scheduler["notices"], *overdue))


def routine_lines(view: RoutineView, page: Page, at: datetime) -> list[str]:
    """Return what is said of one routine."""
    depends_on = [
        " ".join(
            [one["name"]]
            + ([f"({one['instant']})"] if one["instant"] != "latest" else [])
            + ([f"(on {one['on']})"] if one["on"] != "success" else [])
        )
        for one in view["depends_on"]
    ]
    following = ""
    if view["next"]:
        following = f"{moment_in_words(view['next'], at)}, {distance_in_words(view['next'], at)}"
    last = view["last"]
    rows = [
        ("about", view["description"]),
        ("runs", view["script"] or f"python -m {view['module']}"),
        ("arguments", " ".join(map(_quoted_word, view["arguments"]))),
        ("environment", ", ".join(map(_variable, view["environment"]))),
        ("when", f"{view['schedule_in_words']}, {view['timezone']}"),
        ("enabled", "" if view["enabled"] else "no: its tasks are not made"),
        ("paused", pause_in_words(view["paused"], at) if view["paused"] else ""),
        ("depends on", ", ".join(depends_on)),
        ("needed by", ", ".join(view["dependents"])),
        ("tags", ", ".join(view["tags"])),
        ("due by", view["due_by"] or ""),
        ("next", following),
        ("last", f"{last['task']} {last['state']}" if last else ""),
    ]
    title = styled(f"routine {clean(view['name'])}", Style.BOLD, page)
    return [title, *table([row for row in rows if row[1]], page)]


def _quoted_word(word: str) -> str:
    """Return a word as it may be written in ``arguments``."""
    if word and not re.search("[ \t\r\n'\"]", word):
        return word
    return f'"{word}"' if '"' not in word else f"'{word}'"


def _variable(view: VariableView) -> str:
    if "file" in view:
        return f"all of {view['file']}"
    return f"{view.get('name')}={view.get('value')}"


def pause_in_words(pause: PauseView, at: datetime) -> str:
    """Return ``until 06:00, in 3 h``, or ``until resumed``."""
    if pause["until"] is None:
        return "until resumed"
    return f"until {moment_in_words(pause['until'], at)}, {distance_in_words(pause['until'], at)}"


def _pause_lines(pauses: Sequence[PauseView], page: Page, at: datetime) -> Iterator[str]:
    yield styled(f"Paused ({len(pauses)})", Style.YELLOW, page)
    rows: list[Sequence[Cell]] = []
    for pause in pauses:
        named = {"all": ("all routines", "--all"), "tag": ("tag ", "--tag ")}
        words, option = named.get(pause["scope"], ("", ""))
        command = f"scheduler resume {option}{as_word(pause['name'])}"
        rows.append((words + pause["name"], pause_in_words(pause, at), command))
    yield from table(rows, page)


def ended_cells(task: TaskView, at: datetime) -> tuple[Cell, Cell, Cell]:
    """Return the state, when it came to it, and how long its last attempt took."""
    attempts = task["attempts"]
    took = ""
    if attempts and attempts[-1]["ended_at"] is not None:
        took = length_between(attempts[-1]["started_at"], attempts[-1]["ended_at"], at)
    state = task["state"]
    return (state, STATE_STYLES.get(state)), moment_in_words(task["changed_at"], at), took


def scheduler_lines(view: SchedulerView, page: Page, at: datetime) -> Iterator[str]:
    """Yield what is said of a scheduler."""
    name = styled(f"scheduler {clean(view['name'])}", Style.BOLD, page)
    if not view["is_live"]:
        state = styled("is not running", Style.YELLOW, page)
        yield f"{name} {state}; this is what it left"
    else:
        state = styled("is stopping" if view["is_stopping"] else "is running", Style.GREEN, page)
        since = ""
        if view["started_at"] is not None:
            since = f", for {length_between(view['started_at'], None, at)}"
        yield f"{name} {state}: pid {view['pid']}, {view['address']}{since}"
    mode = "" if view["mode"] == "prod" else f"mode {view['mode']}, "
    place = f"config {view['config']}" if view["config"] else f"database {view['database']}"
    yield styled(clean(f"{mode}zone {view['timezone']}, {place}"), Style.DIM, page)
    for notice in view["notices"]:
        yield styled(f"warning: {clean(notice)}", Style.YELLOW, page)


def _sections(
    view: StatusView, at: datetime
) -> Iterator[tuple[str, Style | None, Sequence[Sequence[Cell]]]]:
    running = "Running" if view["scheduler"]["is_live"] else "Running when it went down"
    yield running, Style.CYAN, [_running_row(task, at) for task in view["running"]]
    yield "Blocked", Style.MAGENTA, [_reason_row(task) for task in view["blocked"]]
    yield "Failed", Style.RED, [_failed_row(task, at) for task in view["failed"]]
    yield "Stale", Style.YELLOW, [_stale_row(task) for task in view["stale"]]
    yield "Ready", Style.BOLD, [_reason_row(task) for task in view["ready"]]
    yield "Waiting", Style.BOLD, [_reason_row(task) for task in view["waiting"]]
    yield "Next", Style.BOLD, [_next_row(planned, at) for planned in view["next"]]
    shown = {task["task"] for task in view["failed"]}
    recent = [task for task in view["recent"] if task["task"] not in shown]
    yield "Recently ended", Style.BOLD, [_recent_row(task, at) for task in recent]


def _running_row(task: TaskView, at: datetime) -> Sequence[Cell]:
    attempts = task["attempts"]
    so_far = f"for {length_between(attempts[-1]['started_at'], None, at)}" if attempts else ""
    return task["task"], so_far, _reason(task)


def _reason_row(task: TaskView) -> Sequence[Cell]:
    return task["task"], _reason(task)


def _stale_row(task: TaskView) -> Sequence[Cell]:
    return task["task"], f"{task['stale']} has been redone since"


def _failed_row(task: TaskView, at: datetime) -> Sequence[Cell]:
    return task["task"], moment_in_words(task["changed_at"], at), _reason(task)


def _next_row(planned: PlannedView, at: datetime) -> Sequence[Cell]:
    waits_for = ", ".join(planned["waits_for"])
    until = distance_in_words(planned["instant"], at)
    paused = "paused" if "paused" in planned else ""
    return planned["task"], until, paused, f"waits for {waits_for}" if waits_for else ""


def _recent_row(task: TaskView, at: datetime) -> Sequence[Cell]:
    return task["task"], *ended_cells(task, at), task["reason"]


def _unknown_lines(ids: Sequence[str], page: Page) -> Iterator[str]:
    yield styled(f"Unknown ({len(ids)}), older than the first start", Style.YELLOW, page)
    yield from table([[id] for id in ids], page)
    yield "What waits for these is blocked until you say one of:"
    yield "  scheduler mark --unknown succeeded"
    yield "  scheduler execute --unknown"


def _print_schedulers(live: Sequence[Instance], arguments: Namespace) -> None:
    if arguments.json:
        fields = ("name", "pid", "host", "port", "mode", "started_at", "config", "database")
        say_json({"schedulers": [{key: getattr(one, key) for key in fields} for one in live]})
        return
    at, page = now(), page_of(sys.stdout)
    rows = [
        (
            (one.name, Style.BOLD),
            f"pid {one.pid}",
            f"{one.host}:{one.port}",
            f"for {length_in_words(at - datetime.fromisoformat(one.started_at))}",
            one.config or one.database,
        )
        for one in live
    ]
    say(f"{len(live)} schedulers are running", *table(rows, page))
    say(styled("For one of them: scheduler status --scheduler_name NAME", Style.DIM, page))


def _reason(task: TaskView) -> str:
    return f"OVERDUE; {task['reason']}" if task["is_overdue"] else task["reason"]
