"""What is an incident, when it is over, and what is told of it.

An incident is trouble with one routine that a person has to know of: a task of it failed, retries
used up, or had not succeeded by its ``due_by``.  What that holds up is part of it, and so is what
fails again before it is over; each is told once.

Pure: records in, messages out.  Whom they go to, and when, is for `notify`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from scheduler.engine.moments import deadline_at
from scheduler.engine.readiness import ended_in_words
from scheduler.engine.states import TaskState
from scheduler.engine.task import Task, TaskId
from scheduler.errors import as_word
from scheduler.registry.registry import Registry
from scheduler.registry.routine import On
from scheduler.service.views import View, in_zone
from scheduler.zones import to_instant, to_utc

LAST_LINES = 20  # of a log that are told
_HELD = (TaskState.BLOCKED, TaskState.WAITING)
_MOST_TOLD = 100  # tasks that are named one by one
_MOST_LOOKED_AT = 1_000  # tasks to come that are looked at for a due_by


class Kind(StrEnum):
    """What began an incident."""

    FAILED = "failed"  #: a task failed, and is not tried again
    OVERDUE = "overdue"  #: a task had not succeeded by its due_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Trouble with one routine, and the task that it began with."""

    kind: Kind
    task: TaskId
    reason: str
    since: datetime

    @property
    def routine(self) -> str:
        """Return the name of its routine, which has no other incident meanwhile."""
        return self.task.routine


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the records hold of trouble at one moment."""

    at: datetime
    registry: Registry
    failed: Sequence[Task] = ()  # those that still matter, the oldest first
    live: Sequence[Task] = ()

    def needs(self, task: Task) -> tuple[TaskId, ...]:
        """Return what a task waits for by the registry, if that is what it waits for."""
        name, registry = task.routine, self.registry
        heeds_needs = task.state in _HELD and not task.by_hand and not task.tries
        if not heeds_needs or name not in registry:
            return ()
        if not registry.triggers.is_instant(name, to_instant(task.instant)):
            return ()  # one by hand, or of an older schedule
        return registry.waits_for(name, task.instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A ``due_by`` that an incident breaks, or has broken."""

    task: TaskId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What has changed since the last look."""

    begun: tuple[Incident, ...]
    over: tuple[Incident, ...]


# -- what is an incident -----------------------------------------------------------------------


def judge(known: Mapping[str, Incident], situation: Situation) -> Verdict:
    """Return the incidents that have begun and those that are over; ``known`` is by routine."""
    now = _open(known, situation)
    return Verdict(
        begun=tuple(one for name, one in now.items() if known.get(name) != one),
        over=tuple(one for name, one in known.items() if name not in now),
    )


def _open(known: Mapping[str, Incident], situation: Situation) -> dict[str, Incident]:
    found = {
        task.routine: Incident(
            kind=Kind.FAILED, task=task.id, reason=task.reason, since=task.changed_at
        )
        for task in situation.failed
    }
    live = {task.id for task in situation.live}
    for name, incident in known.items():
        # A task that runs once more has not succeeded yet.
        goes_on = incident.kind is Kind.FAILED if name in found else incident.task in live
        if goes_on:
            found[name] = incident
    for task in _overdue_roots(found, situation):
        reason = f"had not succeeded by its due_by; it is {task.state}: {task.reason}"
        found[task.routine] = Incident(
            kind=Kind.OVERDUE, task=task.id, reason=reason, since=situation.at
        )
    return found


def _overdue_roots(found: Mapping[str, Incident], situation: Situation) -> list[Task]:
    """Return the overdue tasks that nothing else in trouble holds up, one a routine."""
    live = {task.id: task for task in situation.live}
    overdue = [task for task in situation.live if task.is_overdue and task.routine not in found]
    troubled = {*found, *(task.routine for task in overdue)}
    roots: dict[str, Task] = {}
    for task in overdue:
        above = _above(task, live, situation)
        if all(one == task.routine or one not in troubled for one in above):
            roots.setdefault(task.routine, task)
    return list(roots.values())


def _above(task: Task, live: Mapping[TaskId, Task], situation: Situation) -> Iterator[str]:
    """Yield the routines of all that a task waits for, however far up."""
    if task.root is not None:
        yield task.root.routine
    seen = {task.id}
    following = [task]
    while following:
        for need in situation.needs(following.pop()):
            if need not in seen:
                seen.add(need)
                above = live.get(need)
                if above is not None:
                    yield need.routine
                    following.append(above)


# -- what it holds up --------------------------------------------------------------------------


def held_up(incident: Incident, situation: Situation) -> tuple[TaskId, ...]:
    """Return the tasks that the incident keeps from starting now, by instant, then routine."""
    if incident.kind is Kind.FAILED:
        return tuple(
            task.id
            for task in situation.live
            if task.state is TaskState.BLOCKED
            and task.root is not None
            and task.root.routine == incident.routine
        )
    needs = {task.id: situation.needs(task) for task in situation.live}
    held = {incident.task}
    # What waits for one that waits need not come after it.
    while more := {id for id, own in needs.items() if id not in held and not held.isdisjoint(own)}:
        held |= more
    return tuple(id for id in needs if id in held and id != incident.task)


def dues(incident: Incident, held: Iterable[TaskId], situation: Situation) -> tuple[Due, ...]:
    """Return each ``due_by`` that the incident breaks, the next one first.

    They are those of its task, of what it holds up, and of what is yet to come and waits for these.
    """
    registry = situation.registry
    affected = dict.fromkeys([incident.task, *held])
    following = list(affected)
    found: list[Due] = []
    while following and len(affected) < _MOST_LOOKED_AT:
        id = following.pop(0)
        if id.routine in registry:
            coming = [one for one in _to_come(registry, id, situation.at) if one not in affected]
            affected.update(dict.fromkeys(coming))
            following += coming
    for id in affected:
        routine = registry.get(id.routine)
        if routine is not None and routine.due_by is not None:
            found.append(Due(task=id, at=deadline_at(routine.due_by, routine, id.instant)))
    return tuple(sorted(found, key=lambda due: (due.at, due.task.routine)))


def _to_come(registry: Registry, id: TaskId, at: datetime) -> Iterator[TaskId]:
    """Yield the next task of each routine that will wait for the success of this one."""
    after = max(to_instant(at), to_instant(id.instant) - 1)
    for name in registry[id.routine].dependents:
        routine = registry[name]
        asks = any(one.name == id.routine and one.on is On.SUCCESS for one in routine.dependencies)
        following = registry.triggers.next(name, after) if asks and routine.enabled else None
        if following is not None and id in registry.waits_for(name, to_utc(following)):
            yield TaskId(name, to_utc(following), routine.zone)


# -- what is told ------------------------------------------------------------------------------


def began(
    incident: Incident,
    situation: Situation,
    *,
    scheduler: str,
    log: str | None = None,
    last_lines: Sequence[str] = (),
) -> View:
    """Return what is told when an incident begins."""
    held = held_up(incident, situation)
    due = dues(incident, held, situation)
    blocks = f"; it holds up {_counted(len(held), 'task')}" if held else ""
    verb = "failed: " if incident.kind is Kind.FAILED else ""
    return {
        **_head("began", incident, scheduler, situation.at),
        "summary": f"{incident.task} {verb}{incident.reason}{blocks}",
        "log": log,
        "last_lines": list(last_lines[-LAST_LINES:]),
        "blocks": [str(id) for id in held[:_MOST_TOLD]],
        "blocks_count": len(held),
        "due_by": [
            {
                "task": str(one.task),
                "due_by": in_zone(one.at, one.task.zone),
                "is_broken": one.at <= situation.at,
            }
            for one in due[:_MOST_TOLD]
        ],
        "outcome": None,
        "why": f"scheduler why {as_word(incident.task)}",
    }


def ended(
    incident: Incident,
    at: datetime,
    *,
    scheduler: str,
    task: Task | None,
    success: TaskId | None = None,
) -> View:
    """Return what is told when an incident is over: ``success`` is the routine's newest."""
    if task is not None and task.state is not TaskState.FAILED:
        outcome = f"{task.id} {ended_in_words(task.state, task.reason)}"
    elif success is not None:
        outcome = f"{success} succeeded"
    else:
        outcome = f"{incident.task} is not recorded any more"
    return {
        **_head("ended", incident, scheduler, at),
        "summary": f"{incident.routine} is well again: {outcome}",
        "log": None,
        "last_lines": [],
        "blocks": [],
        "blocks_count": 0,
        "due_by": [],
        "outcome": outcome,
        "why": f"scheduler why {as_word(incident.task)}",
    }


