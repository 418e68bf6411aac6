"""The only ``now()`` and the only wait.

Time zones are not its business: all moments are UTC.
"""

import errno
import os
import selectors
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Where nothing announces that the clock was set, it is looked at this often.
_LOOK_EVERY = 60.0
# One that needs no descriptor of its own: there may be none left, and the loop must go on.
_SELECTOR = getattr(selectors, "PollSelector", selectors.SelectSelector)
_STEP = 1.0  # seconds by which wall clock and steady clock may drift apart while we look


class Wakeable(Protocol):
    """What ends a wait: an inbox, whose descriptor is readable while items are in it."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


class Clock(Protocol):
    """Tells the time and sleeps."""

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        ...

    def since_boot(self) -> timedelta:
        """Return the time that the machine has been awake: no one can set it."""
        ...

    def wait(self, inbox: Wakeable, until: datetime | None) -> None:
        """Return once the inbox holds something, ``until`` has come, or the clock was set.

        When time was the reason, ``now() >= until`` holds.  With None only the others wake it.
        """
        ...


class SystemClock:
    """The machine's own clock.

    On Linux a timer of the kernel wakes it, at the moment and when the clock is set or the
    machine resumes; it sleeps in between.  Elsewhere, or without ``with_timer``, it looks at the
    clock once a minute.
    """

    def __init__(self, *, with_timer: bool = True) -> None:
        self._timer = _Timer.opened() if with_timer else None

    def now(self) -> datetime:
        """Return the current moment in UTC."""
        return datetime.now(UTC)

    def since_boot(self) -> timedelta:
        """Return the time that the machine has been awake (Linux and macOS leave sleep out)."""
        return timedelta(seconds=time.monotonic())

    def wait(self, inbox: Wakeable, until: datetime | None) -> None:
        """Return once the inbox holds something, ``until`` has come, or the clock was set."""
        if self._timer is None:
            self._wait_in_pieces(inbox, until)
        else:
            self._wait_for_timer(self._timer, inbox, until)

    def close(self) -> None:
        """Give the timer back."""
        if self._timer is not None:
            self._timer.close()

    def _wait_for_timer(self, timer: "_Timer", inbox: Wakeable, until: datetime | None) -> None:
        with _SELECTOR() as selector:
            selector.register(inbox, selectors.EVENT_READ, "inbox")
            selector.register(timer, selectors.EVENT_READ, "timer")
            while until is None or self.now() < until:
                if not timer.set(until):
                    return  # the clock was set since the last wait
                ready = {key.data for key, _ in selector.select()}
                if "inbox" in ready or timer.was_cancelled():
                    return

    def _wait_in_pieces(self, inbox: Wakeable, until: datetime | None) -> None:
        with _SELECTOR() as selector:
            selector.register(inbox, selectors.EVENT_READ)
            begun = time.time() - time.monotonic()
            while until is None or self.now() < until:
                left = _LOOK_EVERY if until is None else (until - self.now()).total_seconds()
                if selector.select(min(max(left, 0.0), _LOOK_EVERY)):
                    return
                if abs(time.time() - time.monotonic() - begun) > _STEP:
                    return


class _Timer:
    """A timer of the Linux kernel on the wall clock, as a descriptor.

    It goes off at a moment of the wall clock, and also when that clock is set: by hand, by a time
    server, or because the machine slept.
    """

    _REALTIME = 0
    _ABSOLUTE_CANCEL_ON_SET = 1 | 2
    # For "never": a timer must be armed to be cancelled.  The kernel's own limit is the year 2262.
    _FAR = datetime(2200, 1, 1, tzinfo=UTC)

    def __init__(self) -> None:
        # The functions of os.timerfd_* came with Python 3.13.
        import ctypes

        self._ctypes = ctypes
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.timerfd_create(
            self._REALTIME, os.O_CLOEXEC | os.O_NONBLOCK
        )
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    @classmethod
    def opened(cls) -> "_Timer | None":
        """Return a timer, or None where the system has none."""
        # Where a long is shorter the C library may mean another struct than `set` packs.
        if sys.platform != "linux" or struct.calcsize("l") < 8:
            return None
        try:
            return cls()
        except (OSError, AttributeError):
            return None  # a sandbox, or a C library, without it

    def fileno(self) -> int:
        """Return the descriptor, readable once the timer has gone off."""
        return self._descriptor

    def set(self, moment: datetime | None) -> bool:
        """Set the timer and return True; or False if the clock was set since it was last set."""
        since_epoch = (self._FAR if moment is None else min(moment, self._FAR)) - _EPOCH
        microseconds = max(since_epoch // _MICROSECOND, 1)  # 0 would disarm it
        seconds, rest = divmod(microseconds, 1_000_000)
        # struct itimerspec: interval, then value, each in seconds and nanoseconds.
        setting = struct.pack("@llll", 0, 0, seconds, rest * 1000)
        flags = self._ABSOLUTE_CANCEL_ON_SET
        if self._libc.timerfd_settime(self._descriptor, flags, setting, None) == 0:
            return True
        code = self._ctypes.get_errno()
        if code == errno.ECANCELED:
            return False
        raise OSError(code, "timerfd_settime")

    def was_cancelled(self) -> bool:
        """Empty the timer; return whether it went off because the clock was set."""
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ECANCELED:
                return True
            raise
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
