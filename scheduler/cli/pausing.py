"""``pause`` and ``resume``: stop and start *starting* the tasks of routines."""

from argparse import Namespace
from typing import cast

from scheduler.cli.printing import clean, say, say_json
from scheduler.cli.sources import live_of
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError
from scheduler.service.answers import DoneView
from scheduler.service.client import Client


def pause(arguments: Namespace) -> int:
    """Start no tasks of some routines any more; they are still planned."""
    return _change("pause", arguments, until=arguments.until)


def resume(arguments: Namespace) -> int:
    """Let what was paused go on."""
    return _change("resume", arguments, until=None)


def _change(verb: str, arguments: Namespace, *, until: str | None) -> int:
    routine = routine_of(arguments)
    if (routine is not None) + (arguments.tag is not None) + arguments.all != 1:
        raise SchedulerError(f"{verb} takes one of: a routine, --tag TAG, --all")
    answer = Client(live_of(arguments)).post(
        verb, routine=routine, tag=arguments.tag, all=arguments.all or None, until=until
    )
    if arguments.json:
        say_json(answer)
    else:
        say(*map(clean, cast("DoneView", answer)["messages"]))
    return 0
