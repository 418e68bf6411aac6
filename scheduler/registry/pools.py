"""The ``<pool>`` elements, and the routines that take slots of them.

A pool may be defined after those that take from it, in another file too: what is named is
settled at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.errors import Problem, SchedulerError, quoted
from scheduler.registry.attributes import MOST_SLOTS
from scheduler.registry.flaws import Report
from scheduler.registry.routine import Place
from scheduler.registry.subjects import Subject
from scheduler.registry.value_readers import whole_number

_LONGEST_NAME = 200

_read_slots = whole_number("slots", 1, MOST_SLOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    slots: int | None  # None if that is wrong
    place: Place


class Pools:
    """Takes definitions and takers as they are read; what is wrong goes to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._pools: dict[str, _Pool] = {}
        self._mentions: list[tuple[Subject, str]] = []
        # Of thousands of routines with the same defaults only the first is kept.
        self._takers: dict[tuple[str, int, Place | None], Subject] = {}

    def define(self, subject: Subject) -> None:
        """Read a <pool>."""
        subject.check_attributes(("name", "slots"))
        subject.check_children(())
        written = subject.given("name", "routines take its slots by its name")
        text = subject.given("slots", "how many of its routines may run at once")
        name = None if written is None else written.strip()
        if name is not None and not (name.isprintable() and len(name) <= _LONGEST_NAME):
            subject.wrong(f"name {quoted(name)} is no name", "a word or a few, in one line")
            name = None
        slots = None
        try:
            slots = None if text is None else _read_slots(text)
        except SchedulerError as error:
            subject.wrong_as(error)
        if name is None:
            return
        place = subject.element.place
        first = self._pools.setdefault(name, _Pool(slots=slots, place=place))
        if first.place is not place:
            where = f"line {first.place.line}"
            if first.place.file != place.file:
                where += f" of {first.place.file}"
            subject.wrong(f"pool {quoted(name)} is defined twice, first in {where}", "keep one")

    def mention(self, subject: Subject, own: Mapping[str, object]) -> None:
        """Note the pool that an element names itself."""
        pool = own.get("pool")
        if isinstance(pool, str):
            self._mentions.append((subject, pool))

    def take(
        self, subject: Subject, values: Mapping[str, object], own: Mapping[str, object]
    ) -> None:
        """Note what a routine takes, by its own words or by the defaults in force."""
        self.mention(subject, own)
        pool, slots = values.get("pool"), values.get("pool_slots", 1)
        if isinstance(pool, str) and isinstance(slots, int):
            is_own = "pool" in own or "pool_slots" in own
            self._takers.setdefault(
                (pool, slots, subject.element.place if is_own else None), subject
            )

    def settle(self, *, is_whole: bool) -> tuple[Problem, ...]:
        """Report what cannot be taken, and return warnings of the pools that nobody takes from.

        ``is_whole`` if no file was cut short or missing.
        """
        for subject, name in self._mentions:
            if name in self._pools:
                continue
            hint = self._report.suggest(name, self._pools)
            # In what could not be read it may well be defined; only a likely slip is worth a word.
            if is_whole or hint:
                shown = name[:60] if name.isprintable() else "…"
                hint = hint or f'define it: <pool name="{shown}" slots="1"/>'
                subject.wrong(f"pool {quoted(name)} is not defined", hint)
        for (name, taken, _), subject in self._takers.items():
            pool = self._pools.get(name)
            if pool is not None and pool.slots is not None and taken > pool.slots:
                reason = f"pool_slots {taken} is more than pool {quoted(name)} has: {pool.slots}"
                subject.wrong(reason, "it would never start: take fewer, or give the pool more")
        used = {name for name, _, _ in self._takers}
        return tuple(
            _unused(name, pool.place) for name, pool in self._pools.items() if name not in used
        )

    def slots(self) -> Mapping[str, int]:
        """Return how many slots each pool has."""
        return {name: pool.slots for name, pool in self._pools.items() if pool.slots is not None}


def _unused(name: str, place: Place) -> Problem:
    return Problem(
        file=place.file,
        line=place.line,
        column=place.column,
        routine=None,
        message=f"no routine takes a slot of pool {quoted(name)}",
        hint=f'give pool="{name[:60]}" to those that share it, or remove it',
    )
