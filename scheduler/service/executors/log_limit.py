"""Keeps the logs of running attempts below their limit: the head and the tail stay.

The process writes to its log itself, so a log is cut beneath it, in place: the tail is moved down
to the head, with a line between that says how much is missing, and the file ends there.  The
process appends, and so goes on at the new end.  What it writes in the very moment of the cut, a
few lines at most, may be lost and is not counted.
"""

import logging
import os
import sys
import threading
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from scheduler.service.log_files import open_log

log = logging.getLogger(__name__)

#: Seconds between two looks at the sizes.
LOOK_EVERY = 1.0
#: Bytes of the line that stands for what is missing.
NOTE_LENGTH = 64
CHUNK = 1 << 20


@dataclass(slots=True, kw_only=True)
class LimitedLog:
    """The log of one attempt, and how much of it has been left out so far."""

    path: Path
    limit: int  # bytes
    left_out: int = 0
    is_finished: bool = False

    def cut(self, slack: int = 0) -> None:
        """Cut the log to its limit if it is longer than that, and a slack."""
        limit = max(self.limit, 2 * NOTE_LENGTH)
        try:
            if os.stat(self.path).st_size <= limit + slack:
                return
            with FileIO(open_log(self.path, os.O_RDWR), "r+") as file:
                self._move_tail(file, limit)
        except FileNotFoundError:
            return  # somebody has deleted it, as somebody may
        except OSError as error:
            # The attempt goes on, and its end must be told, whatever becomes of the log.
            log.warning("log could not be cut to its limit: %s", error)

    def _move_tail(self, file: FileIO, limit: int) -> None:
        head = limit // 2
        tail = limit - head - NOTE_LENGTH
        source = os.fstat(file.fileno()).st_size - tail
        self.left_out += source - head - (NOTE_LENGTH if self.left_out else 0)
        target = _write(file, head, note(self.left_out))
        # Up to the end, wherever that is by now, but a fast writer is not chased for ever.
        last = source + 2 * tail
        while source < last and (chunk := _read(file, source, min(CHUNK, last - source))):
            target = _write(file, target, chunk)
            source += len(chunk)
        file.truncate(target)


def note(left_out: int) -> bytes:
    """Return the line that stands for this many bytes; its length is always the same."""
    text = f"[scheduler: {left_out:,} bytes left out]"
    return f"\n{text:<{NOTE_LENGTH - 2}}\n".encode()


def _read(file: FileIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _write(file: FileIO, place: int, data: bytes) -> int:
    """Write at a place and return the place after it."""
    file.seek(place)
    return place + file.write(data)


class LogLimiter:
    """Looks at the sizes of logs now and then, in a thread that lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logs: list[LimitedLog] = []
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, limited: LimitedLog) -> None:
        """Keep the log below its limit until `finish` is called, unless it has been already."""
        with self._lock:
            if limited.is_finished:
                return
            self._logs.append(limited)
            # On Windows a cut would not move the place at which the process writes on.
            if self._thread is None and sys.platform != "win32":
                thread = threading.Thread(target=self._look, name="log limiter", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # Cut at its end it is all the same; and the next one tries again.
                    log.warning("logs are not looked at while they grow: %s", error)
                    return
                self._thread = thread

    def finish(self, limited: LimitedLog) -> None:
        """Cut the log to its limit for the last time."""
        with self._lock:
            # By identity: two that are equal are still two.
            self._logs = [one for one in self._logs if one is not limited]
            limited.is_finished = True
        limited.cut()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _look(self) -> None:
        while not self._closed.wait(LOOK_EVERY):
            with self._lock:
                logs = list(self._logs)
                if not logs:
                    self._thread = None
                    return
            for limited in logs:
                # Half as much again, so that not every line of a long log moves the tail.
                limited.cut(slack=limited.limit // 2)
