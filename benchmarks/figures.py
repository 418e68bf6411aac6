"""What was measured, as values: the figures of a round, and what several rounds come to.

Pure: numbers in, numbers out.  Medians, not means: one slow write of a disk is no news.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

#: The scheduler as it comes.
OURS = "scheduler"

#: Whose figures all others of their round are held against: the floors, the strictest first.
BARE = "bare floor"
PROMISED = "promised floor"
BASES = (BARE, PROMISED, OURS)

#: With fewer samples in a round the 99th percentile would be the worst of them, or nothing.
_ENOUGH_FOR_P99 = 50

_Key = tuple[str, str, int | None]
_Statistic = Callable[[Sequence[float]], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one round measured of one thing: samples, or the reason why there are none."""

    what: str  # figures of one `what` share a table, and are compared
    who: str  # the scheduler, a peer, or a floor
    unit: str
    samples: tuple[float, ...] = ()
    size: int | None = None  # the x of a curve: routines, or tasks of history
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What all rounds say of one thing."""

    what: str
    who: str
    unit: str
    size: int | None
    rounds: int  # that measured it
    samples: int  # of all rounds together
    median: float | None  # of the rounds' medians; None where nothing was measured
    lowest: float | None  # of the rounds' medians
    highest: float | None
    p99: float | None  # the median of the rounds' 99th percentiles
    missing: str
    #: how many times that of a base in the same round, by base: the median of the rounds
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])
    p99_ratios: Mapping[str, float] = field(default_factory=dict[str, float])


def summarised(rounds: Sequence[Iterable[Figure]]) -> list[Summary]:
    """Return a summary of each thing measured, in the order in which they first came.

    What a round measures several times, such as a floor before and after all else, counts as one.
    """
    by_round = [_by_key(figures) for figures in rounds]
    keys = dict.fromkeys(key for figures in by_round for key in figures)
    return [_summary(key, by_round) for key in keys]


def _by_key(figures: Iterable[Figure]) -> dict[_Key, Figure]:
    found: dict[_Key, Figure] = {}
    for one in figures:
        key = (one.what, one.who, one.size)
        before = found.get(key)
        samples = one.samples if before is None else before.samples + one.samples
        found[key] = replace(one, samples=samples)
    return found


def p99(samples: Sequence[float]) -> float | None:
    """Return the 99th percentile; None where there are too few samples for one."""
    if len(samples) < _ENOUGH_FOR_P99:
        return None
    return statistics.quantiles(samples, n=100, method="inclusive")[98]


def _summary(key: _Key, rounds: Sequence[Mapping[_Key, Figure]]) -> Summary:
    found = [figures[key] for figures in rounds if key in figures]
    measured = [one for one in found if one.samples]
    medians = [statistics.median(one.samples) for one in measured]
    p99s = [high for one in measured if (high := p99(one.samples)) is not None]
    what, who, size = key
    return Summary(
        what=what,
        who=who,
        unit=found[0].unit,
        size=size,
        rounds=len(measured),
        samples=sum(len(one.samples) for one in measured),
        median=statistics.median(medians) if medians else None,
        lowest=min(medians, default=None),
        highest=max(medians, default=None),
        p99=statistics.median(p99s) if p99s else None,
        missing=next((one.missing for one in found if one.missing), ""),
        ratios=_ratios(key, rounds, statistics.median),
        p99_ratios=_ratios(key, rounds, p99),
    )


def _ratios(
    key: _Key, rounds: Sequence[Mapping[_Key, Figure]], statistic: _Statistic
) -> dict[str, float]:
    """Return how many times each base it is; each round is held against its own."""
    what, _, size = key
    ratios: dict[str, float] = {}
    for base in BASES:
        found = [
            value / unit
            for figures in rounds
            if (value := _of(figures.get(key), statistic)) is not None
            and (unit := _of(figures.get((what, base, size)), statistic))
        ]
        if found:
            ratios[base] = statistics.median(found)
    return ratios


def _of(figure: Figure | None, statistic: _Statistic) -> float | None:
    return statistic(figure.samples) if figure is not None and figure.samples else None
