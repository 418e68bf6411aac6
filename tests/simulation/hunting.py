"""Looks for the planted faults, seed by seed: ``make simulate-faults``."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

from tests.simulation.faults import FAULTS
from tests.simulation.story import story_of
from tests.simulation.world import live_through

_MORE = 12  # seeds that are tried after the first, for one that finds a fault sooner

#: by which seed each fault was found last: ``name seed``
FOUND = Path(__file__).with_name("found.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """What gave a fault away."""

    name: str
    seed: int | None  # None: nothing did
    tried: int
    broken: str


def find(name: str, seeds: Iterable[int], *, more: int = 0) -> Find:
    """Return the first seed that finds a fault; or of that and ``more``, who is the quickest."""
    found: list[tuple[int, Find]] = []
    tried = 0
    with FAULTS[name].plant():
        for seed in seeds:
            tried += 1
            outcome = live_through(story_of(seed))
            if outcome.broken is not None:
                one = Find(name=name, seed=seed, tried=tried, broken=outcome.broken.promise)
                found.append((outcome.points, one))
            if found and tried >= found[0][1].tried + more:
                break
    nothing = Find(name=name, seed=None, tried=tried, broken="")
    return min(found, key=lambda one: one[0])[1] if found else nothing


def found_before() -> dict[str, int]:
    """Return by which seed each fault was found last."""
    lines = FOUND.read_text().splitlines() if FOUND.exists() else []
    return {name: int(seed) for name, seed in (line.split() for line in lines)}


def _found(given: tuple[str, range]) -> Find:
    name, seeds = given
    return find(name, seeds, more=_MORE)


def hunt(names: Sequence[str], seeds: range) -> int:
    """Look for faults, all if none is named; print the table, and keep what was found."""
    chosen = names or list(FAULTS)
    known = found_before()
    missed = 0
    with Pool(os.cpu_count()) as pool:
        for one in pool.imap(_found, [(name, seeds) for name in chosen], chunksize=1):
            where = f"seed {one.seed}" if one.seed is not None else f"not in {one.tried} seeds"
            print(f"{one.name:44} {where:12} {one.broken}", flush=True)
            missed += one.seed is None
            if one.seed is not None:
                known[one.name] = one.seed
    rows = [f"{name} {known[name]}" for name in FAULTS if name in known]
    FOUND.write_text("\n".join(rows) + "\n")
    print(f"{len(chosen) - missed} of {len(chosen)} planted faults were found")
    return int(missed > 0)
