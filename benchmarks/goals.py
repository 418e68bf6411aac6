"""What was to be reached, and whether it was: the goals as a table, held against what a page says.

Pure, as the figures are.  The page says it, and no run alone: each question may be asked by itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.figures import BARE, OURS, PROMISED
from benchmarks.tables import markdown, number, times


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One number of the scheduler's: at most so much, or at least."""

    what: str
    limit: float
    who: str = OURS
    of: str = ""  # times this floor, or its own usual figure
    unit: str = ""  # where it is not held against another
    size: int | None = None
    is_p99: bool = False
    is_least: bool = False

    def in_words(self) -> str:
        """Return what it asks for."""
        bound = "at least" if self.is_least else "at most"
        base = "usual median" if self.of == OURS else self.of
        unit = f"times the {base}" if base else self.unit
        asked = f"{bound} {number(self.limit)} {unit}"
        return f"p99 {asked}'s" if self.is_p99 else asked


_HANDOFF = "hand-off, from the end of the process"
_THROUGHPUT = "throughput, two at a time"
_MANY = 100_000  # routines
_LONG = 10_000_000  # tasks of history
_HALF_GB = 500e6 / 2**20  # in MiB
_NOTHING = 50  # ms, which the system counts as 0.0 s

GOALS = (
    Goal(what=_HANDOFF, of=PROMISED, limit=1.5),
    Goal(what=_HANDOFF, of=BARE, limit=2),
    Goal(what=_HANDOFF, of=PROMISED, limit=4, is_p99=True),
    Goal(what="start lateness", of=PROMISED, limit=2),
    Goal(what=_THROUGHPUT, of=PROMISED, limit=0.8, is_least=True),
    Goal(what=_THROUGHPUT, of=BARE, limit=0.5, is_least=True),
    # Each by itself; to serve is to have loaded, checked and planned.
    Goal(what="load_registry, by routines", size=_MANY, limit=10, unit="s"),
    Goal(what="check, the whole command, by routines", size=_MANY, limit=10, unit="s"),
    Goal(
        what="plan of all for ten minutes, the whole command, by routines",
        size=_MANY,
        limit=10,
        unit="s",
    ),
    Goal(what="until it serves, by routines", size=_MANY, limit=10, unit="s"),
    Goal(what="resident memory, by routines", size=_MANY, limit=_HALF_GB, unit="MiB"),
    Goal(what="processor time in 10 s at rest, by routines", size=_MANY, limit=_NOTHING, unit="ms"),
    Goal(what="10,000 due at once: until the last is planned and stored", limit=1, unit="s"),
    Goal(what="10,000 due at once: hand-off of others", who=f"{OURS}, meanwhile", of=OURS, limit=2),
    Goal(what="status, the whole command, by tasks of history", size=_LONG, limit=120, unit="ms"),
    Goal(what="processor time in 60 s at rest", limit=_NOTHING, unit="ms"),
    Goal(what="resident memory at rest", limit=60, unit="MiB"),
)


#: (what was measured, who, column) -> what stands there
Cells = Mapping[tuple[str, str, str], str]

_TABLE = re.compile(r"^\*\*(?P<what>.+)\*\*\n\n(?P<lines>(?:\|.*\|\n?)+)", re.MULTILINE)


def goals_table(page: str) -> str:
    """Return each goal, what the tables of a page say, and whether that is enough."""
    cells = dict(_cells(page))
    return markdown(
        ["what", "goal", "measured", "reached"], [_row(goal, cells) for goal in GOALS], is_text=True
    )


def _cells(page: str) -> Iterator[tuple[tuple[str, str, str], str]]:
    for found in _TABLE.finditer(page):
        headers, _, *rows = (_split(line) for line in found["lines"].splitlines())
        for who, *values in rows:
            for column, value in zip(headers[1:], values, strict=True):
                name = column.partition(", ")[0]  # "median, ms"
                yield (found["what"].casefold(), who, name), value


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def _row(goal: Goal, cells: Cells) -> list[str]:
    what = goal.what if goal.size is None else f"{goal.what}: {goal.size:,}"
    said = cells.get((goal.what.casefold(), goal.who, _column(goal)), "").replace(",", "")
    try:
        value = float(said)
    except ValueError:
        return [what, goal.in_words(), "not measured", ""]
    is_reached = value >= goal.limit if goal.is_least else value <= goal.limit
    return [what, goal.in_words(), number(value), "yes" if is_reached else "no"]


def _column(goal: Goal) -> str:
    if goal.size is not None:
        return f"{goal.size:,}"
    if not goal.of:
        return "median"
    return f"p99: {times(goal.of)}" if goal.is_p99 else times(goal.of)
