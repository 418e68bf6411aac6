"""The system's signals, put into the inbox: SIGTERM, Ctrl-C, a terminal that closes."""

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from scheduler.service.inbox import Inbox
from scheduler.service.loop import Item, StopSignal


@contextmanager
def on_signals(inbox: Inbox[Item], stop_timeout: timedelta) -> Generator[None]:
    """Turn signals into requests to stop, for as long as the context lasts.

    Ctrl-C waits for what runs, a second one kills it.  SIGTERM, and a closed terminal, wait no
    longer than ``stop_timeout``.
    """

    def by_key(_number: int, _frame: FrameType | None) -> None:
        inbox.put(StopSignal())

    def by_system(_number: int, _frame: FrameType | None) -> None:
        inbox.put(StopSignal(within=stop_timeout))

    handlers = {signal.SIGINT: by_key, signal.SIGTERM: by_system}
    if sys.platform == "win32":
        handlers[signal.SIGBREAK] = by_system
    else:
        handlers[signal.SIGHUP] = by_system
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
