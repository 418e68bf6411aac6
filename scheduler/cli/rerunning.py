"""``backfill``, and what ``execute --downstream`` and ``--stale`` ask before they run."""

import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from scheduler.cli.confirming import is_confirmed
from scheduler.cli.main import INTERRUPTED
from scheduler.cli.printing import clean, page_of, progress_bar, say, say_json
from scheduler.cli.sources import live_of
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError, as_word
from scheduler.service.answers import DoneView, ExtentView, RerunView
from scheduler.service.client import Client
from scheduler.service.instance import Instance, has_ended

_FAILED = 1  # exit code: a task did not succeed, or it was not confirmed
_SHOWN = 20  # tasks that are named one by one
_MANY = 100  # a backfill of more is asked about
_LOOK_EVERY = 0.5  # seconds
_EASE = 10  # a scheduler is asked for a tenth of the time at most
_ON_THEIR_WAY = ("waiting", "ready", "running")


def is_agreed(
    client: Client, arguments: Namespace, wanted: Mapping[str, str | bool | None]
) -> bool:
    """Show what an execute would run, and return whether to go on."""
    asked = {name: "true" if value is True else value for name, value in wanted.items()}
    tasks = cast("RerunView", client.get("execute", **asked))["tasks"]
    if not arguments.json:
        say(f"{_tasks(len(tasks))}, each after those that it waits for:")
        say(*_list_of(tasks))
    if is_confirmed("Run them?" if len(tasks) > 1 else "Run it?", arguments):
        return True
    say("nothing was run")
    return False


def backfill(arguments: Namespace) -> int:
    """Have a routine's tasks of a range run; on a terminal, show how far it is."""
    wanted = _wanted(arguments)
    live = live_of(arguments)
    client = Client(live)
    extent = cast("ExtentView", client.get("backfill", **wanted))
    if not extent["missing"] and not _under_way(extent):
        return _nothing_to_do(extent, arguments)
    if not arguments.json:
        say(*_extent_lines(extent))
    if extent["missing"]:
        many = len(extent["missing"]) > _MANY
        if many and not is_confirmed(f"Run these {len(extent['missing'])} tasks?", arguments):
            say("nothing was planned")
            return _FAILED
        answer = client.post("backfill", **wanted)
    else:
        answer = {"messages": list[str](), "tasks": list[str]()}
    is_watched = page_of(sys.stdout).width is not None and not arguments.json
    code = _follow(client, live, wanted, is_watched) if arguments.wait or is_watched else 0
    if arguments.json:
        say_json(answer)
    elif not is_watched:
        say(*map(clean, cast("DoneView", answer)["messages"]))
    return code


def _wanted(arguments: Namespace) -> dict[str, str | None]:
    routine = routine_of(arguments)
    if routine is None or arguments.start is None:
        raise SchedulerError("backfill takes a routine and --from TIME, and --to TIME or now")
    return {
        "routine": routine,
        "from": arguments.start,
        "to": arguments.end,
        "all": "true" if arguments.all else None,
        "downstream": "true" if arguments.downstream else None,
    }


def _nothing_to_do(extent: ExtentView, arguments: Namespace) -> int:
    if arguments.json:
        say_json({"messages": list[str](), "tasks": list[str]()})
        return 0
    blocked = extent["blocked"]
    if blocked is None:
        say(f"nothing is missing: {_tasks(extent['count'])} succeeded")
        return 0
    say(f"what is missing is blocked: scheduler why {clean(as_word(blocked))}")
    return _FAILED


def _extent_lines(extent: ExtentView) -> list[str]:
    missing = extent["missing"]
    lines = [f"{_tasks(len(missing))} of {extent['count']} to run"]
    if _under_way(extent):
        lines[0] += f", {_under_way(extent)} more on their way already"
    by_routine = Counter(task.rpartition(".")[0] for task in missing)
    for routine, count in by_routine.items():
        own = [task for task in missing if task.rpartition(".")[0] == routine]
        span = own[0] if count == 1 else f"{own[0]} … {own[-1].removeprefix(routine + '.')}"
        lines.append(f"  {clean(span)}" + (f" ({count})" if count > 1 else ""))
    return lines


def _follow(
    client: Client, live: Instance, wanted: Mapping[str, str | None], is_watched: bool
) -> int:
    """Wait for the end of a backfill; return 0 if all of it succeeded."""
    page = page_of(sys.stdout)
    try:
        while True:
            began = time.monotonic()
            extent = _extent(client, live, wanted)
            if is_watched:
                ended = extent["count"] - sum(extent["live"].values())
                line = progress_bar(ended, extent["count"], _progress_in_words(extent), page)
                print(line, end="", flush=True)
            if not _under_way(extent):
                break
            time.sleep(max(_LOOK_EVERY, _EASE * (time.monotonic() - began)))
    except KeyboardInterrupt:
        say("", "the backfill goes on in the scheduler; the same command shows how far it is")
        return INTERRUPTED
    if is_watched:
        say("")
    return _verdict(extent)


def _extent(client: Client, live: Instance, wanted: Mapping[str, str | None]) -> ExtentView:
    try:
        return cast("ExtentView", client.get("backfill", **wanted))
    except SchedulerError as error:
        if has_ended(live):
            message = (
                f"scheduler {live.name!r} has ended: the backfill goes on when it starts again"
            )
            raise SchedulerError(message) from error
        raise


def _verdict(extent: ExtentView) -> int:
    failed = _unsuccessful(extent)
    if extent["blocked"] is not None:
        blocked = clean(as_word(extent["blocked"]))
        say(f"{_tasks(extent['live']['blocked'])} blocked: scheduler why {blocked}")
    if failed:
        say(f"{_tasks(failed)} did not succeed; the same command runs them again")
    return _FAILED if failed or extent["blocked"] is not None else 0


def _unsuccessful(extent: ExtentView) -> int:
    return extent["count"] - extent["done"] - sum(extent["live"].values())


def _under_way(extent: ExtentView) -> int:
    return sum(extent["live"].get(state, 0) for state in _ON_THEIR_WAY)


def _progress_in_words(extent: ExtentView) -> str:
    counts = [
        (extent["live"].get("running", 0), "running"),
        (extent["live"].get("blocked", 0), "blocked"),
        (_unsuccessful(extent), "without success"),
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _list_of(tasks: Sequence[str]) -> list[str]:
    lines = [f"  {clean(task)}" for task in tasks[:_SHOWN]]
    if len(tasks) > _SHOWN:
        lines.append(f"  … and {len(tasks) - _SHOWN} more")
    return lines


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"
