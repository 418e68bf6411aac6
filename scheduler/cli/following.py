"""``logs``, and ``execute --wait``: an attempt's output, also as it comes."""

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from scheduler.cli.printing import clean, say, say_aside, say_json
from scheduler.cli.sources import DataFolder, Source, source_of
from scheduler.cli.words import needed_target_of
from scheduler.errors import SchedulerError
from scheduler.service.answers import DoneView, HistoryView, LogsView, TaskView
from scheduler.service.client import Client
from scheduler.service.instance import Instance, has_ended
from scheduler.service.log_files import open_log

_LOOK_EVERY = 0.2  # seconds
_CHUNK = 1 << 20
_ENDS = ("succeeded", "failed", "cancelled", "skipped")


def logs(arguments: Namespace) -> int:
    """Print the log of an attempt; with ``--follow`` until it has ended."""
    target = needed_target_of(arguments)
    if arguments.follow and arguments.json:
        raise SchedulerError("give --follow or --json, not both")
    source = source_of(arguments)
    answer = source.get("logs", task=target.task, routine=target.routine, attempt=arguments.attempt)
    view = cast("LogsView", answer)
    if arguments.json:
        say_json(answer)
    elif arguments.follow:
        follow(view, source)
    elif not os.path.exists(view["path"]) and not view["is_running"]:
        raise SchedulerError(
            f"the log of {view['task']}, attempt {view['attempt']}, is gone: {view['path']}"
            " (config.cfg limits logs in [history])"
        )
    else:
        for chunk in _chunks(Path(view["path"]), _ended):
            write(chunk)
    return 0


def follow(view: LogsView, source: Source) -> None:
    """Write an attempt's log as it comes, until the attempt has ended."""

    def is_running() -> bool:
        try:
            now = source.get("logs", task=view["task"], attempt=view["attempt"])
        except SchedulerError:
            return False  # the scheduler has ended, and the attempt with it
        return cast("LogsView", now)["is_running"]

    # A scheduler that is down runs nothing, whatever its data folder says.
    goes_on = view["is_running"] and not isinstance(source, DataFolder)
    for chunk in _chunks(Path(view["path"]), is_running if goes_on else _ended):
        write(chunk)


def write(data: bytes) -> None:
    """Write bytes on stdout as they are."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] closed by the caller
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def wait_for(done: DoneView, live: Instance, *, is_json: bool) -> int:
    """Follow tasks to their ends, one after the other; return 0 if all of them succeeded."""
    if not is_json:
        say(*map(clean, done["messages"]))
    ended = [_end_of(task, live, is_quiet=is_json) for task in done["tasks"]]
    if is_json:
        say_json({**done, "fates": ended})
    else:
        for task in ended:
            reason = f": {task['reason']}" if task["reason"] else ""
            say_aside(clean(f"{task['task']} {task['state']}{reason}"))
    return 0 if all(task["state"] == "succeeded" for task in ended) else 1


def _end_of(id: str, live: Instance, *, is_quiet: bool) -> TaskView:
    client = Client(live)
    task = _task(id, client, live)
    # The attempt asked for may have begun, or still wait for a slot behind those of before.
    has_begun = task["state"] in ("running", *_ENDS)
    followed = len(task["attempts"]) - has_begun
    # A blocked one does not go on by itself: what it waits for has failed.
    while task["state"] not in (*_ENDS, "blocked") or len(task["attempts"]) > followed:
        if len(task["attempts"]) > followed:
            followed = len(task["attempts"])
            if not is_quiet:
                follow(cast("LogsView", client.get("logs", task=id)), client)
        else:
            time.sleep(_LOOK_EVERY)
        task = _task(id, client, live)
    return task


def _task(id: str, client: Client, live: Instance) -> TaskView:
    try:
        fate = cast("HistoryView", client.get("history", task=id))["fates"][0]
    except SchedulerError as error:
        if has_ended(live):
            message = f"scheduler {live.name!r} has ended before {id} did"
            raise SchedulerError(message) from error
        raise
    assert "task" in fate, "what was executed is a task"
    return fate


def _chunks(path: Path, is_running: Callable[[], bool]) -> Iterator[bytes]:
    """Yield what a log holds, and what comes to it until its attempt does not run any more."""
    place, goes_on = 0, True
    while True:
        chunk, place = _read(path, place)
        if chunk:
            yield chunk
        elif not goes_on:
            return
        else:
            # Once more it is read after that: the attempt may have written until its end.
            goes_on = is_running()
            if goes_on:
                time.sleep(_LOOK_EVERY)


def _ended() -> bool:
    """Stand for an attempt that does not run."""
    return False


def _read(path: Path, place: int) -> tuple[bytes, int]:
    """Return what stands at a place of a file, and the place after it."""
    try:
        with open(open_log(path, os.O_RDONLY), "rb") as file:
            # A log beyond its limit is cut in the middle: what is new then stands at its end.
            place = min(place, file.seek(0, os.SEEK_END))
            file.seek(place)
            chunk = file.read(_CHUNK)
    except FileNotFoundError:
        return b"", place  # not written yet
    except OSError as error:
        raise SchedulerError(f"{path} cannot be read: {error.strerror or error}") from error
    return chunk, place + len(chunk)
