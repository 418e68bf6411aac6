"""Runs the floors, the scheduler and its peers over the script of the stamps.

What each does with the scripts differs; that all run the same ones, and how it is told when they
began and ended, is here.
"""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.data_folder import WARM, DataFolder
from benchmarks.figures import BARE, PROMISED, Figure
from benchmarks.peers import system_cron
from benchmarks.processes import Serving, serving
from benchmarks.setting import Setting
from benchmarks.stamps import Exits, Stamp, Stamps

HERE = Path(__file__).resolve().parent

BARE_COLD = f"{BARE}, cold"

#: The floors, by who they are in the tables: the program's word for them.
WAYS = {BARE: "bare", PROMISED: "promised", BARE_COLD: "cold"}

#: Peers by name, and the package that each needs.
PEERS = {"APScheduler": "apscheduler", "Huey": "huey"}
CRON = "cron"
NOT_INSTALLED = "it is not installed (make benchmarks does that)"

_PATIENCE = 300.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of some scripts."""

    stamps: Sequence[Stamp]
    exits: dict[int, int]  # by pid; empty where the system does not tell
    printed: Sequence[int] = ()  # by a floor


def ran_floor(setting: Setting, who: str, program: str, *, count: int, at_once: int = 1) -> Ran:
    """Run one of the programs of floors.py."""
    folder = setting.room(f"{program} of {who}, {at_once}")
    stamps = Stamps(folder)
    words = [program, WAYS[who], str(folder), str(count), str(at_once)]
    with Exits() as exits:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(HERE / "floors.py"), *words],
            env=stamps.environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        printed = [int(line) for line in done.stdout.split()]
        return Ran(stamps=stamps.read(), exits=exits.by_pid(), printed=printed)


def ran_ours(
    setting: Setting,
    who: str,
    name: str,
    jobs: Callable[[DataFolder], Sequence[str]],
    *,
    count: int,
    max_running: int | None = None,
) -> Ran:
    """Start a scheduler over these jobs, and end it once so many scripts have run."""
    room = setting.room(f"{name} of {who}")
    stamps = Stamps(room)
    folder = DataFolder(room, stamps.environment)
    # As late as can be: the jobs are to fall due a few seconds from now.
    folder.write(jobs(folder), who=who, max_running=max_running)
    with Exits() as exits, folder.scheduler() as pid:
        found = stamps.wait_for(count, within=_PATIENCE, is_over=lambda: not psutil.pid_exists(pid))
        return Ran(stamps=found[:count], exits=exits.by_pid())


def ran_peer(setting: Setting, who: str, mode: str, *, count: int, at_once: int = 1) -> Ran:
    """Run the program of a peer until so many scripts have run."""
    room = setting.room(f"{mode} of {who}, {at_once}")
    stamps = Stamps(room)
    with (
        Exits() as exits,
        peer(who, room, mode, count, at_once, environment=stamps.environment) as process,
    ):
        found = stamps.wait_for(count, within=_PATIENCE, is_over=lambda: process.poll() is not None)
        return Ran(stamps=found[:count], exits=exits.by_pid())


def ran_cron(setting: Setting, mode: str, names: Sequence[str]) -> Ran:
    """Have cron run the script under these names at the next full minute."""
    room = setting.room(f"{mode} of {CRON}")
    stamps = Stamps(room)
    lines = [system_cron.line("* * * * *", stamps.script, name) for name in names]
    with system_cron.running(room, lines, stamps.environment) as pid:
        found = stamps.wait_for(
            len(names), within=_PATIENCE, is_over=lambda: not psutil.pid_exists(pid)
        )
        return Ran(stamps=found[: len(names)], exits={})


@contextlib.contextmanager
def peer(
    who: str,
    folder: Path,
    mode: str,
    count: int,
    at_once: int = 1,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Have the program of a peer run; its first line says that it serves."""
    with subprocess.Popen(
        _command_of_peer(who, folder, mode, count, at_once),
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def peer_at_rest(setting: Setting, who: str, routines: int) -> AbstractContextManager[Serving]:
    """Have a peer serve with so many routines that fall due at the turn of the year."""
    room = setting.room(f"{routines} routines of {who}")
    command = _command_of_peer(who, room, "idle", routines, 1)
    return serving(command, Stamps(room).environment)


def _command_of_peer(who: str, folder: Path, mode: str, count: int, at_once: int) -> list[str]:
    program = HERE / "peers" / f"with_{PEERS[who]}.py"
    return [sys.executable, str(program), mode, str(folder), str(count), str(at_once)]


def of_peer(
    what: str, who: str, unit: str, measured: Callable[[], Iterable[Figure]]
) -> Iterator[Figure]:
    """Yield what is measured of a peer, or why nothing could be: it never ends the run."""
    reason = missing_peer(who)
    if not reason:
        try:
            yield from list(measured())
            return
        except (OSError, RuntimeError) as error:
            reason = f"it could not be measured, {error}"
    yield Figure(what=what, who=who, unit=unit, missing=reason)


def missing_peer(who: str) -> str:
    """Return why a peer cannot be measured; "" where it can."""
    if who == CRON:
        return system_cron.missing()
    return "" if importlib.util.find_spec(PEERS[who]) is not None else NOT_INSTALLED


def ours() -> Sequence[str]:
    """Return as whom the scheduler is measured."""
    return tuple(WARM)
