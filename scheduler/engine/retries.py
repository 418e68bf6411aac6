"""After an attempt: another one, and when, or the end, and its reason in words."""

from datetime import datetime, timedelta

from scheduler.durations import duration_text
from scheduler.engine.events import AttemptExited
from scheduler.engine.states import Cause
from scheduler.registry.routine import Routine

LOST_REASON = "lost, may have run: nobody saw how it ended"
_LONGEST_WAIT = timedelta(days=30)  # before a retry: the factor would outgrow any calendar
_RETRIED = (Cause.EXITED_BADLY, Cause.TIMED_OUT, Cause.LOST)
_ENDED_FOR = {Cause.CANCELLED: "cancelled by hand while running", Cause.STOPPED: "stopped"}


def retry_at(routine: Routine | None, cause: Cause, tries: int, at: datetime) -> datetime | None:
    """Return when to try again after so many attempts, the last of which ended at ``at``.

    None: never, because it did not fail by itself or its retries are used up.
    """
    if routine is None or cause not in _RETRIED or tries > routine.retries:
        return None
    seconds = _LONGEST_WAIT.total_seconds()
    # A float overflows long before the number of retries does.
    factor = routine.retry_backoff ** min(tries - 1, 64)
    seconds = min(seconds, routine.retry_delay.total_seconds() * factor)
    return at + timedelta(seconds=seconds)


def verdict(
    event: AttemptExited, routine: Routine | None, ending: Cause | None
) -> tuple[Cause, str]:
    """Return what an exit makes of its task, and why."""
    if ending is Cause.TIMED_OUT and event.killed:
        limit = routine.timeout if routine is not None else None
        after = "" if limit is None else f" after {duration_text(limit)}"
        return Cause.TIMED_OUT, f"timeout{after}"
    if ending is not None and event.killed:
        return ending, _ENDED_FOR[ending]
    if event.signal is not None:
        return Cause.EXITED_BADLY, _with_error(f"killed by {event.signal}", event.error)
    if event.code == 0:
        return Cause.EXITED_WELL, ""
    if routine is not None and event.code is not None and event.code == routine.skip_exit:
        return Cause.NOTHING_TO_DO, f"nothing to do (exit code {event.code})"
    return Cause.EXITED_BADLY, _with_error(f"exit code {event.code}", event.error)


def lost_verdict(ending: Cause | None) -> tuple[Cause, str]:
    """Return what becomes of a task of whose running attempt nobody saw the end, and why."""
    if ending is Cause.TIMED_OUT:
        return Cause.TIMED_OUT, "timeout"
    if ending is not None:
        return ending, _ENDED_FOR[ending]
    return Cause.LOST, LOST_REASON


def _with_error(what: str, error: str | None) -> str:
    return f"{what}: {error}" if error else what
