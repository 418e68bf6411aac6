"""What does it cost to have a scheduler run with nothing due?

A hundred routines that fall due at the turn of the year.  The system counts processor time and
wake-ups; resident memory is all that the processes touch, private what nobody else shares.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from benchmarks.data_folder import DataFolder, job
from benchmarks.figures import Figure
from benchmarks.measuring import CRON, PEERS, missing_peer, ours, peer
from benchmarks.peers import system_cron
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps

ROUTINES = 100
RESIDENT = "resident memory at rest"
PRIVATE = "private memory at rest"


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round; all rest at the same time, as none disturbs another."""
    seconds = setting.either(60, 3)
    cpu, wakes = (f"{what} in {seconds} s at rest" for what in ("processor time", "wake-ups"))
    with contextlib.ExitStack() as stack:
        resting = {who: stack.enter_context(_ours(setting, who)) for who in ours()[:1]}
        for who in PEERS:
            if reason := missing_peer(who):
                yield Figure(what=cpu, who=who, unit="ms", missing=reason)
                continue
            resting[who] = stack.enter_context(_peer(setting, who))
        if reason := missing_peer(CRON):
            yield Figure(what=cpu, who=CRON, unit="ms", missing=reason)
        else:
            resting[CRON] = stack.enter_context(_cron(setting))
        time.sleep(setting.either(10, 2))  # until what a start leaves to do is done
        trees = {who: _tree(pid) for who, pid in resting.items()}
        before = {who: _spent(tree) for who, tree in trees.items()}
        time.sleep(seconds)
        for who, tree in trees.items():
            used, woken = (
                after - then for after, then in zip(_spent(tree), before[who], strict=True)
            )
            yield Figure(what=cpu, who=who, unit="ms", samples=(used,))
            yield Figure(what=wakes, who=who, unit="times", samples=(woken,))
            memory = [one.memory_full_info() for one in tree]
            resident = sum(one.rss for one in memory) / 2**20
            yield Figure(what=RESIDENT, who=who, unit="MiB", samples=(resident,))
            private = sum(one.uss for one in memory) / 2**20
            yield Figure(what=PRIVATE, who=who, unit="MiB", samples=(private,))


@contextlib.contextmanager
def _ours(setting: Setting, who: str) -> Iterator[int]:
    room = setting.room(f"at rest {who}")
    stamps = Stamps(room)
    folder = DataFolder(room, stamps.environment)
    folder.write(resting_jobs(ROUTINES), who=who)
    with folder.scheduler() as pid:
        yield pid


@contextlib.contextmanager
def _peer(setting: Setting, who: str) -> Iterator[int]:
    room = setting.room(f"at rest {who}")
    stamps = Stamps(room)
    with peer(who, room, "idle", ROUTINES, environment=stamps.environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


@contextlib.contextmanager
def _cron(setting: Setting) -> Iterator[int]:
    room = setting.room("at rest cron")
    stamps = Stamps(room)
    lines = [
        system_cron.line("0 0 1 1 *", stamps.script, f"task{number}") for number in range(ROUTINES)
    ]
    with system_cron.running(room, lines, stamps.environment) as pid:
        yield pid


def resting_jobs(count: int) -> list[str]:
    """Return routines that fall due at the turn of the year."""
    return [job(f"task{number}", schedule="@yearly") for number in range(count)]


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _spent(tree: Sequence[psutil.Process]) -> tuple[float, float]:
    """Return milliseconds of processor time, and how often a thread has woken up."""
    threads = [thread for one in tree for thread in Path(f"/proc/{one.pid}/task").glob("*")]
    if not threads:  # not Linux: processor time only, in ticks
        return 1e3 * sum(sum(one.cpu_times()[:2]) for one in tree), 0.0
    nanoseconds = sum(int((one / "schedstat").read_text().split()[0]) for one in threads)
    switches = sum(_switches((one / "status").read_text()) for one in threads)
    return nanoseconds / 1e6, switches


def _switches(status: str) -> int:
    return next(
        int(line.split()[1])
        for line in status.splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )
