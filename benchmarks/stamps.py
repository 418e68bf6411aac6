"""The one script that all run, what it stamps, and when its processes were gone.

Its first and its last statement are stamped with the machine's monotonic clock, which all
processes share on Linux and macOS, and go to a file in one stroke.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

SCRIPT = """\
from time import monotonic_ns
first = monotonic_ns()
import os, sys
file = os.open(os.environ["STAMPS"], os.O_WRONLY | os.O_APPEND)
line = f"{sys.argv[1]} {os.getpid()} {first}"
os.write(file, f"{line} {monotonic_ns()}\\n".encode())
"""

_LOOK_AGAIN = 0.1  # seconds: often enough to lose no time, seldom enough to take none


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One process that ran the script; times in nanoseconds of the monotonic clock."""

    name: str
    pid: int
    first: int
    last: int


class Stamps:
    """The file that the scripts of one measurement write to."""

    def __init__(self, folder: Path) -> None:
        """Put the script into the folder, and an empty file for its stamps."""
        self.script = folder / "script.py"
        self.script.write_text(SCRIPT)
        self._file = folder / "stamps"
        self._file.write_text("")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that the script needs."""
        return {**os.environ, "STAMPS": str(self._file)}

    def read(self) -> list[Stamp]:
        """Return what has been stamped, in the order of the first statements."""
        lines = (line.split() for line in self._file.read_text().splitlines())
        stamps = [
            Stamp(name=name, pid=int(pid), first=int(first), last=int(last))
            for name, pid, first, last in lines
        ]
        return sorted(stamps, key=lambda stamp: stamp.first)

    def wait_for(self, count: int, *, within: float, is_over: Callable[[], bool]) -> list[Stamp]:
        """Return the stamps once there are so many.

        Raises:
            RuntimeError: they are not there in time, or who was to run the scripts has ended.
        """
        deadline = time.monotonic() + within
        while len(stamps := self.read()) < count:
            if time.monotonic() > deadline or (is_over() and len(self.read()) < count):
                raise RuntimeError(f"{len(stamps)} of {count} scripts ran in {within:.0f} s")
            time.sleep(_LOOK_AGAIN)
        return stamps


def gaps_after_statement(stamps: Sequence[Stamp]) -> tuple[float, ...]:
    """Return the milliseconds from the last statement of each script to the first of the next."""
    return tuple((after.first - before.last) / 1e6 for before, after in pairwise(stamps))


def gaps_after_exit(stamps: Sequence[Stamp], exits: dict[int, int]) -> tuple[float, ...]:
    """Return the milliseconds from the end of each process to the first statement of the next."""
    return tuple(
        (after.first - exits[before.pid]) / 1e6
        for before, after in pairwise(stamps)
        if before.pid in exits
    )


_CONNECTOR = 11  # of the netlink families
_PROCESSES = (1, 1)  # the connector's channel of process events
_LISTEN = 1
_EXIT = 0x80000000
_DONE = 3  # a message that is complete
_RECEIVE_BUFFER_FORCED = 33  # as of sockets on Linux
_BUFFER = 64 << 20


class Exits:
    """When processes ended, by the kernel's own clock: Linux tells it to root.

    It only listens: what was told is read afterwards, so that nothing here runs meanwhile.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        if sys.platform == "linux" and os.geteuid() == 0:
            try:
                self._socket = self._opened()
            except OSError:
                self._socket = None  # a kernel without process events, or a container
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    @staticmethod
    def _opened() -> socket.socket:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _CONNECTOR)
        listener.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, _BUFFER)
        listener.bind((0, 1))
        asked = struct.pack("=IIIIHHI", *_PROCESSES, 0, 0, 4, 0, _LISTEN)
        header = struct.pack("=IHHII", 16 + len(asked), _DONE, 0, 0, 0)
        listener.send(header + asked)
        listener.setblocking(False)
        return listener

    def by_pid(self) -> dict[int, int]:
        """Return when each process ended that has, in nanoseconds of the monotonic clock."""
        found: dict[int, int] = {}
        while self._socket is not None:
            try:
                message = self._socket.recv(4096)
            except BlockingIOError:
                break
            except OSError:
                return {}  # more has happened than there was room for
            what, _, at, pid = struct.unpack_from("=IIQI", message, 36)
            thread = struct.unpack_from("=I", message, 56)[0] if what == _EXIT else 0
            if what == _EXIT and thread == pid:
                found[pid] = at
        return found
