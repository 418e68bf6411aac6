"""The thread-safe queue of all that the loop has to look at.

Web handlers, process watchers and signal handlers put items in; only the loop takes them out.
What the items mean is none of its business.
"""

import socket
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

Answer = dict[str, object]
"""What the loop answers: plain data that becomes JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A verb that somebody wants carried out, and where the answer goes.

    The loop sets the reply's result, or a `SchedulerError` as its exception.
    """

    verb: str
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    reply: Future[Answer] = field(default_factory=Future[Answer])


class Inbox(Generic[Item]):
    """Items in the order in which they were put, and a descriptor to sleep on.

    There is no lock: a signal handler interrupts the very thread that takes, and would wait for
    itself.  A `deque` is safe without one.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        # A pair of sockets, not a pipe: Windows can wait for nothing else.
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._has_rung = False

    def put(self, item: Item) -> None:
        """Add an item and wake who sleeps on the inbox; from any thread or signal handler."""
        self._items.append(item)
        if self._has_rung:
            return
        self._has_rung = True
        try:
            self._ringer.send(b"\0")
        except OSError:
            # Full: it rings already.  Closed: nobody sleeps on it any more, and a process watcher
            # that reports late must not die of that.
            return

    def take(self) -> list[Item]:
        """Return all waiting items, oldest first, without waiting for any."""
        # The order matters: what is put after the flag is cleared rings again, and what was put
        # before is taken below.  The other way round a ring could be lost.
        try:
            while self._bell.recv(4096):
                pass
        except (BlockingIOError, InterruptedError):
            pass
        self._has_rung = False
        return [self._items.popleft() for _ in range(len(self._items))]

    def fileno(self) -> int:
        """Return the descriptor that is readable while items wait."""
        return self._bell.fileno()

    def close(self) -> None:
        """Give the descriptors back; what is put afterwards can still be taken."""
        self._ringer.close()
        self._bell.close()
