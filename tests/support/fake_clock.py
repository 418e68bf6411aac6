"""A clock that a test moves: `Clock` of the service, without the machine's time."""

import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scheduler.service.clock import Wakeable

_BOOT = datetime(2000, 1, 1, tzinfo=UTC)
_DEADLINE = 60.0  # seconds of the machine's own time that anything may take


class FakeClock:
    """Stands still; a wait lets it jump, but not past ``limit``.

    While ``is_busy`` says so, time stands and the inbox is waited for: what runs takes no time.
    """

    def __init__(self, start: datetime, is_busy: Callable[[], bool]) -> None:
        self.limit = start
        self.is_at_limit = False
        self._now = start
        self._set_by = timedelta()
        self._is_busy = is_busy

    def now(self) -> datetime:
        """Return the moment at which it stands."""
        return self._now

    def since_boot(self) -> timedelta:
        """Return the time awake, which neither sleep nor setting the clock adds to."""
        return self._now - _BOOT - self._set_by

    def set(self, moment: datetime) -> None:
        """Set it, also back; a machine that sleeps until then finds the same."""
        self._set_by += moment - self._now
        self._now = self.limit = moment

    def wait(self, inbox: Wakeable, until: datetime | None) -> None:
        """Return once the inbox holds something, or the clock has jumped to ``until``."""
        with selectors.DefaultSelector() as selector:
            selector.register(inbox, selectors.EVENT_READ)
            if selector.select(_DEADLINE if self._is_busy() else 0):
                return
        assert not self._is_busy(), "what runs does not end"
        self.is_at_limit = until is None or until > self.limit
        self._now = self.limit if self.is_at_limit or until is None else max(until, self._now)
