"""What changed between two registries, as data.

What follows from it, for tasks that wait and for those to come, is the engine's business.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import Enum

from scheduler.cron import Schedule
from scheduler.durations import duration_text
from scheduler.registry.deadlines import Deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine

# What a routine has because of others, or of where it stands: no change of its own.
_NOT_ITS_OWN = ("name", "dependents", "place")
# Fields that a registry.xml writes under another name.
_WRITTEN = {
    "zone": "timezone",
    "dependencies": "depends_on",
    "folder": "folder of its file",
    "require_any": "require",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One attribute of a routine that has another value now.

    ``old`` and ``new`` are as they may be written, or None where that would be too long to read,
    or a secret.
    """

    attribute: str
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        """Return ``schedule: 0 2 * * * -> 0 3 * * *``, or the attribute alone."""
        if self.old is None or self.new is None:
            return self.attribute
        return f"{self.attribute}: {self.old or 'none'} -> {self.new or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed; names in the order of the registry that they stand in."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[tuple[str, tuple[Change, ...]], ...] = ()
    rebound: tuple[str, ...] = ()  # unchanged, but its tasks wait for others than before
    moved: tuple[str, ...] = ()  # in both, with other instants than before
    pools: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.added or self.removed or self.changed or self.rebound or self.pools)

    def __str__(self) -> str:
        """Return ``1 added, 2 changed``, or ``nothing changes``."""
        parts = (
            ("added", len(self.added)),
            ("removed", len(self.removed)),
            ("changed", len(self.changed)),
            ("re-bound", len(self.rebound)),
            ("pools changed", len(self.pools)),
        )
        return ", ".join(f"{count} {word}" for word, count in parts if count) or "nothing changes"


def difference(old: Registry, new: Registry, moved: Collection[str]) -> Diff:
    """Return what changed from one registry to another.

    ``moved`` names the routines whose instants are others than before.
    """
    both = [name for name in new if name in old]
    changed = {name: tuple(_changes(old[name], new[name])) for name in both}
    return Diff(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple((name, changes) for name, changes in changed.items() if changes),
        rebound=tuple(name for name in both if not changed[name] and _is_rebound(new[name], moved)),
        moved=tuple(name for name in both if name in moved),
        pools=tuple(_pool_changes(old, new)),
    )


def _is_rebound(routine: Routine, moved: Collection[str]) -> bool:
    """Return whether the tasks of an unchanged routine wait for others: instants did move."""
    names = (routine.name, *routine.upstreams) if routine.dependencies else ()
    return any(name in moved for name in names)


def _changes(old: Routine, new: Routine) -> Iterator[Change]:
    for field in fields(Routine):
        if field.name in _NOT_ITS_OWN:
            continue
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if _is_zone_of(field.name, old, new):
            continue
        attribute = _WRITTEN.get(field.name, field.name)
        yield Change(attribute=attribute, old=_text(before), new=_text(after))


def _is_zone_of(field: str, old: Routine, new: Routine) -> bool:
    """Return whether only the zone or the calendar of a schedule differs: fields of their own."""
    one, other = old.schedule, new.schedule
    if field != "schedule" or one is None or other is None:
        return False
    return one.expression == other.expression


def _pool_changes(old: Registry, new: Registry) -> Iterator[Change]:
    for name in dict.fromkeys([*old.pools, *new.pools]):
        before, after = old.pools.get(name), new.pools.get(name)
        if before != after:
            yield Change(attribute=name, old=_text(before), new=_text(after))


def _text(value: object) -> str | None:
    """Return a value as it may be written; None for one that is too long, or a secret."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case str() | int() | float() | Deadline():
            return str(value)
        case timedelta():
            return duration_text(value)
        case Schedule():
            return value.expression
        case _:
            return None
