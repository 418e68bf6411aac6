"""What changed between two registries."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scheduler.registry.diff import Change, Diff, difference
from scheduler.registry.routine import Overlap, Place, Routine, Variable, Warm
from tests.support.world import a_registry, a_routine

LOAD = a_routine("load", "0 2 * * *")
REPORT = a_routine("report", "30 2 * * *", "load")


def between(
    old: tuple[Routine, ...], new: tuple[Routine, ...], moved: tuple[str, ...] = ()
) -> Diff:
    return difference(a_registry(*old), a_registry(*new), moved)


def test_two_readings_of_one_file_do_not_differ() -> None:
    moved_down = replace(LOAD, place=Place(file="registry.xml", line=7, column=3))
    found = between((LOAD, REPORT), (moved_down, REPORT))
    assert not found
    assert str(found) == "nothing changes"


def test_what_came_and_what_went_is_named() -> None:
    found = between((LOAD,), (a_routine("rates", "@monthly"),))
    assert (found.added, found.removed) == (("rates",), ("load",))
    assert str(found) == "1 added, 1 removed"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retries": 2}, "retries: 0 -> 2"),
        ({"timeout": timedelta(minutes=90)}, "timeout: none -> 1h30m"),
        ({"overlap": Overlap.YES}, "overlap: no -> yes"),
        ({"warm": Warm.NO}, "warm: auto -> no"),
        ({"preload": ("pandas",)}, "preload"),
        ({"enabled": False}, "enabled: true -> false"),
        ({"script": "/other.py"}, "script: /load.py -> /other.py"),
        ({"arguments": ("--all",)}, "arguments"),
        ({"environment": (Variable(name="KEY", value="secret"),)}, "environment"),
    ],
)
def test_a_change_says_what_it_was_and_what_it_is(changes: dict[str, Any], words: str) -> None:
    ((name, (change,)),) = between((LOAD,), (replace(LOAD, **changes),)).changed
    assert name == "load"
    assert str(change) == words


def test_another_schedule_is_a_change_of_the_schedule_alone() -> None:
    later = a_routine("load", "0 3 * * *")
    ((_, (change,)),) = between((LOAD,), (later,), ("load",)).changed
    assert change == Change(attribute="schedule", old="0 2 * * *", new="0 3 * * *")


def test_another_zone_is_a_change_of_the_zone_alone() -> None:
    elsewhere = a_routine("load", "0 2 * * *", zone="Asia/Tokyo")
    ((_, (change,)),) = between((LOAD,), (elsewhere,), ("load",)).changed
    assert str(change) == "timezone: UTC -> Asia/Tokyo"


def test_what_waits_for_a_routine_whose_instants_moved_is_bound_anew() -> None:
    later = a_routine("load", "0 3 * * *")
    found = between((LOAD, REPORT), (later, REPORT), ("load",))
    assert found.rebound == ("report",)
    assert found.moved == ("load",)
    assert str(found) == "1 changed, 1 re-bound"


def test_a_routine_by_rounds_follows_its_upstreams() -> None:
    summary = a_routine("summary", None, "load")
    found = between((LOAD, summary), (a_routine("load", "@hourly"), summary), ("load", "summary"))
    assert found.rebound == ("summary",)


def test_a_change_that_moves_no_instants_binds_nothing_anew() -> None:
    assert between((LOAD, REPORT), (replace(LOAD, retries=3), REPORT)).rebound == ()


def test_that_others_depend_on_it_is_no_change_of_a_routine() -> None:
    found = between((LOAD,), (LOAD, REPORT))
    assert (found.added, found.changed) == (("report",), ())


def test_pools_are_compared_by_their_slots() -> None:
    from scheduler.registry.registry import Registry

    old = Registry([LOAD], pools={"db": 1, "gone": 2})
    new = Registry([LOAD], pools={"db": 3})
    assert [str(change) for change in difference(old, new, ()).pools] == [
        "db: 1 -> 3",
        "gone: 2 -> none",
    ]
