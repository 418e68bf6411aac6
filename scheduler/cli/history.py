"""``history``: what became of past instants, as a table, one task's story, JSON or CSV."""

import csv
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from scheduler.cli.printing import (
    STATE_STYLES,
    Cell,
    Page,
    Style,
    clean,
    keep_line_ends,
    page_of,
    say,
    say_json,
    styled,
    table,
)
from scheduler.cli.sources import source_of
from scheduler.cli.status import ended_cells
from scheduler.cli.times import length_between, length_in_words, moment_in_words, now
from scheduler.cli.words import target_of
from scheduler.errors import SchedulerError
from scheduler.service.answers import AttemptView, HistoryView, RunView, TaskView

_LIMIT = 50
_LIMIT_OF_CSV = 10_000  # the most that can be asked for: a file that lacks something misleads

#: the columns of CSV: of the task or run, then of its attempt
COLUMNS_OF_TASK = (
    "task",
    "last",
    "count",
    "routine",
    "instant",
    "state",
    "cause",
    "reason",
    "origin",
    "changed_at",
)
COLUMNS_OF_ATTEMPT = (
    "number",
    "started_at",
    "ended_at",
    "outcome",
    "code",
    "signal",
    "error",
    "cpu_time",
    "peak_memory",
    "log",
)


def history(arguments: Namespace) -> int:
    """Print what became of past instants."""
    target = target_of(arguments)
    if arguments.csv and arguments.json:
        raise SchedulerError("--csv and --json are two forms of one answer: give one of them")
    answer = source_of(arguments).get(
        "history",
        task=target.task,
        routine=target.routine,
        state=arguments.state,
        since=arguments.since,
        until=arguments.until,
        limit=arguments.limit or (_LIMIT_OF_CSV if arguments.csv else _LIMIT),
    )
    if arguments.json:
        say_json(answer)
        return 0
    view, page, at = cast("HistoryView", answer), page_of(sys.stdout), now()
    if arguments.csv:
        _say_csv(csv_rows(view), page)
    else:
        say(*(task_lines(view, page, at) if target.task else history_lines(view, page, at)))
    return 0


def history_lines(view: HistoryView, page: Page, at: datetime) -> list[str]:
    """Return the table of past tasks."""
    if not view["fates"]:
        return ["Nothing has been recorded."]
    rows = [_fate_row(fate, at) for fate in view["fates"]]
    return table(
        rows,
        page,
        header=("task", "state", "since", "took", "CPU", "memory", "attempts", "reason"),
    )


def _fate_row(fate: TaskView | RunView, at: datetime) -> Sequence[Cell]:
    if "task" in fate:
        count = str(len(fate["attempts"])) if len(fate["attempts"]) > 1 else ""
        cost = _cost_cells(fate["attempts"][-1]) if fate["attempts"] else ("", "")
        stale = f"stale: {fate['stale']} has been redone" if fate["stale"] else ""
        return fate["task"], *ended_cells(fate, at), *cost, count, stale or fate["reason"]
    state = (fate["state"], STATE_STYLES.get(fate["state"]))
    return _span_of(fate), state, moment_in_words(fate["at"], at), "", "", "", "", fate["reason"]


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
    if fate["stale"]:
        lines.append(f"  stale: {clean(fate['stale'])} has been redone since")
    for asked, given in fate["stand_ins"]:
        lines.append(f"  {clean(given)} stood in for {clean(asked)}")
    return lines + table(
        [_attempt_row(one, at) for one in fate["attempts"]],
        page,
        header=("attempt", "started", "took", "CPU", "memory", "outcome", "log"),
    )


def _attempt_row(attempt: AttemptView, at: datetime) -> Sequence[Cell]:
    return (
        str(attempt["number"]),
        moment_in_words(attempt["started_at"], at),
        length_between(attempt["started_at"], attempt["ended_at"], at),
        *_cost_cells(attempt),
        _outcome_of(attempt),
        attempt["log"],
    )


def _cost_cells(attempt: AttemptView) -> tuple[str, str]:
    cpu_time, peak_memory = attempt["cpu_time"], attempt["peak_memory"]
    return (
        "" if cpu_time is None else length_in_words(timedelta(seconds=cpu_time)),
        "" if peak_memory is None else size_in_words(peak_memory),
    )


def size_in_words(size: int) -> str:
    """Return ``850 KB``, ``9.6 MB``, ``120 MB`` or ``2.1 GB``: two digits or more."""
    value, unit = size / 1000, "KB"
    for larger in ("MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _outcome_of(attempt: AttemptView) -> str:
    if attempt["outcome"] is None:
        return "runs"
    if attempt["code"] is not None:
        how = f"exit code {attempt['code']}"
    else:
        how = attempt["signal"] or ""
    parts = (attempt["outcome"] if attempt["outcome"] != "exited" else "", how, attempt["error"])
    return ", ".join(part for part in parts if part)


def csv_rows(view: HistoryView) -> Iterator[Sequence[object]]:
    """Yield the header, then a line an attempt; a task or run without one has a line as well."""
    yield (*COLUMNS_OF_TASK, *COLUMNS_OF_ATTEMPT)
    for fate in view["fates"]:
        columns = _csv_columns(fate)
        for attempt in fate["attempts"] if "task" in fate else []:
            yield (*columns, *(attempt.get(name) for name in COLUMNS_OF_ATTEMPT))
        if "task" not in fate or not fate["attempts"]:
            yield (*columns, *([None] * len(COLUMNS_OF_ATTEMPT)))


def _csv_columns(fate: TaskView | RunView) -> Sequence[object]:
    if "task" in fate:
        return [fate.get(name) for name in COLUMNS_OF_TASK]
    run = {"task": fate["first"], "changed_at": fate["at"]}
    return [run.get(name, fate.get(name)) for name in COLUMNS_OF_TASK]


def _say_csv(rows: Iterator[Sequence[object]], page: Page) -> None:
    """Print rows as RFC 4180 has them."""
    keep_line_ends()
    is_seen = page.width is not None
    writer = csv.writer(sys.stdout)
    for row in rows:
        # What a script says may hold what a terminal obeys.
        writer.writerow([clean(one) if is_seen and isinstance(one, str) else one for one in row])
