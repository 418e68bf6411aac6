"""What was to be reached, and whether it was: the goals as a table, held against summaries.

Pure, as the figures are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import BARE, OURS, PROMISED, Summary
from benchmarks.tables import markdown, number


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


def goals_table(summaries: Sequence[Summary]) -> str:
    """Return each goal, what was measured, and whether that is enough."""
    found = {(one.what, one.who, one.size): one for one in summaries}
    rows = [_row(goal, found.get((goal.what, goal.who, goal.size))) for goal in GOALS]
    return markdown(["what", "goal", "measured", "reached"], rows, is_text=True)


def _row(goal: Goal, summary: Summary | None) -> list[str]:
    what = goal.what if goal.size is None else f"{goal.what}: {goal.size:,}"
    value = None if summary is None else _value(goal, summary)
    if summary is None or value is None:
        return [what, goal.in_words(), "not measured", ""]
    is_reached = value >= goal.limit if goal.is_least else value <= goal.limit
    return [what, goal.in_words(), number(value), "yes" if is_reached else "no"]


def _value(goal: Goal, summary: Summary) -> float | None:
    if goal.of:
        return (summary.p99_ratios if goal.is_p99 else summary.ratios).get(goal.of)
    return summary.median
