"""Pausing and resuming: tasks are planned, but not started (SPEC 6)."""

from collections.abc import Iterable, Iterator

from scheduler.engine.board import Board, Timer, TimerKind
from scheduler.engine.commands import Command, Refuse, Reply
from scheduler.engine.task import Pause, PauseScope
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine
from scheduler.zones import zone_named

_TITLES = {PauseScope.ALL: "all routines", PauseScope.TAG: "tag", PauseScope.ROUTINE: "routine"}


def title(scope: PauseScope, name: str) -> str:
    """Return what a pause holds for, in words."""
    return _TITLES[scope] + (f" {name!r}" if name else "")


def pause(board: Board, wanted: Pause) -> list[Command]:
    """Start no tasks of some routines from now on."""
    if wanted.until is not None and wanted.until <= wanted.since:
        return [Refuse(message="--until is over already: give a time to come")]
    routines = list(_held(board, wanted.scope, wanted.name))
    if not routines:
        return [Refuse(message=f"there is no {title(wanted.scope, wanted.name)} in the registry")]
    key = (wanted.scope, wanted.name)
    board.pauses[key] = wanted
    board.changed_pauses[key] = wanted
    arm_pause(board, wanted)
    for name in routines:
        board.soil_unstarted(name)
    words = title(*key) + ("" if wanted.scope is PauseScope.ROUTINE else f" ({len(routines)})")
    return [Reply(messages=(f"{words} {in_words(board.registry, wanted)}",))]


def in_words(registry: Registry, pause: Pause) -> str:
    """Return ``paused``, or ``paused until 2026-11-24 06:00:00`` in the registry's zone."""
    if pause.until is None:
        return "paused"
    until = pause.until.astimezone(zone_named(registry.timezone).info)
    return f"paused until {until:%Y-%m-%d %H:%M:%S}"


def arm_pause(board: Board, wanted: Pause) -> None:
    """Let a pause end by itself if it has an end."""
    if wanted.until is not None:
        timer = Timer(kind=TimerKind.RESUME, pause=(wanted.scope, wanted.name))
        board.set_timer(wanted.until, timer)


def resume(board: Board, scope: PauseScope, name: str) -> list[Command]:
    """Let what was paused go on."""
    key = (scope, name)
    if key not in board.pauses:
        return [Refuse(message=_not_paused(board, scope, name))]
    del board.pauses[key]
    board.changed_pauses[key] = None
    for routine in _held(board, scope, name):
        board.soil_unstarted(routine)
        board.freed[routine] = None
    return [Reply(messages=(f"{title(scope, name)} resumed",))]


def _not_paused(board: Board, scope: PauseScope, name: str) -> str:
    if not board.pauses and scope is PauseScope.ALL:
        return "nothing is paused"
    others = ", ".join(title(*key) for key in board.pauses)
    hint = f"; paused: {others}" if others else ""
    return f"{title(scope, name)} is not paused{hint}"


def pause_over(pauses: Iterable[Pause], routine: Routine) -> Pause | None:
    """Return the pause that holds a routine, of several the one that ends last."""
    holding = [pause for pause in pauses if _holds(pause.scope, pause.name, routine)]
    endless = (pause for pause in holding if pause.until is None)
    return next(endless, max(holding, key=lambda one: one.until or one.since, default=None))


def _holds(scope: PauseScope, name: str, routine: Routine) -> bool:
    return (
        scope is PauseScope.ALL
        or (scope is PauseScope.ROUTINE and routine.name == name)
        or (scope is PauseScope.TAG and name in routine.tags)
    )


def _held(board: Board, scope: PauseScope, name: str) -> Iterator[str]:
    for routine in board.registry.values():
        if _holds(scope, name, routine):
            yield routine.name
