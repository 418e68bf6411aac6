"""The public `Registry`: a dictionary of routines that knows when they trigger."""

from datetime import datetime, timedelta, timezone
from random import Random

import pytest

from scheduler import Registry, SchedulerError, TaskId
from scheduler.registry.routine import Dependency, InstantKind
from scheduler.zones import to_instant, to_utc
from tests.registry.test_triggers import SPANS, some_routines
from tests.support.world import a_routine, at

REPORT = Registry(
    [
        a_routine("load", "0 2 * * *", zone="Europe/Paris"),
        a_routine("rates", "@monthly", zone="Europe/Paris"),
        a_routine("report", "30 2 * * *", "load", "rates", zone="Europe/Paris"),
        a_routine("tool", zone="Europe/Paris"),
    ],
    timezone="Europe/Paris",
)


def ids(tasks: tuple[TaskId, ...]) -> list[str]:
    """Return tasks as they are written."""
    return [str(task) for task in tasks]


def test_it_is_a_mapping_in_the_order_of_the_file() -> None:
    assert list(REPORT) == ["load", "rates", "report", "tool"]
    assert len(REPORT) == 4 and "load" in REPORT and "laod" not in REPORT
    assert REPORT.get("laod") is None
    assert REPORT["load"].dependents == ("report",)
    assert REPORT["report"].upstreams == ("load", "rates")
    assert repr(REPORT) == "Registry(4 routines)"


def test_a_routine_that_is_not_there_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SchedulerError, match=r"no routine 'laod' .*did you mean 'load'"):
        REPORT["laod"]
    with pytest.raises(KeyError):
        REPORT["laod"]
    with pytest.raises(SchedulerError, match="laod"):
        REPORT.instants("laod", at("2026-11-02T00:00"), at("2026-11-03T00:00"))
    with pytest.raises(SchedulerError, match="laod"):
        REPORT.waits_for("laod", at("2026-11-02T00:00"))


def test_a_message_about_a_long_name_stays_short() -> None:
    with pytest.raises(SchedulerError) as error:
        REPORT["x" * 100_000]
    assert len(str(error.value)) < 200


def test_instants_begin_with_the_start_and_stop_before_the_end() -> None:
    start = datetime.fromisoformat("2026-11-02T02:00:00+01:00")
    found = REPORT.instants("load", start, start + timedelta(days=2))
    assert [instant.isoformat() for instant in found] == [
        "2026-11-02T02:00:00+01:00",
        "2026-11-03T02:00:00+01:00",
    ]
    assert (
        REPORT.instants("load", start + timedelta(microseconds=1), start + timedelta(days=1)) == ()
    )
    assert REPORT.instants("load", start, start) == ()
    assert REPORT.instants("load", start, start - timedelta(days=9)) == ()
    assert len(REPORT.instants("load", start, start + timedelta(microseconds=1))) == 1


def test_instants_are_told_in_the_zone_of_the_routine() -> None:
    found = REPORT.instants("load", at("2026-07-01T00:00"), at("2026-07-02T00:00"))
    assert [instant.isoformat() for instant in found] == ["2026-07-01T02:00:00+02:00"]


def test_what_runs_by_hand_only_has_no_instants() -> None:
    assert REPORT.instants("tool", at("2020-01-01T00:00"), at("2030-01-01T00:00")) == ()
    with pytest.raises(SchedulerError, match="runs by hand only and has no instants"):
        REPORT.waits_for("tool", at("2026-11-02T00:00"))


def test_a_moment_without_a_zone_is_an_error() -> None:
    naive = datetime(2026, 11, 2)  # noqa: DTZ001
    with pytest.raises(SchedulerError, match="no time zone"):
        REPORT.instants("load", naive, at("2026-11-03T00:00"))
    with pytest.raises(SchedulerError, match="no time zone"):
        REPORT.waits_for("load", naive)


