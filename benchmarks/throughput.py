"""How many tasks a second, each in a process of its own?

Many routines with nothing to do fall due at one instant, and two or four may run at a time.  For
the scheduler the state of each is durable before the next one starts.  Cron knows no limit: it
starts all at once.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.data_folder import DataFolder, job, second_of_minute
from benchmarks.figures import BARE, PROMISED, Figure
from benchmarks.measuring import (
    BARE_COLD,
    CRON,
    PEERS,
    of_peer,
    ours,
    ran_cron,
    ran_floor,
    ran_ours,
    ran_peer,
)
from benchmarks.setting import Setting
from benchmarks.stamps import Stamp

WORDS = {2: "two", 4: "four"}

#: Who each floor is in the table, and the program of floors.py that it runs in which way.
FLOORS = (
    (BARE, "forks", BARE),
    (f"{BARE}, each committed", "throughput", BARE),
    (PROMISED, "throughput", PROMISED),
    (BARE_COLD, "forks", BARE_COLD),
)


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    count = setting.either(600, 40)
    what = ""
    for at_once, word in WORDS.items():
        what = f"throughput, {word} at a time"
        yield from _floors(setting, what, count, at_once)
        for who in ours():
            ran = ran_ours(
                setting,
                who,
                f"burst, {word} at a time",
                burst_of(count),
                count=count,
                max_running=at_once,
            )
            yield _figure(what, who, ran.stamps)
        for who in PEERS:
            measured = partial(_of_peer, setting, what, who, count, at_once)
            yield from of_peer(what, who, "tasks/s", measured)
        yield from _floors(setting, what, count, at_once)
    yield from of_peer(what, CRON, "tasks/s", partial(_of_cron, setting, what, count // 3))


def _floors(setting: Setting, what: str, count: int, at_once: int) -> Iterator[Figure]:
    for who, program, way in FLOORS:
        ran = ran_floor(setting, way, program, count=count, at_once=at_once)
        yield _figure(what, who, ran.stamps)


def _of_peer(setting: Setting, what: str, who: str, count: int, at_once: int) -> Iterator[Figure]:
    ran = ran_peer(setting, who, "burst", count=count, at_once=at_once)
    yield _figure(what, who, ran.stamps)


def _of_cron(setting: Setting, what: str, count: int) -> Iterator[Figure]:
    ran = ran_cron(setting, "burst", [str(number) for number in range(count)])
    yield _figure(what, f"{CRON}, all at once", ran.stamps)


def burst_of(count: int, ahead: float = 5) -> Callable[[DataFolder], list[str]]:
    """Return what makes so many jobs that all fall due at once, so many seconds ahead."""

    def jobs(folder: DataFolder) -> list[str]:
        zone = folder.zones.shifted_by(second_of_minute(ahead))
        return [
            job(f"task{number}", schedule="* * * * *", timezone=zone) for number in range(count)
        ]

    return jobs


def _figure(what: str, who: str, stamps: Sequence[Stamp]) -> Figure:
    seconds = (stamps[-1].first - stamps[0].first) / 1e9
    return Figure(what=what, who=who, unit="tasks/s", samples=((len(stamps) - 1) / seconds,))