def sample(at: datetime, *, scheduler: str, zone: str = "UTC") -> View:
    """Return an incident that did not happen, to try out who is told."""
    whole = at.replace(microsecond=0)
    task = TaskId("sample", whole, zone)
    incident = Incident(kind=Kind.FAILED, task=task, reason="exit code 1", since=whole)
    told = began(
        incident,
        Situation(at=whole, registry=Registry(())),
        scheduler=scheduler,
        last_lines=("This is a test: nothing has failed.",),
    )
    return {**told, "is_test": True}


def _head(event: str, incident: Incident, scheduler: str, at: datetime) -> View:
    zone = incident.task.zone
    return {
        "event": event,
        "is_test": False,
        "scheduler": scheduler,
        "kind": incident.kind.value,
        "routine": incident.routine,
        "task": str(incident.task),
        "reason": incident.reason,
        "since": in_zone(incident.since, zone),
        "at": in_zone(at, zone),
    }


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


# -- what is kept ------------------------------------------------------------------------------


def to_note(told: Iterable[Incident]) -> str:
    """Return the incidents that were told and are not over, to be kept over a restart."""
    return json.dumps(
        [
            {
                "kind": one.kind.value,
                "routine": one.routine,
                "instant": one.task.instant.isoformat(),
                "zone": one.task.zone,
                "reason": one.reason,
                "since": one.since.isoformat(),
            }
            for one in told
        ]
    )


def from_note(text: str | None) -> dict[str, Incident]:
    """Return the incidents that a note keeps, by routine."""
    kept = cast("list[dict[str, str]]", json.loads(text)) if text else []
    return {
        one["routine"]: Incident(
            kind=Kind(one["kind"]),
            task=TaskId(one["routine"], datetime.fromisoformat(one["instant"]), one["zone"]),
            reason=one["reason"],
            since=datetime.fromisoformat(one["since"]),
        )
        for one in kept
    }
