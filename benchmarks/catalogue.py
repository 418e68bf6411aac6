"""Which benchmarks there are.

Each is a module with ``measure(setting)``, which yields the figures of one round; a new one is a
module and a line here.  Figures with the same `what` share a table, and those of the floors in it
are what the others are held against.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from benchmarks.figures import Figure
from benchmarks.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One question, and the module that answers it."""

    name: str
    question: str
    most_rounds: int | None = None  # of one that takes long, and measures often in a round

    def measure(self, setting: Setting) -> Iterable[Figure]:
        """Return the figures of one round."""
        module = importlib.import_module(f"benchmarks.{self.name}")
        return cast("Iterable[Figure]", module.measure(setting))


BENCHMARKS = (
    Benchmark(name="parts", question="What are the floors made of?"),
    Benchmark(
        name="lateness",
        question="How long from an instant to the first statement?",
        most_rounds=3,
    ),
    Benchmark(
        name="handoff",
        question="How long from the end of a task to the first statement of the next?",
    ),
    Benchmark(
        name="throughput",
        question="How many tasks a second, each in its own process?",
        most_rounds=4,
    ),
    Benchmark(
        name="resting", question="What does a scheduler cost with nothing due?", most_rounds=2
    ),
    Benchmark(
        name="starting", question="How long until a scheduler serves, or a verb has answered?"
    ),
    Benchmark(name="scale", question="What comes of many routines?", most_rounds=1),
    Benchmark(
        name="events", question="What does an event cost when many tasks are about?", most_rounds=3
    ),
    Benchmark(
        name="burst",
        question="What becomes of other tasks while thousands fall due?",
        most_rounds=3,
    ),
    Benchmark(
        name="history", question="Does it matter how many tasks there have been?", most_rounds=1
    ),
)


def chosen(names: Iterable[str]) -> tuple[Benchmark, ...]:
    """Return the benchmarks of these names, or all where none is given, in the usual order.

    Raises:
        KeyError: there is none of that name.
    """
    wanted = set(names)
    if unknown := wanted - {one.name for one in BENCHMARKS}:
        raise KeyError(", ".join(sorted(unknown)))
    return tuple(one for one in BENCHMARKS if not wanted or one.name in wanted)
