"""The storm itself: what is killed, when, and what is certain of each kill.

A process is stopped (SIGSTOP) before it is killed, and looked at then: so it is known that it had
not ended by itself, and what must be on record of it follows exactly.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psutil

from scheduler.errors import SchedulerError
from scheduler.service.client import Client
from scheduler.service.executors.processes import process_of
from scheduler.service.executors.records import (
    ProcessId,
    Record,
    RecordsFolder,
    name_of,
    read_record,
)
from tests.system.chaos.load import HANDS
from tests.system.data_folder import DEADLINE, PROGRAM, DataFolder, wait_until


@dataclass
class Storm:
    """A scheduler over a data folder that is killed and started again, and all that it runs."""

    folder: DataFolder
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter[str])
    detached: int = 0
    #: Names of the records of attempts whose supervisor was killed before it saw their end.
    blinded: set[str] = field(default_factory=set[str])
    #: And of those whose script was killed.
    shot: set[str] = field(default_factory=set[str])
    #: And of those of which some process was killed without a look at how far it was.
    perhaps: set[str] = field(default_factory=set[str])
    #: Pids of warm interpreters that were killed, who do not see their forks end any more.
    blinded_by: set[int] = field(default_factory=set[int])
    #: Tasks that the scheduler has said it would run.
    promised: list[str] = field(default_factory=list[str])
    process: "subprocess.Popen[bytes] | None" = None

    # -- the scheduler ---------------------------------------------------------------------

    def start(self) -> None:
        """Start the scheduler, without waiting for anything."""
        with open(self.folder.elsewhere / "told", "ab") as told:
            self.process = subprocess.Popen(
                [*PROGRAM, *self.folder.start_words()],
                cwd=self.folder.elsewhere,
                env=self.folder.environment,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    def serve(self) -> Client:
        """Return a client once the scheduler serves."""
        process = self.process
        assert process is not None
        until = time.monotonic() + DEADLINE
        while True:
            assert process.poll() is None, (self.folder.elsewhere / "told").read_text()[-2000:]
            assert time.monotonic() < until, "it does not come to serve"
            with contextlib.suppress(SchedulerError):
                instance = self.folder.live()
                if instance.pid == process.pid:
                    client = Client(instance)
                    client.get("ping")
                    return client
            time.sleep(0.01)

    def kill_scheduler(self, kind: str = "scheduler") -> None:
        """Kill the scheduler, and nothing else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.kills[kind] += 1

    def detach(self) -> None:
        """End the scheduler without what it runs."""
        assert self.process is not None
        with contextlib.suppress(SchedulerError):
            self.serve().post("stop", detach=True)
        self.process.wait(DEADLINE)
        self.detached += 1

    def stop(self) -> None:
        """End the scheduler in order."""
        assert self.process is not None
        self.serve().post("stop")
        self.process.wait(DEADLINE)

    def ask_for_work(self, count: int) -> None:
        """Have routines run by hand, for as long as the scheduler answers."""
        client = self.serve()
        with contextlib.suppress(SchedulerError):
            for name in self.chance.choices(HANDS, k=count):
                answer = cast("Any", client.post("execute", routine=name))
                self.promised.append(str(answer["tasks"][0]))

    # -- what it runs ----------------------------------------------------------------------

    def shoot(self) -> None:
        """Kill a script, its supervisor, or both, of an attempt that runs right now."""
        record = self._some_record()
        if record is None:
            return
        both = [("supervisor", record.supervisor), ("script", record.script)]
        chosen = self.chance.choice([both, both[:1], both[1:]])
        with contextlib.ExitStack() as stack:
            held = {
                kind: pidfd
                for kind, id in chosen
                if (pidfd := _stopped(id)) is not None and _closed_later(stack, pidfd)
            }
            now = read_record(record.path)
            if "supervisor" in held and (now is None or now.ended is not None):
                # It has done its work: it may go on.
                signal.pidfd_send_signal(held.pop("supervisor"), signal.SIGCONT)
            for kind, pidfd in held.items():
                self._note(kind, record)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                self.kills[kind] += 1

    def _note(self, kind: str, record: Record) -> None:
        """Note what is certain of an attempt whose script or supervisor is killed."""
        if kind == "script":
            self.shot.add(record.path.name)
        elif record.is_warm:
            self._note_warm(record.supervisor.pid)
        else:
            self.blinded.add(record.path.name)

    def _note_warm(self, pid: int) -> None:
        """Note that a warm interpreter is killed: what it has forked writes down its own end."""
        self.blinded_by.add(pid)
        forks, _ = self._forks_and_warm()
        self.perhaps.update(name for name, supervisor in forks.values() if supervisor == pid)

    def shoot_blindly(self) -> None:
        """Kill some process of an attempt, which may not even have begun; or a warm interpreter."""
        mine = [one for one in self.folder.processes() if _attempt_of(one) or _is_warm(one)]
        if not mine:
            return
        process = self.chance.choice(mine)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()  # whose fork it is does not change any more
            forks, warm = self._forks_and_warm()
            name = _attempt_of(process) or forks.get(process.pid, ("", 0))[0]
            if name:
                self.perhaps.add(name)
            elif process.pid in warm:
                self._note_warm(process.pid)
            else:
                process.resume()  # not on record: what becomes of it is not to be told
                return
            process.kill()
            self.kills["process of an attempt, blindly"] += 1

    def _forks_and_warm(self) -> tuple[dict[int, tuple[str, int]], set[int]]:
        """Return the names of the records of forks, and what forked them, by pid; and all such."""
        while True:
            with contextlib.suppress(OSError):  # they come and go
                found = RecordsFolder(Path(f"{self.folder.database}-attempts")).found()
                records = [record for record in found if record.is_warm]
                forks = {
                    record.script.pid: (record.path.name, record.supervisor.pid)
                    for record in records
                }
                return forks, {supervisor for _, supervisor in forks.values()}

    def kill_all(self) -> None:
        """Kill the scheduler and all that it runs at once, as a service manager may."""
        left = self.folder.processes()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()  # none sees how another ends
        forks, _ = self._forks_and_warm()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.perhaps.add(_attempt_of(process) or forks.get(process.pid, ("", 0))[0])
                if _is_warm(process):
                    self.blinded_by.add(process.pid)
                process.kill()
        self.kills["all at once"] += 1
        self.kill_scheduler()

    def _some_record(self) -> Record | None:
        with contextlib.suppress(OSError):  # they come and go
            running = [
                one
                for one in RecordsFolder(Path(f"{self.folder.database}-attempts")).found()
                if one.ended is None
            ]
            return self.chance.choice(running) if running else None
        return None

    # -- events ----------------------------------------------------------------------------

    def blow(self) -> None:
        """Do one of the things that may happen, at a moment that nobody chose."""
        draw = self.chance.random()
        if draw < 0.3:
            self.ask_for_work(self.chance.randint(5, 20))
            time.sleep(self.chance.uniform(0, 0.05))  # in the midst of the starts
            self.kill_scheduler()
        elif draw < 0.45:
            time.sleep(self.chance.uniform(0, 0.5))
            self.kill_scheduler()
        elif draw < 0.55:
            self.detach()
        elif draw < 0.7:
            self.shoot()
            self.kill_scheduler()
            self.shoot()
        elif draw < 0.73:
            self.kill_all()
        else:
            self.serve()
            for _ in range(self.chance.randint(1, 4)):
                time.sleep(self.chance.uniform(0, 0.2))
                self.chance.choice([self.shoot, self.shoot, self.shoot_blindly])()
            return
        self.recover()

    def recover(self) -> None:
        """Start the scheduler; now and then it is killed again as it finds out what happened."""
        time.sleep(self.chance.choice([0, 0, self.chance.uniform(0, 0.5)]))
        self.start()
        while self.chance.random() < 0.3:
            time.sleep(self.chance.uniform(0.1, 0.7))
            self.kill_scheduler("scheduler, at its start")
            self.start()


