"""How long from a task's instant to the first statement of its script, on an idle machine?

An instant a second, nothing else to do in between.  None may be early.
"""

from collections.abc import Iterator
from functools import partial

from benchmarks.data_folder import DataFolder, job, monotonic_from_utc, second_of_minute
from benchmarks.figures import Figure
from benchmarks.measuring import (
    CRON,
    PEERS,
    WAYS,
    of_peer,
    ours,
    ran_cron,
    ran_floor,
    ran_ours,
    ran_peer,
)
from benchmarks.setting import Setting
from benchmarks.stamps import Stamp

WHAT = "start lateness"
MINUTE, DAY = 60, 86_400  # seconds
_SECOND = 1_000_000_000  # nanoseconds


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    count = setting.either(20, 4)
    for who in WAYS:
        floor = ran_floor(setting, who, "latency", count=count)
        late = zip(floor.stamps, floor.printed, strict=True)
        yield _figure(who, [(stamp.first - instant) / 1e6 for stamp, instant in late])
    for who in ours():
        ran = ran_ours(setting, who, "instants", lambda folder: _jobs(folder, count), count=count)
        yield _figure(who, [lateness(stamp, MINUTE) for stamp in ran.stamps])
    for who in PEERS:
        yield from of_peer(WHAT, who, "ms", partial(_of_peer, setting, who, count))
    # Cron knows the machine's zone only: one instant a round.
    yield from of_peer(WHAT, CRON, "ms", partial(_of_cron, setting))


def _of_peer(setting: Setting, who: str, count: int) -> Iterator[Figure]:
    ran = ran_peer(setting, who, "instants", count=count)
    yield _figure(who, [lateness(stamp, DAY) for stamp in ran.stamps])


def _of_cron(setting: Setting) -> Iterator[Figure]:
    ran = ran_cron(setting, "instant", ["0"])
    yield _figure(CRON, [lateness(stamp, MINUTE) for stamp in ran.stamps])


def lateness(stamp: Stamp, period: int) -> float:
    """Return the milliseconds since the nearest instant; negative for one that is early.

    Its name is the second of the instant in its minute, or since 1970.
    """
    since = stamp.first + monotonic_from_utc() - int(stamp.name) * _SECOND
    half = period * _SECOND // 2
    return ((since + half) % (period * _SECOND) - half) / 1e6


def _jobs(folder: DataFolder, count: int) -> list[str]:
    """Return so many routines, the first due in a few seconds, the others a second apart."""
    begin = second_of_minute(5)
    seconds = [(begin + number) % 60 for number in range(count)]
    return [
        job(str(second), schedule="* * * * *", timezone=folder.zones.shifted_by(second))
        for second in seconds
    ]


def _figure(who: str, samples: list[float]) -> Figure:
    early = [one for one in samples if one < 0]
    missing = f"{len(early)} of {len(samples)} began early" if early else ""
    return Figure(what=WHAT, who=who, unit="ms", samples=tuple(samples), missing=missing)
