"""What does it cost to have a scheduler run with nothing due?

A hundred routines that fall due at the turn of the year.  The system counts processor time and
wake-ups; resident memory is all that the processes touch, private what nobody else shares.  Some
of this scheduler's comes with the first answers that it gives.
"""

import contextlib
import time
from collections.abc import Iterator

from benchmarks.data_folder import DataFolder, job
from benchmarks.figures import OURS, Figure
from benchmarks.measuring import CRON, PEERS, missing_peer, peer_at_rest
from benchmarks.peers import system_cron
from benchmarks.processes import private, resident, spent, tree
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps

ROUTINES = 100
RESIDENT = "resident memory at rest"
PRIVATE = "private memory at rest"
ANSWERED = "resident memory at rest, after answers"
VERBS = ("status", "list", "plan", "history")


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round; all rest at the same time, as none disturbs another."""
    seconds = setting.either(60, 3)
    cpu, wakes = (f"{what} in {seconds} s at rest" for what in ("processor time", "wake-ups"))
    folder = resting_folder(setting, ROUTINES)
    with contextlib.ExitStack() as stack:
        resting = {OURS: stack.enter_context(folder.scheduler())}
        for name in PEERS:
            if reason := missing_peer(name):
                yield Figure(what=cpu, who=name, unit="ms", missing=reason)
                continue
            served = stack.enter_context(peer_at_rest(setting, name, ROUTINES))
            resting[name] = served.pid
        if reason := missing_peer(CRON):
            yield Figure(what=cpu, who=CRON, unit="ms", missing=reason)
        else:
            resting[CRON] = stack.enter_context(_cron(setting))
        time.sleep(setting.either(10, 2))  # until what a start leaves to do is done
        trees = {name: tree(pid) for name, pid in resting.items()}
        before = {name: spent(processes) for name, processes in trees.items()}
        time.sleep(seconds)
        for name, processes in trees.items():
            used, woken = (
                after - then for after, then in zip(spent(processes), before[name], strict=True)
            )
            yield Figure(what=cpu, who=name, unit="ms", samples=(used,))
            yield Figure(what=wakes, who=name, unit="times", samples=(woken,))
            yield _memory(RESIDENT, name, resident(processes))
            yield _memory(PRIVATE, name, private(processes))
        for verb in VERBS:
            folder.run(verb)
        yield _memory(ANSWERED, OURS, resident(trees[OURS]))


def resting_folder(setting: Setting, routines: int) -> DataFolder:
    """Return a data folder with so many routines that fall due at the turn of the year."""
    room = setting.room(f"{routines} routines at rest")
    folder = DataFolder(room, Stamps(room).environment)
    folder.write([job(f"task{number}", schedule="@yearly") for number in range(routines)])
    return folder


@contextlib.contextmanager
def _cron(setting: Setting) -> Iterator[int]:
    room = setting.room("at rest cron")
    stamps = Stamps(room)
    lines = [
        system_cron.line("0 0 1 1 *", stamps.script, f"task{number}") for number in range(ROUTINES)
    ]
    with system_cron.running(room, lines, stamps.environment) as pid:
        yield pid


def _memory(what: str, who: str, mib: float) -> Figure:
    return Figure(what=what, who=who, unit="MiB", samples=(mib,))
