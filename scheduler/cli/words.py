"""The words of a command line: options with ``_`` or ``-``, and what a plain word means."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from scheduler.errors import SchedulerError

# Their values may begin with a dash themselves: --arguments --force.
_TAKES_ANYTHING = ("--arguments",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a verb is about: a task, a routine, or neither."""

    task: str | None = None
    routine: str | None = None

    @property
    def is_given(self) -> bool:
        """Return whether there is one."""
        return self.task is not None or self.routine is not None


def with_underscores(words: Sequence[str]) -> list[str]:
    """Return the words with ``_`` for ``-`` in the names of options; their values stay."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*found, word, *rest]
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            word = "--" + name[2:].replace("-", "_") + equals + value
            if word in _TAKES_ANYTHING:
                word = "=".join([word, *islice(rest, 1)])
        found.append(word)
    return found


def target_of(arguments: Namespace) -> Target:
    """Return what was named, as a plain word or by an option.

    Raises:
        SchedulerError: more than one thing was, or what should be a task is none.
    """
    word: str | None = getattr(arguments, "word", None)
    routine: str | None = getattr(arguments, "routine_name", None)
    task: str | None = getattr(arguments, "task_name", None)
    given = [one for one in (word, routine, task) if one is not None]
    if len(given) > 1:
        raise SchedulerError(f"name one task or routine, not {' and '.join(map(repr, given))}")
    if "" in given:
        raise SchedulerError("the name of a task or routine is empty")
    if word is not None:
        return meant_by(word)
    if task is not None and not is_task(task):
        from scheduler.registry.task_id import split_task_id

        split_task_id(task)
    return Target(task=task, routine=routine)


def needed_target_of(arguments: Namespace) -> Target:
    """Return what was named.

    Raises:
        SchedulerError: nothing was.
    """
    target = target_of(arguments)
    if not target.is_given:
        raise SchedulerError(f"name a task or routine (see scheduler {arguments.verb} --help)")
    return target


def routine_of(arguments: Namespace) -> str | None:
    """Return the routine that was named, if one was.

    Raises:
        SchedulerError: it is a task.
    """
    target = target_of(arguments)
    if target.task is not None:
        from scheduler.registry.task_id import split_task_id

        name = split_task_id(target.task)[0]
        raise SchedulerError(
            f"{arguments.verb} takes a routine, not a task (did you mean {name!r}?)"
        )
    return target.routine


def meant_by(word: str) -> Target:
    """Return what a plain word names: a task if it reads as a task's id, else a routine."""
    return Target(task=word) if is_task(word) else Target(routine=word)


def is_task(word: str) -> bool:
    """Return whether a word reads as a task's id."""
    if "." not in word:
        return False
    from scheduler.registry.task_id import split_task_id

    try:
        split_task_id(word)
    except SchedulerError:
        return False
    return True
