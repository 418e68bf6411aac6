"""How long until a scheduler serves, and until a verb has answered?

Cold: each is a new process, as at a prompt, held against an interpreter that does nothing.  A
hundred routines; the peers set up as many in memory.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from benchmarks.data_folder import DataFolder
from benchmarks.figures import BARE, Figure
from benchmarks.measuring import PEERS, of_peer, ours, peer
from benchmarks.resting import ROUTINES, resting_jobs
from benchmarks.setting import Setting
from benchmarks.stamps import Stamps

SERVES = "cold start, until it serves"
NOTHING = (sys.executable, "-c", "pass")


def measure(setting: Setting) -> Iterator[Figure]:
    """Yield the figures of one round."""
    who = ours()[0]
    room = setting.room("start")
    folder = DataFolder(room, Stamps(room).environment)
    folder.write(resting_jobs(ROUTINES), who=who)
    starts, verbs = setting.either(5, 1), setting.either(20, 2)
    config = str(folder.folder / "config.cfg")
    registry = str(folder.folder / "registry.xml")
    nothing = [_whole(NOTHING, folder.environment) for _ in range(verbs)]
    yield _figure(SERVES, BARE, nothing)
    yield _figure(SERVES, who, [_until_it_serves(folder, config) for _ in range(starts)])
    for name in PEERS:
        yield from of_peer(SERVES, name, "ms", partial(_of_peer, setting, name, starts))
    commands = {
        "status": folder.command("status"),
        "check": folder.command("check", "--registry", registry),
        "plan": folder.command("plan"),
    }
    with folder.scheduler():
        for verb, command in commands.items():
            what = f"{verb}, the whole command"
            yield _figure(what, BARE, nothing)
            took = [_whole(command, folder.environment) for _ in range(verbs)]
            yield _figure(what, who, took)


def _of_peer(setting: Setting, who: str, starts: int) -> Iterator[Figure]:
    served = [_until_peer_serves(setting, who, number) for number in range(starts)]
    yield _figure(SERVES, who, served)


def _until_it_serves(folder: DataFolder, config: str) -> float:
    """Start one in the foreground, and return how long its first line took."""
    command = folder.command("start", "--config_file", config)
    begun = time.monotonic_ns()
    with subprocess.Popen(
        command, env=folder.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took = (time.monotonic_ns() - begun) / 1e6
        process.terminate()
        return took


def _until_peer_serves(setting: Setting, who: str, number: int) -> float:
    room = setting.room(f"start {number} of {who}")
    environment = Stamps(room).environment
    begun = time.monotonic_ns()
    with peer(who, room, "idle", ROUTINES, environment=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return (time.monotonic_ns() - begun) / 1e6


def _whole(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return how long a command takes from its start to its end."""
    begun = time.monotonic_ns()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic_ns() - begun) / 1e6


def _figure(what: str, who: str, samples: Sequence[float]) -> Figure:
    return Figure(what=what, who=who, unit="ms", samples=tuple(samples))
