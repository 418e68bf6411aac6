"""Attributes of a job that mean nothing without another one.

Written on the job itself such a one is an error; from defaults or a group it gives way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scheduler.registry.calendars import OnHoliday
from scheduler.registry.routine import Warm
from scheduler.registry.subjects import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    field: str
    without: object  # its value where it means nothing
    holds: Callable[[Subject, Mapping[str, object]], bool]
    reason: str
    hint: str


def _has(field: str) -> Callable[[Subject, Mapping[str, object]], bool]:
    # One that is there but wrong was reported itself.
    return lambda subject, values: (
        values.get(field) is not None or bool(subject.element.attributes.get(field))
    )


def _has_choice_of_dependencies(subject: Subject, values: Mapping[str, object]) -> bool:
    depends = "depends_on" in subject.element.attributes or any(
        child.tag == "dependency" for child in subject.element.children
    )
    return depends and _has("schedule")(subject, values)


# In this order: what gives way takes with it what needs it.
_RULES = (
    _Rule(
        field="calendar",
        without=None,
        holds=_has("schedule"),
        reason="calendar without a schedule: it follows the routines it depends on",
        hint="give it a schedule, or them the calendar",
    ),
    _Rule(
        field="on_holiday",
        without=OnHoliday.SKIP,
        holds=_has("calendar"),
        reason="on_holiday without a calendar",
        hint='name the calendar, such as calendar="US", or leave on_holiday out',
    ),
    _Rule(
        field="pool_slots",
        without=1,
        holds=_has("pool"),
        reason="pool_slots without a pool",
        hint="name the pool, or leave pool_slots out",
    ),
    _Rule(
        field="require_any",
        without=False,
        holds=_has_choice_of_dependencies,
        reason='require="any" needs a schedule and dependencies',
        hint="give it both, or leave require out",
    ),
)


def settle_combinations(
    subject: Subject, values: dict[str, object], own: Mapping[str, object]
) -> None:
    """Take back the defaults in ``values`` that mean nothing for a job, and refuse its own."""
    for rule in _RULES:
        value = values.get(rule.field, rule.without)
        if value == rule.without and rule.field not in own:
            continue
        if rule.holds(subject, values):
            continue
        if rule.field in own and value not in (None, False):
            subject.wrong(rule.reason, rule.hint)
        values[rule.field] = rule.without


def settle_preload(values: dict[str, object], own: Mapping[str, object]) -> None:
    """Take back what is preloaded by default where an element says that it never starts warm."""
    if own.get("warm") is Warm.NO and "preload" not in own:
        values["preload"] = ()
