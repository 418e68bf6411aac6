"""What are the floors made of?

A start costs no less than its fork, or its new interpreter; a decision that is to last, one
transaction that is on the disk.
"""

from collections.abc import Iterator

from benchmarks.figures import Figure
from benchmarks.measuring import WAYS, ran_floor
from benchmarks.setting import Setting


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    committed = ran_floor(setting, next(iter(WAYS)), "commits", count=setting.either(500, 60))
    yield Figure(
        what="one committed transaction",
        who="SQLite, write-ahead log, full sync",
        unit="ms",
        samples=tuple(nanoseconds / 1e6 for nanoseconds in committed.printed),
    )
    count = setting.either(1000, 60)
    for who in WAYS:
        stamps = ran_floor(setting, who, "forks", count=count, at_once=2).stamps
        seconds = (stamps[-1].first - stamps[0].first) / 1e9
        yield Figure(
            what="starts, two at a time, nothing committed",
            who=who,
            unit="a second",
            samples=((len(stamps) - 1) / seconds,),
        )