def test_waits_for_names_the_tasks_in_the_order_of_the_registry() -> None:
    instant = datetime(2026, 10, 15, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    assert ids(REPORT.waits_for("report", instant)) == [
        "load.2026-10-15T02:00:00",
        "rates.2026-10-01T00:00:00",
    ]
    assert REPORT.waits_for("load", instant - timedelta(minutes=30)) == ()


@pytest.mark.parametrize(
    "off", [timedelta(minutes=1), timedelta(microseconds=1), timedelta(1 / 24)]
)
def test_an_instant_that_is_none_is_an_error_that_names_the_nearest(off: timedelta) -> None:
    instant = datetime(2026, 10, 15, 2, 30, tzinfo=timezone(timedelta(hours=2)))
    with pytest.raises(
        SchedulerError, match="has no such instant; the nearest are report"
    ) as error:
        REPORT.waits_for("report", instant + off)
    assert "report.2026-10-15T02:30:00 and report.2026-10-16T02:30:00" in str(error.value)


def test_a_routine_that_asks_twice_for_the_same_waits_once() -> None:
    both = (Dependency(name="a"), Dependency(name="a", instant=InstantKind.SAME_DAY))
    registry = Registry([a_routine("a", "0 1 * * *"), a_routine("b", "0 2 * * *", *both)])
    assert ids(registry.waits_for("b", at("2026-11-02T02:00"))) == ["a.2026-11-02T01:00:00"]


def test_all_names_each_instant_since_ones_own_previous_one() -> None:
    registry = Registry([a_routine("a", "0 */6 * * *"), a_routine("b", "0 2 * * *", "a all")])
    assert ids(registry.waits_for("b", at("2026-11-02T02:00"))) == [
        "a.2026-11-01T06:00:00",
        "a.2026-11-01T12:00:00",
        "a.2026-11-01T18:00:00",
        "a.2026-11-02T00:00:00",
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("latest", ["a.2026-11-02T12:00:00"]),
        ("previous", ["a.2026-11-02T00:00:00"]),
        ("same-day", ["a.2026-11-02T12:00:00"]),
        ("same-week", ["a.2026-11-08T12:00:00"]),
        ("same-month", ["a.2026-11-30T12:00:00"]),
        ("all", ["a.2026-11-02T00:00:00", "a.2026-11-02T12:00:00"]),
    ],
)
def test_each_binding_names_its_task(kind: str, expected: list[str]) -> None:
    registry = Registry([a_routine("a", "0 0,12 * * *"), a_routine("b", "0 12 * * *", f"a {kind}")])
    assert ids(registry.waits_for("b", at("2026-11-02T12:00"))) == expected


def test_where_there_is_no_such_instant_nothing_is_waited_for() -> None:
    registry = Registry([a_routine("a", "0 1 * * 1"), a_routine("b", "0 2 * * *", "a same-day")])
    assert ids(registry.waits_for("b", at("2026-11-02T02:00"))) == ["a.2026-11-02T01:00:00"]
    assert registry.waits_for("b", at("2026-11-03T02:00")) == ()


@pytest.mark.parametrize("seed", range(21))
def test_waiting_for_is_the_inverse_of_waits_for(seed: int) -> None:
    random = Random(seed)
    zones, middle = SPANS[seed % len(SPANS)]
    registry = Registry(some_routines(random, zones))
    start = at(f"{middle.isoformat()}T00:00")
    end = start + timedelta(days=2)
    for name, routine in registry.items():
        for instant in registry.instants(name, start, end)[:12]:
            own = TaskId(name, instant)
            for upstream in registry.waits_for(name, instant):
                assert own in registry.waiting_for(
                    upstream.routine, upstream.instant, limit=100_000
                )
            for waiting in registry.waiting_for(name, instant, limit=20):
                assert own in registry.waits_for(waiting.routine, waiting.instant)
        assert set(routine.dependents) == {
            other.name for other in registry.values() if name in other.upstreams
        }


def test_waiting_for_is_limited_for_each_routine() -> None:
    registry = Registry(
        [a_routine("a", "@yearly"), a_routine("b", "* * * * *", "a"), a_routine("c", None, "a")]
    )
    found = registry.waiting_for("a", at("2026-01-01T00:00"), limit=5)
    assert [one.routine for one in found] == ["b"] * 5 + ["c"]


def test_who_waits_for_one_of_very_many_is_found_without_listing_them() -> None:
    """Of 43,200 minutes that one task waits for: to list them for each would take minutes."""
    registry = Registry([a_routine("a", "* * * * *"), a_routine("b", "@monthly", "a all")])
    start = at("2026-11-01T00:01")
    for instant in registry.instants("a", start, start + timedelta(hours=16)):
        assert ids(registry.waiting_for("a", instant)) == ["b.2026-12-01T00:00:00"]


def test_every_name_comes_after_what_it_depends_on() -> None:
    registry = Registry(
        [a_routine("c", None, "b"), a_routine("a", "0 1 * * *"), a_routine("b", None, "a")]
    )
    assert registry.order == ("a", "b", "c")
    assert list(registry) == ["c", "a", "b"]


def test_a_wall_time_that_comes_twice_is_told_apart_by_its_offset() -> None:
    registry = Registry([a_routine("a", "0 * * * *", zone="Europe/Paris")])
    found = registry.instants("a", at("2026-10-25T00:00"), at("2026-10-25T02:00"))
    assert [str(TaskId("a", instant, "Europe/Paris")) for instant in found] == [
        "a.2026-10-25T02:00:00+02:00",
        "a.2026-10-25T02:00:00+01:00",
    ]
    assert to_utc(to_instant(found[1])) - to_utc(to_instant(found[0])) == timedelta(hours=1)


def test_the_first_and_the_last_dates_are_no_trap() -> None:
    first = datetime(1, 1, 5, tzinfo=at("2026-01-01T00:00").tzinfo)
    last = datetime(9999, 12, 20, tzinfo=first.tzinfo)
    registry = Registry(
        [a_routine("a", "0 0 1 1 *"), a_routine("b", "0 1 * * *"), a_routine("r", None, "a", "b")]
    )
    assert registry.instants("r", last, last + timedelta(days=5)) == ()
    assert registry.instants("r", first, first + timedelta(days=5)) == ()
    assert len(registry.instants("r", last - timedelta(days=400), last)) == 1
