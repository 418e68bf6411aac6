"""How much and how often: what keeps one caller from taking all of the scheduler's time.

Values only: the guard asks before a request is answered, the server while it comes in.
"""

#: bytes
MOST_BODY = 1_000_000
MOST_ADDRESS = 16_000  # path and query
MOST_HEADERS = 32_000
MOST_UNREAD = 65_536  # address and headers together: more is not even read to its end

#: connections that are open at once
MOST_CONNECTIONS = 200
#: seconds in which a request must have come in whole, and until an idle connection is closed
LONGEST_REQUEST = 10.0
LONGEST_IDLE = 5

#: answered requests a second, once so many have been answered at once: others wait their turn
ANSWERED_EACH_SECOND = 100.0
ANSWERED_AT_ONCE = 300
#: refusals a second, once so many have been explained at once: others learn that they were many
REFUSED_EACH_SECOND = 10.0
REFUSED_AT_ONCE = 100


class Allowance:
    """So many at once, and so many a second from then on."""

    def __init__(self, at_once: int, each_second: float) -> None:
        self._most = float(at_once)
        self._each_second = each_second
        self._left = self._most
        self._counted_at: float | None = None

    def has_any(self, now: float) -> bool:
        """Take one if there is any, and return whether there was."""
        self._count(now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def is_full(self, now: float) -> bool:
        """Return whether none has been taken for long."""
        self._count(now)
        return self._left >= self._most

    def wait_for_one(self, now: float) -> float:
        """Take one, in advance if there is none, and return the seconds until it is there."""
        self._count(now)
        self._left -= 1.0
        return max(-self._left / self._each_second, 0.0)

    def _count(self, now: float) -> None:
        """Add what has come since it was last counted."""
        if self._counted_at is not None:
            more = max(now - self._counted_at, 0.0) * self._each_second
            self._left = min(self._left + more, self._most)
        self._counted_at = now
