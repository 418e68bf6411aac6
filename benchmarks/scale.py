"""What comes of many routines: ten to a hundred thousand?

Of any kind: minutely to monthly schedules, chains, fans and rounds.  They are loaded, checked,
planned and served.  The peers know no dependencies: beside them the scheduler serves routines that
fall due at the turn of the year, and it is seen that these cost nothing at rest.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from benchmarks.data_folder import DataFolder, job
from benchmarks.figures import OURS, Figure
from benchmarks.measuring import PEERS, of_peer, peer_at_rest
from benchmarks.processes import Serving, resident, spent, tree
from benchmarks.resting import resting_folder
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps
from scheduler.service.clock import SystemClock

ROUTINES = (10, 100, 1_000, 10_000, 100_000)
_ZONE = "Europe/Paris"
_IDLE = 10  # seconds
_SERVES = "until it serves"
_RESIDENT = "resident memory"

# What it holds in the end: Linux counts in its highest what the process held that started it.
_LOAD = """
import sys, time
from scheduler import load_registry
begun = time.perf_counter()
registry = load_registry(sys.argv[1])
seconds = time.perf_counter() - begun
import psutil
print(seconds, psutil.Process().memory_info().rss / 2**20)
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    for size in ROUTINES[: setting.either(len(ROUTINES), 2)]:
        yield from _of_any_kind(setting, size)
        yield from _at_rest(setting, size)
        for who in PEERS:
            yield from of_peer(
                f"{_SERVES}, by routines", who, "s", partial(_of_peer, setting, who, size)
            )


def _of_any_kind(setting: Setting, size: int) -> Iterator[Figure]:
    room = setting.room(f"{size} routines of any kind")
    folder = DataFolder(room, Stamps(room).environment)
    folder.write(jobs_of_any_kind(size), zone=_ZONE)
    registry = str(folder.registry)
    loaded, held = _loaded(folder)
    yield _figure("load_registry", OURS, "s", size, loaded)
    yield _figure("resident memory of load_registry", OURS, "MiB", size, held)
    check = folder.seconds("check", "--registry", registry, "--json")
    yield _figure("check, the whole command", OURS, "s", size, check)
    plan = folder.seconds("plan", "r0", "--registry", registry)
    yield _figure("plan of one routine, the whole command", OURS, "s", size, plan)
    now = SystemClock(with_timer=False).now()
    soon = (now + timedelta(minutes=10)).isoformat(timespec="seconds")
    plan = folder.seconds("plan", "--registry", registry, "--json", "--to", soon)
    yield _figure("plan of all for ten minutes, the whole command", OURS, "s", size, plan)
    with folder.serving() as served:
        yield from _of_process(OURS, size, served)


def _at_rest(setting: Setting, size: int) -> Iterator[Figure]:
    seconds = setting.either(_IDLE, 2)
    with resting_folder(setting, size).serving() as served:
        yield from _of_process(f"{OURS}, yearly routines", size, served)
        time.sleep(setting.either(5, 2))  # until what a start leaves to do is done
        before, _ = spent(tree(served.pid))
        time.sleep(seconds)
        after, _ = spent(tree(served.pid))
    what = f"processor time in {seconds} s at rest"
    yield _figure(what, OURS, "ms", size, after - before)


def _of_peer(setting: Setting, who: str, size: int) -> Iterator[Figure]:
    with peer_at_rest(setting, who, size) as served:
        yield from _of_process(who, size, served)


def _of_process(who: str, size: int, served: Serving) -> Iterator[Figure]:
    """Yield when it says that it serves, and how much memory it takes then."""
    yield _figure(_SERVES, who, "s", size, served.seconds)
    yield _figure(_RESIDENT, who, "MiB", size, resident(tree(served.pid)))


def _loaded(folder: DataFolder) -> tuple[float, float]:
    """Return how many seconds it takes to load the registry, and the MiB held then."""
    told = subprocess.run(
        [sys.executable, "-c", _LOAD, str(folder.registry)],
        env=folder.environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    seconds, held = map(float, told.split())
    return seconds, held


def jobs_of_any_kind(count: int) -> Iterator[str]:
    """Yield routines of any kind: of a hundred, two minutely, 17 hourly and ten monthly ones."""
    return (job(f"r{number}", **_kind(number)) for number in range(count))


def _kind(number: int) -> dict[str, str]:
    part, minute, hour = number % 100, number % 60, number // 60 % 24
    before = {"depends_on": f"r{number - 1}"}
    if part == 0:
        return {"schedule": f"{number // 100 % 60} {number // 6_000 % 24} * * *"}
    if part < 20:  # a chain, each at its own time
        return {"schedule": f"{number * 7 % 60} {number % 24} * * *", **before}
    if part < 40:  # a chain that triggers together
        return before
    if part == 40:  # a fan, by rounds
        return {"depends_on": ", ".join(f"r{other}" for other in range(number - 20, number))}
    if part < 43:
        return {"schedule": "* * * * *"}
    if part < 60:
        return {"schedule": f"{minute} * * * *", **(before if part > 55 else {})}
    if part < 70:
        return {"schedule": f"0 0 {number % 28 + 1} * *"}
    return {"schedule": f"{minute} {hour} * * *"}


def _figure(what: str, who: str, unit: str, size: int, value: float) -> Figure:
    return Figure(what=f"{what}, by routines", who=who, unit=unit, size=size, samples=(value,))