def _attempt_of(process: psutil.Process) -> str | None:
    """Return the name of the record of the attempt that a process belongs to."""
    with contextlib.suppress(psutil.Error, OSError):
        marks = process.environ()
        if "SCHEDULER_TASK" in marks:
            return name_of(marks["SCHEDULER_TASK"], int(marks["SCHEDULER_ATTEMPT"]))
    return None


def _is_warm(process: psutil.Process) -> bool:
    """Tell whether a process is a warm interpreter, or a fork of one."""
    with contextlib.suppress(psutil.Error):
        return "--warm" in process.cmdline()
    return False


def _stopped(id: ProcessId) -> int | None:
    """Stop a process where it stands; return its pidfd, or None if it has ended."""
    try:
        pidfd = os.pidfd_open(id.pid)
    except ProcessLookupError:
        return None
    try:
        if process_of(id) is not None:
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            if _comes_to_a_stop(id):
                return pidfd
    except ProcessLookupError:
        pass
    os.close(pidfd)
    return None


def _comes_to_a_stop(id: ProcessId) -> bool:
    state = ""

    def is_settled() -> bool:
        nonlocal state
        process = process_of(id)
        with contextlib.suppress(psutil.NoSuchProcess):
            state = "gone" if process is None else process.status()
        return state in ("gone", psutil.STATUS_STOPPED)

    wait_until(is_settled, f"{id} to stop")
    return state == psutil.STATUS_STOPPED


def _closed_later(stack: contextlib.ExitStack, pidfd: int) -> bool:
    stack.callback(os.close, pidfd)
    return True
