"""Sample answers: each function gives a complete view, changed as the test wants it."""

from typing import cast

from scheduler.service.answers import (
    AttemptView,
    PlannedView,
    RoutineView,
    RunView,
    SchedulerView,
    StatusView,
    TaskView,
)


def a_task(task: str = "load.2026-11-23T02:00:00", **changes: object) -> TaskView:
    routine, _, wall = task.rpartition(".")
    view: dict[str, object] = {
        "task": task,
        "routine": routine,
        "instant": f"{wall}+01:00",
        "state": "succeeded",
        "cause": "exited well",
        "reason": "",
        "origin": "scheduled",
        "root": None,
        "cover": None,
        "stale": None,
        "retry_at": None,
        "is_overdue": False,
        "planned_at": f"{wall}+01:00",
        "changed_at": f"{wall}+01:00",
        "arguments": None,
        "stand_ins": [],
        "attempts": [],
    }
    return cast("TaskView", {**view, **changes})


def an_attempt(**changes: object) -> AttemptView:
    view: dict[str, object] = {
        "number": 1,
        "started_at": "2026-11-23T02:00:00+01:00",
        "ended_at": "2026-11-23T02:00:05+01:00",
        "outcome": "exited",
        "code": 0,
        "signal": None,
        "error": None,
        "peak_memory": None,
        "cpu_time": None,
        "log": "/logs/load/2026-11-23T02-00-00.1.log",
    }
    return cast("AttemptView", {**view, **changes})


def a_run(**changes: object) -> RunView:
    view: dict[str, object] = {
        "routine": "load",
        "first": "load.2026-11-23T02:00:00",
        "last": "load.2026-11-23T09:00:00",
        "count": 8,
        "state": "skipped",
        "cause": "covered",
        "reason": "load.2026-11-23T10:00:00 runs in their place",
        "cover": "load.2026-11-23T10:00:00",
        "at": "2026-11-23T10:00:00+01:00",
    }
    return cast("RunView", {**view, **changes})


def a_plan(task: str = "load.2026-11-23T11:00:00", *waits_for: str) -> PlannedView:
    routine, _, wall = task.rpartition(".")
    return {
        "task": task,
        "routine": routine,
        "instant": f"{wall}+01:00",
        "waits_for": list(waits_for),
    }


def a_routine(**changes: object) -> RoutineView:
    view: dict[str, object] = {
        "name": "load",
        "script": "/srv/load.py",
        "module": None,
        "schedule": "0 2 * * *",
        "schedule_in_words": "daily at 02:00",
        "timezone": "Europe/Paris",
        "arguments": [],
        "environment": [],
        "enabled": True,
        "next": "2026-11-24T02:00:00+01:00",
        "last": None,
        "depends_on": [],
        "dependents": [],
        "backlog": "latest",
        "due_by": None,
        "overlap": "no",
        "tags": [],
        "description": "",
        "known_since": None,
        "paused": None,
    }
    return cast("RoutineView", {**view, **changes})


def a_scheduler(**changes: object) -> SchedulerView:
    view: dict[str, object] = {
        "name": "night",
        "is_live": True,
        "pid": 4711,
        "address": "http://127.0.0.1:4712",
        "started_at": "2026-11-23T08:00:00+00:00",
        "mode": "prod",
        "config": "/srv/night/config.cfg",
        "registry": "/srv/night/registry.xml",
        "database": "/srv/night/scheduler.db",
        "timezone": "Europe/Paris",
        "is_stopping": False,
        "notices": [],
    }
    return cast("SchedulerView", {**view, **changes})


def a_status(**changes: object) -> StatusView:
    tasks = ("running", "blocked", "failed", "stale", "ready", "waiting", "recent")
    sections = (*tasks, "next", "unknown", "pauses", "commands")
    view: dict[str, object] = {
        "scheduler": a_scheduler(),
        **{section: [] for section in sections},
        "counts": {},
    }
    return cast("StatusView", {**view, **changes})
