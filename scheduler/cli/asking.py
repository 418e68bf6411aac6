"""The verbs that change something: ``stop``, ``execute``, ``cancel``, ``mark``."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from typing import cast

from scheduler.cli.printing import clean, page_of, say, say_json
from scheduler.cli.sources import live_of
from scheduler.cli.words import Target, needed_target_of, target_of
from scheduler.errors import SchedulerError, as_word
from scheduler.service.answers import DoneView, StatusView
from scheduler.service.client import Client
from scheduler.service.instance import Instance, has_ended

_LOOK_EVERY = 0.1  # seconds
_OUTCOMES = ("succeeded", "skipped")
_NOT_CONFIRMED = 1  # exit code
_PATIENCE = 5.0  # seconds for a scheduler that ends just now to be gone


def stop(arguments: Namespace) -> int:
    """Ask the scheduler to stop, and return when it has ended."""
    live = live_of(arguments)
    client = Client(live)
    try:
        answer = client.post("stop", now=arguments.now, detach=arguments.detach)
    except SchedulerError:
        # It may have ended before it could answer: because of another stop, or a signal.
        if not _ends_within(live, _PATIENCE):
            raise
        answer = {"messages": list[str]()}
    if not arguments.json:
        say(*map(clean, cast("DoneView", answer)["messages"]))
    _wait_for_end(live, client, is_quiet=arguments.json)
    if arguments.json:
        say_json(answer)
    else:
        say(f"scheduler {live.name} has ended")
    return 0


def execute(arguments: Namespace) -> int:
    """Ask for tasks to run now; with ``--wait``, follow them to their end."""
    target = target_of(arguments)
    _check_execute(arguments, target)
    live = live_of(arguments)
    client = Client(live)
    wanted = {
        "task": target.task,
        "failed": arguments.failed or None,
        "late": arguments.late or None,
        "unknown": arguments.unknown or None,
        "stale": arguments.stale or None,
        "since": arguments.since,
        "downstream": arguments.downstream or None,
    }
    if arguments.downstream or arguments.stale:
        from scheduler.cli.rerunning import is_agreed

        if not is_agreed(client, arguments, wanted):
            return _NOT_CONFIRMED
    answer = client.post("execute", **wanted, routine=target.routine, arguments=arguments.arguments)
    done = cast("DoneView", answer)
    if arguments.wait:
        from scheduler.cli.following import wait_for

        return wait_for(done, live, is_json=arguments.json)
    _print_done(answer, is_json=arguments.json)
    return 0


def _check_execute(arguments: Namespace, target: Target) -> None:
    options = (arguments.failed, arguments.late, arguments.unknown, arguments.stale)
    if sum(options) + target.is_given != 1:
        raise SchedulerError(
            "execute takes one of: a task, a routine, --failed, --late, --unknown, --stale"
        )
    if arguments.since is not None and not arguments.failed:
        raise SchedulerError("--since goes with --failed only")
    if arguments.downstream and target.routine is not None:
        raise SchedulerError(
            "--downstream takes a task, such as"
            f" {target.routine}.2026-10-01T02:00:00: nothing waits for one by hand"
        )
    if arguments.downstream and arguments.stale:
        raise SchedulerError("--stale includes what rests on stale tasks: leave out --downstream")
    goes_on = arguments.downstream or arguments.stale or arguments.late
    if arguments.arguments is not None and goes_on:
        raise SchedulerError("--arguments goes with one task, not with what waits for it")


def cancel(arguments: Namespace) -> int:
    """Ask for a task to end."""
    target = needed_target_of(arguments)
    if target.task is None:
        raise SchedulerError(
            f"cancel takes a task, such as {target.routine}.2026-10-01T02:00:00"
            f" (scheduler status {as_word(target.routine)} lists them)"
        )
    return _change(
        arguments,
        lambda client: client.post("cancel", task=target.task, downstream=arguments.downstream),
    )


def mark(arguments: Namespace) -> int:
    """Record what became of tasks."""
    target, outcome = marked(arguments)
    return _change(
        arguments,
        lambda client: client.post(
            "mark",
            **{
                "task": target.task,
                "routine": target.routine,
                "unknown": arguments.unknown or None,
                "from": arguments.start,
                "to": arguments.end,
                "as": outcome,
            },
        ),
    )


def marked(arguments: Namespace) -> tuple[Target, str]:
    """Return what is to be marked, and as what: ``mark TASK succeeded`` or ``--as succeeded``.

    Raises:
        SchedulerError: one of the two is missing, or there is too much.
    """
    words, outcome = list[str](arguments.words), arguments.outcome
    if outcome is None:
        if not words or words[-1] not in _OUTCOMES:
            raise SchedulerError("say as what: --as succeeded, or --as skipped")
        outcome = words.pop()
    if len(words) > 1:
        raise SchedulerError(
            f"mark takes one task or routine, not {' and '.join(map(repr, words))}"
        )
    arguments.word = words[0] if words else None
    target = target_of(arguments)
    if arguments.unknown + target.is_given != 1:
        raise SchedulerError("mark takes one of: a task, a routine with --from and --to, --unknown")
    has_range = arguments.start is not None and arguments.end is not None
    if target.routine is not None and not has_range:
        raise SchedulerError("a routine is marked with --from and --to")
    if target.routine is None and (arguments.start or arguments.end):
        raise SchedulerError("--from and --to go with a routine")
    return target, outcome


def _change(arguments: Namespace, ask: Callable[[Client], object]) -> int:
    answer = ask(Client(live_of(arguments)))
    _print_done(answer, is_json=arguments.json)
    return 0


def _print_done(answer: object, *, is_json: bool) -> None:
    if is_json:
        say_json(answer)
    else:
        say(*map(clean, cast("DoneView", answer)["messages"]))


def _ends_within(live: Instance, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not has_ended(live):
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _wait_for_end(live: Instance, client: Client, *, is_quiet: bool) -> None:
    """Wait until the scheduler has ended; on a terminal say so when it waits for fewer tasks."""
    is_watched = not is_quiet and page_of(sys.stdout).width is not None
    told: list[str] = []
    while not _ends_within(live, 1.0):
        running = _running(client) if is_watched else []
        # What it waits for at first, its answer has said.
        if told and running and running != told:
            say(f"still waiting for {clean(', '.join(running))}")
        told = running


def _running(client: Client) -> list[str]:
    try:
        view = cast("StatusView", client.get("status"))
    except SchedulerError:
        return []  # it has just ended, or is about to
    return [task["task"] for task in view["running"]]
