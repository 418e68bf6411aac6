"""After an attempt: the end of the task, and its reason in words."""

from scheduler.engine.events import AttemptExited
from scheduler.engine.states import Cause
from scheduler.registry.routine import Routine

LOST_REASON = "lost, may have run: its scheduler died while it was running"
_KILLED_FOR = {Cause.CANCELLED: "cancelled by hand while running", Cause.STOPPED: "stopped"}


def verdict(
    event: AttemptExited, routine: Routine | None, killed_for: Cause | None
) -> tuple[Cause, str]:
    """Return what an exit makes of its task, and why."""
    if killed_for is not None and event.killed:
        return killed_for, _KILLED_FOR[killed_for]
    if event.signal is not None:
        return Cause.EXITED_BADLY, _with_error(f"killed by {event.signal}", event.error)
    if event.code == 0:
        return Cause.EXITED_WELL, ""
    if routine is not None and event.code is not None and event.code == routine.skip_exit:
        return Cause.NOTHING_TO_DO, f"nothing to do (exit code {event.code})"
    return Cause.EXITED_BADLY, _with_error(f"exit code {event.code}", event.error)


def _with_error(what: str, error: str | None) -> str:
    return f"{what}: {error}" if error else what
