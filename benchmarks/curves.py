"""What comes of many routines, and of a long history?

From ten routines to a hundred thousand, which fall due at the turn of the year: how long until it
serves, and how much memory it takes.  From a thousand past tasks to ten million: how long `status`
takes.
"""

import subprocess
import time
from collections.abc import Iterator
from functools import partial

import psutil

from benchmarks import history
from benchmarks.data_folder import DataFolder
from benchmarks.figures import Figure
from benchmarks.measuring import PEERS, of_peer, ours, peer
from benchmarks.resting import resting_jobs
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps

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
    room = setting.room(f"{size} routines")
    folder = DataFolder(room, Stamps(room).environment)
    folder.write(resting_jobs(size), who=who)
    begun = time.monotonic_ns()
    folder.run("check", "--registry", str(room / "registry.xml"))
    yield _figure(_CHECK, who, "s", size, _since(begun))
    command = folder.command("start", "--config_file", str(room / "config.cfg"))
    begun = time.monotonic_ns()
    with subprocess.Popen(
        command,
        env=folder.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield from _of_process(who, size, process, begun)
        finally:
            process.terminate()


def _of_peer(setting: Setting, who: str, size: int) -> Iterator[Figure]:
    room = setting.room(f"{size} routines of {who}")
    environment = Stamps(room).environment
    begun = time.monotonic_ns()
    with peer(who, room, "idle", size, environment=environment) as process:
        yield from _of_process(who, size, process, begun)


def _of_process(
    who: str, size: int, process: "subprocess.Popen[str]", begun: int
) -> Iterator[Figure]:
    """Yield when it says that it serves, and how much memory it takes then."""
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError("it ended before it served")
    yield _figure(_SERVES, who, "s", size, _since(begun))
    resident = psutil.Process(process.pid).memory_info().rss / 2**20
    yield _figure(_RESIDENT, who, "MiB", size, resident)


def _of_history(setting: Setting, size: int) -> Iterator[Figure]:
    who = ours()[0]
    measured = history.measured(setting.folder, size)
    yield _figure(_STATUS, who, "ms", size, measured.status)
    yield _figure(_START, who, "s", size, measured.start)


def _since(begun: int) -> float:
    return (time.monotonic_ns() - begun) / 1e9


def _figure(what: str, who: str, unit: str, size: int, value: float) -> Figure:
    return Figure(what=what, who=who, unit=unit, size=size, samples=(value,))
