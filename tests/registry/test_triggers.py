"""Rounds and bindings against the words of SPEC 3 and 4, taken literally.

The oracle walks over every instant of a span, day by day, and knows no shortcut.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random

import pytest

from scheduler.cron import Schedule
from scheduler.registry.examine import examine
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Dependency, InstantKind, Routine
from scheduler.zones import LAST, to_instant, to_utc, zone_named
from tests.support.effort import calls_of
from tests.support.world import a_routine, at

# -- the oracle -------------------------------------------------------------------------------


class Oracle:
    """All instants of each routine of a registry, from first to last, by the words of SPEC."""

    def __init__(self, routines: Sequence[Routine], first: date, last: date) -> None:
        self.routines = {routine.name: routine for routine in routines}
        self.first, self.last = first, last
        self.instants: dict[str, list[int]] = {}
        self._sets: dict[str, frozenset[int]] = {}
        for routine in routines:  # upstreams stand before
            self.instants[routine.name] = self._instants(routine)
            self._sets[routine.name] = frozenset(self.instants[routine.name])

    def _instants(self, routine: Routine) -> list[int]:
        if routine.schedule is not None:
            return self._scheduled(routine.schedule)
        found: list[int] = []
        day = self.first
        while day <= self.last:
            found.extend(self._rounds(routine, day))
            day += timedelta(days=1)
        return found

    def _scheduled(self, schedule: Schedule) -> list[int]:
        found: list[int] = []
        first = datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)
        start = first - timedelta(days=3)
        end = start + timedelta(days=(self.last - self.first).days + 7)
        moment = schedule.next(start)
        while moment is not None and moment < end:
            found.append(to_instant(moment))
            moment = schedule.next(moment)
        return found

    def _rounds(self, routine: Routine, day: date) -> list[int]:
        """Cut a local day into rounds, second by second where something triggers."""
        bounds = day_bounds(routine.zone, day)
        if bounds is None:
            return []
        moments = sorted(
            {
                instant
                for name in routine.upstreams
                for instant in self.instants[name]
                if bounds[0] <= instant < bounds[1]
            }
        )
        found: list[int] = []
        missing = set(routine.upstreams)
        for moment in moments:
            missing -= {name for name in missing if moment in self._sets[name]}
            if not missing:
                found.append(moment)
                missing = set(routine.upstreams)
        return found

    def bound(self, routine: Routine, dependency: Dependency, instant: int) -> list[int]:
        """Return what the task at an instant waits for."""
        upstream = self.instants[dependency.name]
        zone = routine.zone
        match dependency.instant:
            case InstantKind.LATEST:
                return [one for one in upstream if one <= instant][-1:]
            case InstantKind.PREVIOUS:
                return [one for one in upstream if one < instant][-1:]
            case InstantKind.ALL:
                own = [one for one in self.instants[routine.name] if one < instant]
                since = own[-1] if own else instant - 1
                return [one for one in upstream if since < one <= instant]
            case InstantKind.SAME_DAY:
                key = local_day(zone, instant)
                return [one for one in upstream if local_day(zone, one) == key][-1:]
            case InstantKind.SAME_WEEK:
                week = local_day(zone, instant).isocalendar()[:2]
                same = [one for one in upstream if local_day(zone, one).isocalendar()[:2] == week]
                return same[-1:]
            case InstantKind.SAME_MONTH:
                own_day = local_day(zone, instant)
                month = (own_day.year, own_day.month)
                days = [(one, local_day(zone, one)) for one in upstream]
                return [one for one, its in days if (its.year, its.month) == month][-1:]


def wall_date(zone: str, instant: int) -> date:
    """Return the date that the wall bears."""
    return to_utc(instant).astimezone(zone_named(zone).info).date()


def day_bounds(zone: str, day: date) -> tuple[int, int] | None:
    """Return the first instant that bears the date, and the first that bears a later one."""
    start = first_bearing(zone, day)
    following = day + timedelta(days=1)
    while (end := first_bearing(zone, following)) is None:
        following += timedelta(days=1)
    return None if start is None else (start, end)


@cache
def first_bearing(zone: str, day: date) -> int | None:
    """Return the first instant that bears the date, looking at each quarter of an hour."""
    noon = to_instant(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    for instant in range(noon - 40 * 3600, noon + 40 * 3600, 900):
        if wall_date(zone, instant) == day:
            return instant
    return None


@cache
def local_day(zone: str, instant: int) -> date:
    """Return the last day that has begun by the instant."""
    found = wall_date(zone, instant)
    following = first_bearing(zone, found + timedelta(days=1))
    return found if following is None or following > instant else found + timedelta(days=1)


# -- random registries ------------------------------------------------------------------------

SCHEDULES = (
    "0 * * * *",
    "*/40 * * * *",
    "15 */5 * * *",
    "0 0 * * *",
    "0 1 * * *",
    "30 2 * * *",
    "0 23 * * *",
    "0 6,18 * * *",
    "30 0 * * 1-5",
    "0 12 * * 0",
    "0 3 1 * *",
    "0 0 * * 1",
)
# (zones, a day in the middle): both daylight-saving nights, a lost date, half hours, midnights
SPANS = (
    (("UTC", "Europe/Paris", "America/New_York"), date(2026, 3, 28)),
    (("UTC", "Europe/Paris", "Asia/Kolkata"), date(2026, 10, 25)),
    (("Australia/Lord_Howe", "Australia/Sydney"), date(2026, 4, 5)),
    (("Pacific/Apia", "UTC"), date(2011, 12, 30)),
    (("America/Sao_Paulo", "UTC"), date(2018, 2, 17)),  # midnight came twice
    (("America/Sao_Paulo", "UTC"), date(2018, 11, 4)),  # no midnight
    (("Asia/Kathmandu", "Pacific/Chatham"), date(2026, 9, 27)),
)
KINDS = (*(InstantKind.LATEST,) * 2, *InstantKind)


def some_routines(random: Random, zones: Sequence[str]) -> list[Routine]:
    """Return routines that pass `examine`, upstreams first."""
    found: list[Routine] = []
    while len(found) < 7:
        number = len(found)
        zone = random.choice(zones)
        chosen = random.sample(found, min(number, random.randint(0, 3)))
        needs = tuple(Dependency(name=one.name, instant=random.choice(KINDS)) for one in chosen)
        expression = None if needs and random.random() < 0.6 else random.choice(SCHEDULES)
        schedule = Schedule(expression, zone) if expression else None
        routine = Routine(
            name=f"r{number}", script="/r.py", schedule=schedule, zone=zone, dependencies=needs
        )
        if not examine([*found, routine]).errors:
            found.append(routine)
    return found


@cache
def a_case(seed: int) -> tuple[Registry, Oracle, int, int]:
    """Return a registry, its oracle, and a span for which the oracle knows all."""
    random = Random(seed)
    zones, middle = SPANS[seed % len(SPANS)]
    routines = some_routines(random, zones)
    oracle = Oracle(routines, middle - timedelta(days=45), middle + timedelta(days=45))
    start = to_instant(datetime(middle.year, middle.month, middle.day, tzinfo=UTC))
    return Registry(routines), oracle, start - 3 * 86_400, start + 4 * 86_400


@pytest.mark.parametrize("seed", range(28))
def test_instants_follow_from_the_words(seed: int) -> None:
    registry, oracle, start, end = a_case(seed)
    for name, expected in oracle.instants.items():
        found = list(registry.triggers.between(name, start, end))
        assert found == [one for one in expected if start <= one < end], name


@pytest.mark.parametrize("seed", range(14))
def test_next_previous_and_between_mirror_each_other(seed: int) -> None:
    registry, oracle, start, end = a_case(seed)
    triggers, random = registry.triggers, Random(seed)
    for name, all_instants in oracle.instants.items():
        probes = [random.randrange(start, end) for _ in range(30)]
        probes += random.sample(all_instants, min(10, len(all_instants)))
        for probe in (one for one in probes if start <= one < end):
            later = [one for one in all_instants if one > probe]
            older = [one for one in all_instants if one <= probe]
            if later:
                assert triggers.next(name, probe) == later[0]
            if later and older:
                assert triggers.previous(name, later[0] - 1) == older[-1]
            if older:
                assert triggers.previous(name, probe) == older[-1]
                assert triggers.next(name, older[-1] - 1) == older[-1]
            assert triggers.is_instant(name, probe) is (probe in all_instants)


@pytest.mark.parametrize("seed", range(28))
def test_bindings_follow_from_the_words(seed: int) -> None:
    registry, oracle, start, end = a_case(seed)
    for routine in registry.values():
        own = [one for one in oracle.instants[routine.name] if start <= one < end]
        for dependency in routine.dependencies:
            for instant in own[:: max(1, len(own) // 25)]:
                found = registry.triggers.bound(routine, dependency, instant)
                expected = oracle.bound(routine, dependency, instant)
                if expected or found:  # what lies before the oracle's span it does not know
                    assert list(found) == expected or found[0] < oracle.instants[dependency.name][0]


# -- the examples of SPEC ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedules", "expected"),
    [
        (("0 1 * * *", "0 3 * * *"), ["02T03:00", "03T03:00"]),
        (("0 1 * * 1-5", "0 3 * * *"), ["02T03:00", "03T03:00"]),
        (("0 23 * * *", "0 1 * * *"), ["02T23:00", "03T23:00"]),
        (("0 0 * * *", "0 23 * * *"), ["02T23:00", "03T23:00"]),
        (("0 1,2 * * *", "0 3,4 * * *"), ["02T03:00", "03T03:00"]),
        (("0 1,4 * * *", "0 3,5 * * *"), ["02T03:00", "02T05:00", "03T03:00", "03T05:00"]),
        (("0 1 * * *", "0 1 * * *"), ["02T01:00", "03T01:00"]),
        (("0 1,4,6 * * *", "0 3 * * *"), ["02T03:00", "03T03:00"]),
    ],
)
def test_a_round_ends_when_each_upstream_has_triggered(
    schedules: tuple[str, str], expected: list[str]
) -> None:
    registry = Registry(
        [a_routine("a", schedules[0]), a_routine("b", schedules[1]), a_routine("r", None, "a", "b")]
    )
    found = registry.instants("r", at("2026-11-02T00:00"), at("2026-11-04T00:00"))
    assert [f"{instant:%dT%H:%M}" for instant in found] == expected


def test_minutely_and_hourly_give_each_hour() -> None:
    registry = Registry(
        [a_routine("a", "* * * * *"), a_routine("b", "10 * * * *"), a_routine("r", None, "a", "b")]
    )
    found = registry.instants("r", at("2026-11-02T00:00"), at("2026-11-03T00:00"))
    assert [instant.minute for instant in found] == [10] * 24


def test_one_upstream_gives_its_instants_whatever_the_zone() -> None:
    registry = Registry(
        [a_routine("a", "*/7 * * * *"), a_routine("r", None, "a", zone="Asia/Tokyo")]
    )
    start, end = at("2026-11-02T00:00"), at("2026-11-03T00:00")
    assert registry.instants("r", start, end) == registry.instants("a", start, end)


def test_a_day_of_rounds_needs_that_day_alone() -> None:
    routines = [
        a_routine("a", "0 1,5 * * *"),
        a_routine("b", "0 3 * * *"),
        a_routine("r", None, "a", "b"),
    ]
    far = Registry(routines).instants("r", at("2031-05-05T00:00"), at("2031-05-06T00:00"))
    near = Registry(routines)
    near.instants("r", at("2026-01-01T00:00"), at("2026-03-01T00:00"))
    assert near.instants("r", at("2031-05-05T00:00"), at("2031-05-06T00:00")) == far
    assert [instant.hour for instant in far] == [3]


def test_a_chain_of_thousands_of_rounds_is_no_recursion() -> None:
    routines = [a_routine("a", "0 1 * * *"), a_routine("b", "0 2 * * *")]
    routines.append(a_routine("r0", None, "a", "b"))
    for number in range(1, 3000):
        routines.append(a_routine(f"r{number}", None, f"r{number - 1}", "a"))
    registry = Registry(routines)
    found = registry.instants("r2999", at("2026-11-02T00:00"), at("2026-11-03T00:00"))
    assert [instant.hour for instant in found] == [2]


# -- refused and warned --------------------------------------------------------------------------


def errors(*routines: Routine) -> list[str]:
    """Return the messages of what is refused, each with its way out."""
    return [f"{one.message}; {one.hint}" for one in examine(routines).errors]


def warnings(*routines: Routine) -> list[str]:
    """Return the messages of what is warned of."""
    return [one.message for one in examine(routines).warnings]


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("0 1 * * 1-5", "0 3 * * *", None),
        ("0 1 * * 1-5", "0 3 * * 0-3", "fewer days than"),
        ("0 1 * * 1", "0 3 * * 2", "share no day"),
        ("0 1 1 * *", "0 3 * * 1", "fewer days than"),
        ("0 1 1 * *", "0 3 * * *", None),
        ("0 1 29 2 *", "0 3 28-31 * *", None),
        ("0 1 29 2 *", "0 3 1-28 * *", "share no day"),
        ("0 1 * * 1", "0 3 * * 1,2", None),
    ],
)
def test_rounds_that_come_too_rarely_are_refused(first: str, second: str, says: str | None) -> None:
    found = errors(a_routine("a", first), a_routine("b", second), a_routine("r", None, "a", "b"))
    assert len(found) == (says is not None)
    if says is not None:
        assert says in found[0] and found[0].endswith("give it a schedule")


def test_what_runs_by_hand_only_cannot_be_waited_for() -> None:
    found = errors(a_routine("hand"), a_routine("r", "0 1 * * *", "hand"))
    assert len(found) == 1 and "runs by hand only" in found[0]


def test_each_cycle_is_printed_as_a_loop_also_among_scheduled_routines() -> None:
    found = errors(
        a_routine("a", "0 1 * * *", "c"),
        a_routine("b", "0 1 * * *", "a"),
        a_routine("c", "0 1 * * *", "b"),
        a_routine("d", "0 1 * * *", "c"),
    )
    assert len(found) == 1 and "a -> c -> b -> a" in found[0]


def test_a_routine_may_wait_for_its_own_previous_task() -> None:
    assert errors(a_routine("r", "0 1 * * *", "r previous")) == []


def test_a_routine_that_waits_for_itself_alone_and_has_no_schedule_is_refused() -> None:
    assert "never triggers" in errors(a_routine("r", None, "r previous"))[0]


@pytest.mark.parametrize(
    ("first", "second", "is_warned"),
    [
        ("0 1 * * *", "0 23 * * *", True),
        ("0 11 * * *", "0 23 * * *", False),
        ("0 1,20 * * *", "0 23 * * *", False),  # the task of 20:00 is meant
        ("* * * * *", "0 23 * * *", False),
    ],
)
def test_a_round_that_waits_for_something_old_is_warned_of(
    first: str, second: str, is_warned: bool
) -> None:
    found = warnings(a_routine("a", first), a_routine("b", second), a_routine("r", None, "a", "b"))
    assert len(found) == is_warned
    assert all("more than 12 hours older" in message for message in found)


def test_waiting_for_a_disabled_routine_is_warned_of() -> None:
    off = a_routine("off", "0 1 * * *", enabled=False)
    assert "which is disabled" in warnings(off, a_routine("r", "0 2 * * *", "off"))[0]
    assert warnings(off, a_routine("r", "0 2 * * *", "off", enabled=False)) == []


def test_a_search_for_rounds_that_never_end_is_given_up_within_some_years() -> None:
    # Mondays both, but of one there it is Sunday still where the rounds are cut.
    far = a_routine("far", "0 1 * * 1", zone="Pacific/Kiritimati")
    dead = a_routine("dead", None, "far", "near")
    registry = Registry([far, a_routine("near", "0 12 * * 1"), dead])
    found: list[int] = []
    start = to_instant(at("2026-01-01T00:00"))
    effort = calls_of(lambda: found.extend(registry.triggers.between("dead", start, LAST)))
    assert not found
    assert effort < 2_000_000  # to the last year it would be a hundred million
