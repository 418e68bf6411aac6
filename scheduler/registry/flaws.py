"""What is wrong with a value, what would be right, and the report that collects both.

Values only: where a text comes from and how a problem is printed are others' business.
"""

import difflib
import re
from collections.abc import Iterable

from scheduler.errors import Problem, SchedulerError
from scheduler.registry.routine import Place

# A file may hold any number of unknown names, and each suggestion looks at many known ones.
_MOST_SUGGESTIONS = 25
_MOST_CANDIDATES = 5_000
_LONGEST_SUGGESTED = 200

_TRAILING_HINT = re.compile(r"(.+) \(((?:did you mean|write) [^()]+)\)", re.DOTALL)


class Flaw(SchedulerError):
    """A value that cannot be used: the reason, and perhaps a hint at what would be right."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{reason} ({hint})" if hint else reason)
        self.reason = reason
        self.hint = hint


def flaw_of(error: SchedulerError) -> Flaw:
    """Return any error as a `Flaw`, with a hint that stands in brackets at its end set apart."""
    if isinstance(error, Flaw):
        return error
    found = _TRAILING_HINT.fullmatch(str(error))
    return Flaw(found[1], found[2]) if found else Flaw(str(error))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be, if there is one."""
    if len(word) > _LONGEST_SUGGESTED:
        return None
    folded = word.strip().casefold()
    candidates: dict[str, str] = {}
    for name in known:
        if abs(len(name) - len(folded)) <= 3:
            candidates.setdefault(name.casefold(), name)
            if len(candidates) == _MOST_CANDIDATES:
                break
    near = difflib.get_close_matches(folded, candidates, n=1)
    return candidates[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return a hint with the closest known word, or None if none is close."""
    found = closest(word, known)
    return f"did you mean {found!r}?" if found else None


def listed(words: Iterable[str], last: str = "or") -> str:
    """Return ``'a', 'b' or 'c'``."""
    *firsts, final = (repr(word) for word in words)
    return f"{', '.join(firsts)} {last} {final}" if firsts else final


class Report:
    """The problems found so far in the files of one registry."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._errors: list[Problem] = []
        self._suggestions_left = _MOST_SUGGESTIONS

    def begin_file(self, file: str) -> None:
        """Note that ``file`` is read now: its problems come after those of the files before."""
        self._files.setdefault(file, len(self._files))

    def add(
        self, place: Place, message: str, hint: str | None = None, routine: str | None = None
    ) -> None:
        """Note an error."""
        self._errors.append(
            Problem(
                file=place.file,
                line=place.line,
                column=place.column,
                routine=routine,
                message=message,
                hint=hint,
            )
        )

    def suggest(self, word: str, known: Iterable[str]) -> str | None:
        """Return a hint as `did_you_mean` does, but only for the first unknown words."""
        if self._suggestions_left == 0:
            return None
        self._suggestions_left -= 1
        return did_you_mean(word, known)

    @property
    def count(self) -> int:
        """Return how many errors there are so far."""
        return len(self._errors)

    def errors(self) -> tuple[Problem, ...]:
        """Return all errors: file by file as they were read, each from its top to its end."""
        last = len(self._files)
        return tuple(
            sorted(
                self._errors,
                key=lambda problem: (
                    self._files.get(problem.file, last),
                    problem.line or 0,
                    problem.column or 0,
                ),
            )
        )
