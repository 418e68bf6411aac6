"""Live through many seeds, or look for planted faults: ``make simulate SEEDS=10000``."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import Pool
from time import monotonic

from tests.simulation.shrink import shrunk
from tests.simulation.story import story_of
from tests.simulation.telling import in_words, told
from tests.simulation.world import Outcome, live_through

_MOST_TOLD = 3
_TELL_EVERY = 5.0  # seconds


@dataclass
class Totals:
    """What came of many seeds."""

    seeds: int = 0
    simulated: timedelta = timedelta()
    crashes: int = 0
    points: int = 0
    attempts: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, seed: int, outcome: Outcome) -> None:
        """Count one more."""
        self.seeds += 1
        self.simulated += outcome.simulated
        self.crashes += outcome.crashes
        self.points += outcome.points
        self.attempts += outcome.attempts
        if outcome.broken is not None:
            self.broken.append((seed, outcome.broken.promise))

    def __str__(self) -> str:
        return (
            f"{self.seeds:,} seeds, {in_words(self.simulated)}, {self.attempts:,} attempts,"
            f" {self.crashes:,} crashes, {self.points:,} steps, {len(self.broken)} broken"
        )


def _lived(seed: int) -> tuple[int, Outcome]:
    outcome = live_through(story_of(seed))
    return seed, outcome if outcome.broken is not None else outcome.without_lines()


def _in_parallel(seeds: Iterable[int]) -> Iterator[tuple[int, Outcome]]:
    with Pool(os.cpu_count()) as pool:
        yield from pool.imap_unordered(_lived, seeds, chunksize=4)


def simulate(seeds: range, tell: Callable[[str], None]) -> Totals:
    """Live through seeds, and tell of it now and then."""
    totals, begun = Totals(), monotonic()
    told_at = begun
    for seed, outcome in _in_parallel(seeds):
        totals.add(seed, outcome)
        if monotonic() - told_at >= _TELL_EVERY:
            told_at = monotonic()
            tell(f"{totals}")
    print(f"{totals}; {monotonic() - begun:.0f} s")
    return totals


def _tell_broken(totals: Totals) -> None:
    seen: Counter[str] = Counter()
    for seed, promise in sorted(totals.broken):
        seen[promise] += 1
        if seen[promise] == 1 and len(seen) <= _MOST_TOLD:
            story = shrunk(story_of(seed))
            print(f"\nSeed {seed} breaks a promise; in short:\n")
            print(told(story, live_through(story)))
    print("\nBroken:")
    for promise, count in seen.most_common():
        examples = [str(seed) for seed, its in sorted(totals.broken) if its == promise][:8]
        print(f"{count:6}  {promise} (seeds {', '.join(examples)})")


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="tell the story of one, whole")
    parser.add_argument(
        "--faults", nargs="*", help="look for planted faults instead; names of some"
    )
    given = parser.parse_args(arguments)
    if given.faults is not None:
        from tests.simulation.hunting import hunt

        return hunt(given.faults, range(given.first, given.first + given.seeds))
    if given.seed is not None:
        outcome = live_through(story_of(given.seed))
        print("\n".join(outcome.lines))
        print(told(story_of(given.seed), outcome))
        return int(outcome.broken is not None)
    totals = simulate(
        range(given.first, given.first + given.seeds),
        lambda words: print(words, file=sys.stderr, flush=True),
    )
    if totals.broken:
        _tell_broken(totals)
    return int(bool(totals.broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
