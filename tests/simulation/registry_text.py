"""Routines as the text of a registry file: what is drawn goes through the real reader."""

from collections.abc import Mapping
from datetime import timedelta
from xml.sax.saxutils import quoteattr

from scheduler.durations import duration_text
from scheduler.registry.deadlines import Deadline
from scheduler.registry.reader import read_registry
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Dependency, InstantKind, Otherwise, Routine
from scheduler.service.registry_files import RegistryFiles

#: the script that all of them name; what it does, the machine says
SCRIPT = "run.py"


def registry_text(registry: Registry) -> bytes:
    """Return a registry file."""
    lines = [f'<registry timezone="{registry.timezone}">']
    lines += [f'  <pool name="{name}" slots="{slots}"/>' for name, slots in registry.pools.items()]
    for routine in registry.values():
        lines.append(f"  <job {_attributes(_of_routine(routine))}>")
        lines += [f"    {_dependency(one)}" for one in routine.dependencies]
        lines.append("  </job>")
    return "\n".join((*lines, "</registry>", "")).encode()


def _of_routine(routine: Routine) -> Mapping[str, object]:
    return {
        "name": routine.name,
        "script": SCRIPT,
        "schedule": routine.schedule.expression if routine.schedule is not None else None,
        "timezone": routine.zone,
        "backlog": routine.backlog,
        "overlap": routine.overlap,
        "skip_exit": routine.skip_exit,
        "enabled": None if routine.enabled else "false",
        "retries": routine.retries or None,
        "retry_delay": routine.retry_delay if routine.retries else None,
        "retry_backoff": routine.retry_backoff if routine.retries else None,
        "timeout": routine.timeout,
        "grace": routine.grace,
        "start_by": routine.start_by,
        "due_by": routine.due_by,
        "pool": routine.pool,
        "pool_slots": routine.pool_slots if routine.pool else None,
        "priority": routine.priority or None,
        "require": "any" if routine.require_any else None,
        "tags": ", ".join(routine.tags) or None,
    }


def _dependency(one: Dependency) -> str:
    attributes: dict[str, object] = {"name": one.name, "on": one.on}
    if one.instant is not InstantKind.LATEST:
        attributes["instant"] = one.instant
    if one.wait_until is not None:
        attributes["wait_until"] = one.wait_until
        attributes["otherwise"] = None if one.otherwise is Otherwise.RUN else one.otherwise
    return f"<dependency {_attributes(attributes)}/>"


def _attributes(values: Mapping[str, object]) -> str:
    pairs = ((name, _text(value)) for name, value in values.items() if value is not None)
    return " ".join(f"{name}={quoteattr(text)}" for name, text in pairs)


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Deadline):
        return str(value)
    return str(value)


def routines_in(text: bytes) -> tuple[Routine, ...]:
    """Return the routines of a registry file."""
    reading = read_registry(text, file="/registry.xml", files=RegistryFiles(), timezone="UTC")
    assert not reading.errors, reading.errors
    return reading.routines
