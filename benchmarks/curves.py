"""What comes of many routines, and of a long history?

From ten routines to a hundred thousand, which fall due at the turn of the year: how long until it
serves, and how much memory it takes.  From a thousand past tasks to ten million: how long `status`
takes.
"""

from collections.abc import Iterator
from functools import partial

from benchmarks import history
from benchmarks.figures import Figure
from benchmarks.measuring import PEERS, of_peer, ours, peer_at_rest
from benchmarks.processes import Serving, resident, tree
from benchmarks.resting import resting_folder
from benchmarks.setting import Setting

ROUTINES = (10, 100, 1_000, 10_000, 100_000)
HISTORY = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SERVES = "until it serves, by routines"
_RESIDENT = "resident memory, by routines"
_CHECK = "check, the whole command, by routines"
_STATUS = "status, the whole command, by tasks of history"
_START = "until it serves, by tasks of history"


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    for size in ROUTINES[: setting.either(len(ROUTINES), 2)]:
        yield from _of_ours(setting, size)
        for who in PEERS:
            yield from of_peer(_SERVES, who, "s", partial(_of_peer, setting, who, size))
    for size in HISTORY[: setting.either(len(HISTORY), 2)]:
        yield from _of_history(setting, size)


def _of_ours(setting: Setting, size: int) -> Iterator[Figure]:
    who = ours()[0]
    folder = resting_folder(setting, size)
    check = folder.seconds("check", "--registry", str(folder.registry))
    yield _figure(_CHECK, who, "s", size, check)
    with folder.serving() as served:
        yield from _of_process(who, size, served)


def _of_peer(setting: Setting, who: str, size: int) -> Iterator[Figure]:
    with peer_at_rest(setting, who, size) as served:
        yield from _of_process(who, size, served)


def _of_process(who: str, size: int, served: Serving) -> Iterator[Figure]:
    """Yield when it says that it serves, and how much memory it takes then."""
    yield _figure(_SERVES, who, "s", size, served.seconds)
    yield _figure(_RESIDENT, who, "MiB", size, resident(tree(served.pid)))


def _of_history(setting: Setting, size: int) -> Iterator[Figure]:
    who = ours()[0]
    measured = history.measured(setting.folder, size)
    yield _figure(_STATUS, who, "ms", size, measured.status)
    yield _figure(_START, who, "s", size, measured.start)


def _figure(what: str, who: str, unit: str, size: int, value: float) -> Figure:
    return Figure(what=what, who=who, unit=unit, size=size, samples=(value,))
