"""``run``: one routine in the foreground as the scheduler would run it, recording nothing."""

import signal
import threading
from argparse import Namespace
from datetime import datetime
from pathlib import Path
from typing import cast

from scheduler.cli.printing import say_aside
from scheduler.cli.sources import config_of_folder, given_name, source_of
from scheduler.cli.times import now
from scheduler.cli.words import Target, needed_target_of
from scheduler.engine.commands import StartAttempt
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.registry import Registry
from scheduler.registry.task_id import parse_moment, parse_task_id, split_task_id
from scheduler.service.answers import HistoryView
from scheduler.service.config import read_config
from scheduler.service.executors.protocol import Exit, Launch, LaunchError
from scheduler.service.launches import Launcher
from scheduler.service.registry_files import load_registry
from scheduler.zones import to_instant, to_utc

_LOOK_EVERY = 0.2  # seconds
_HISTORY = 1000  # fates among which the last success is looked for


def run(arguments: Namespace) -> int:
    """Run a routine, and return its exit code."""
    target = needed_target_of(arguments)
    config = config_of_folder(arguments)
    if config is None:
        raise SchedulerError("there is no config.cfg here: give --config_file")
    settings = read_config(config)
    registry = load_registry(settings.registry, settings.timezone)
    id = _task_of(target, arguments.instant, registry)
    launcher = Launcher(name=given_name(arguments) or _name_of(config), settings=settings)
    previous = registry.triggers.previous(id.routine, to_instant(id.instant) - 1)
    start = StartAttempt(
        task=id,
        attempt=1,
        previous_instant=None if previous is None else to_utc(previous),
        since=_last_success(arguments, id.routine),
    )
    try:
        exit_ = _run(launcher.launch(registry[id.routine], start, log=None))
    except LaunchError as error:
        raise SchedulerError(f"routine {id.routine!r} cannot be run: {error}") from error
    return _code_of(exit_)


def _task_of(target: Target, instant: str | None, registry: Registry) -> TaskId:
    """Return the task to run: at the instant asked for, else at the latest up to now."""
    if target.task is not None:
        if instant is not None:
            raise SchedulerError("give the task or --instant, not both")
        return parse_task_id(target.task, registry[split_task_id(target.task)[0]].zone)
    assert target.routine is not None
    routine = registry[target.routine]
    if instant is not None:
        return TaskId(routine.name, parse_moment(instant, registry.timezone), routine.zone)
    at = to_instant(now())
    latest = registry.triggers.previous(routine.name, at)
    return TaskId(routine.name, to_utc(at if latest is None else latest), routine.zone)


def _last_success(arguments: Namespace, routine: str) -> datetime | None:
    """Return the instant of the routine's newest task that succeeded, as far as that is known."""
    try:
        answer = source_of(arguments).get("history", routine=routine, limit=_HISTORY)
    except SchedulerError:
        return None  # no scheduler has ever run it, or none that is meant
    instants = [
        datetime.fromisoformat(fate["instant"])
        for fate in cast("HistoryView", answer)["fates"]
        if "task" in fate and fate["state"] == "succeeded"
    ]
    return max(instants, default=None)


def _name_of(config: Path) -> str:
    return config.resolve().parent.name


def _run(launch: Launch) -> Exit:
    """Run an attempt to its end.  Ctrl-C ends its tree politely, a second one hard.

    Raises:
        LaunchError: it cannot be started.
    """
    from scheduler.service.wiring import foreground_executor

    ended, exits = threading.Event(), list[Exit]()

    def report(task: str, attempt: int, exit_: Exit) -> None:
        exits.append(exit_)
        ended.set()

    # Its process has a session of its own: what ends us would not reach it.
    interrupts = _counted("SIGINT", "SIGTERM", "SIGHUP")
    executor = foreground_executor(report)
    heeded = 0
    try:
        executor.start(launch)
        while not exits:
            ended.wait(_LOOK_EVERY)
            if len(interrupts) > heeded:
                executor.kill(launch.task, launch.attempt, hard=heeded > 0)
                heeded = len(interrupts)
    finally:
        executor.close()
    return exits[0]


def _counted(*names: str) -> list[int]:
    """Return a list that grows with each of these signals that would end us.

    They are not exceptions: one in the middle of a start would leave the script behind.
    """
    seen: list[int] = []
    for name in names:
        number: signal.Signals | None = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: seen.append(number))
    return seen


def _code_of(exit_: Exit) -> int:
    if exit_.killed:
        raise KeyboardInterrupt
    if exit_.code is not None:
        return exit_.code
    say_aside(f"scheduler: the script was ended by {exit_.signal}")
    numbers = {one.name: one.value for one in signal.Signals}
    return 128 + numbers.get(exit_.signal or "", 0)
