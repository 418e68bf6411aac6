"""How long from the end of one task to the first statement of the next?

A chain: each task waits for the one before.  What lies in between is all that a scheduler does:
to see the end, to decide, to make that durable, and to start.
"""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.data_folder import DataFolder, job, second_of_minute
from benchmarks.figures import Figure
from benchmarks.measuring import (
    PEERS,
    WAYS,
    Ran,
    of_peer,
    ours,
    ran_floor,
    ran_ours,
    ran_peer,
)
from benchmarks.setting import Setting
from benchmarks.stamps import gaps_after_exit, gaps_after_statement

AFTER_EXIT = "hand-off, from the end of the process"
AFTER_STATEMENT = "hand-off, from the last statement"
_NOT_TOLD = "the system tells only root, on Linux, when a process ended"


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    links = setting.either(200, 12)
    yield from _floors(setting, links)
    for who in ours():
        yield from _figures(who, ran_ours(setting, who, "chain", chain_of(links), count=links))
    for who in PEERS:
        yield from of_peer(AFTER_EXIT, who, "ms", partial(_of_peer, setting, who, links))
    yield from _floors(setting, links)


def _floors(setting: Setting, links: int) -> Iterator[Figure]:
    for who in WAYS:
        yield from _figures(who, ran_floor(setting, who, "chain", count=links))


def _of_peer(setting: Setting, who: str, links: int) -> Iterator[Figure]:
    yield from _figures(who, ran_peer(setting, who, "chain", count=links))


def chain_of(links: int, ahead: float = 5) -> Callable[[DataFolder], list[str]]:
    """Return what makes the jobs of a chain whose first falls due so many seconds ahead."""

    def jobs(folder: DataFolder) -> list[str]:
        zone = folder.zones.shifted_by(second_of_minute(ahead))
        first = job("link0", schedule="* * * * *", timezone=zone)
        others = [
            job(f"link{number}", depends_on=f"link{number - 1}", timezone=zone)
            for number in range(1, links)
        ]
        return [first, *others]

    return jobs


def _figures(who: str, ran: Ran) -> Iterator[Figure]:
    after_exit = gaps_after_exit(ran.stamps, ran.exits)
    yield Figure(
        what=AFTER_EXIT,
        who=who,
        unit="ms",
        samples=after_exit,
        missing="" if after_exit else _NOT_TOLD,
    )
    yield Figure(what=AFTER_STATEMENT, who=who, unit="ms", samples=gaps_after_statement(ran.stamps))
