"""What a user can get wrong, as one small family of exceptions.

Raised wherever a value from outside turns out to be unusable.  Printing them, and the exit
codes they lead to, belong to the command line.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class SchedulerError(ValueError):
    """A mistake that a user can mend: one line that says where, what, and what to do."""


class StoreError(SchedulerError):
    """The database could not be read or written: nothing was changed, it may be tried again."""


class DamagedError(StoreError):
    """The database is damaged: only a backup, or starting without it, helps."""


class UnknownRoutineError(SchedulerError, KeyError):
    """A name that no routine of the registry bears."""

    def __str__(self) -> str:
        # KeyError would print the repr of the message.
        return str(self.args[0]) if self.args else ""


def quoted(text: str, limit: int = 60) -> str:
    """Return ``text`` in quotes for a message, on one line and cut where it is too long to read."""
    shown = repr(text if len(text) <= limit else text[: limit - 1] + "…")
    # What cannot be printed becomes up to ten characters each.
    return shown if len(shown) <= 3 * limit + 2 else repr(text[: limit // 4] + "…")


def as_word(name: object) -> str:
    """Return a name or a task as one word of a command that is shown, to be typed as it stands."""
    text = str(name)
    return f'"{text}"' if " " in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong, or surprising, in a file: where, what, and what would be right."""

    file: str
    line: int | None  # from 1; None where the whole file is meant
    column: int | None  # from 1
    routine: str | None
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """Return ``FILE:LINE:COLUMN: MESSAGE (HINT)``."""
        place = ":".join(
            str(part) for part in (self.file, self.line, self.column) if part is not None
        )
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.message}{hint}"


class RegistryError(SchedulerError):
    """A registry that cannot be loaded, with every problem found in it.

    ``problems`` are in the order of their places in the files; ``names`` are the routines that
    could be read, for ``check`` to count.
    """

    def __init__(self, problems: Sequence[Problem], names: Sequence[str] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.names: tuple[str, ...] = tuple(names)


class ConfigError(SchedulerError):
    """A config.cfg that cannot be used, with every problem found in it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = tuple(problems)
