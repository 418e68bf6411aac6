"""The stories behind the transcripts: small registries and what happens to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from scheduler.engine.events import (
    AttemptRefused,
    BackfillAsked,
    MachineWoke,
    PauseAsked,
    RegistryReloaded,
    ResumeAsked,
    RoutineExecuteAsked,
    StopAsked,
    TimePassed,
)
from scheduler.engine.states import Cause
from scheduler.engine.task import Pause, PauseScope, TaskId
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, Otherwise, Overlap, Routine
from scheduler.zones import EPOCH_ORDINAL
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, Outcomes, World, a_registry, a_routine, at

FAILS = Ends(minutes=1, code=1)


@dataclass(frozen=True, slots=True)
class Story:
    """A behaviour: its sentence, and the world in which it can be seen."""

    name: str
    title: str
    tell: Callable[[], World]


STORIES: list[Story] = []


def story(tell: Callable[[], World]) -> Callable[[], World]:
    """Keep a function as a story; its documentation is the title."""
    STORIES.append(Story(tell.__name__, (tell.__doc__ or "").strip(), tell))
    return tell


def fails_before(first_success: int) -> Callable[[TaskId, int], Ends]:
    """Return outcomes that fail until that attempt."""
    return lambda id, attempt: FAILS if attempt < first_success else Ends(1)


def fails_on(*days: int) -> Callable[[TaskId, int], Ends]:
    """Return outcomes that fail at the first attempt of the tasks of these days of the month."""
    return lambda id, attempt: FAILS if id.instant.day in days and attempt == 1 else Ends(minutes=1)


@story
def a_chain_runs_in_order() -> World:
    """Each task waits for the one above it, also where that one is of the same instant."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("clean", None, "load"),
        a_routine("report", "30 2 * * *", "clean"),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": Ends(45), "clean": Ends(10)})
    world.start()
    return world.run_until(at("2026-11-02T12:00"))


@story
def a_failure_blocks_and_its_repair_lets_go_on() -> World:
    """What waits for a failed task is blocked and names the root, until that has succeeded."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("clean", None, "load"),
        a_routine("report", None, "clean"),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": fails_on(2)}).start()
    world.run_until(at("2026-11-02T08:00"))
    world.execute("load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-02T09:00"))


@story
def a_newer_success_stands_in() -> World:
    """The weekly report waits for Monday's load, which failed: Tuesday's serves as well."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", "0 6 * * 1", "load"))
    world = CheckedWorld(registry, at("2026-11-01T12:00"), {"load": fails_on(2)}).start()
    return world.run_until(at("2026-11-04T01:00"))


@story
def a_task_by_hand_stands_in() -> World:
    """So does a task of the routine that a person asked for."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", "0 6 * * 1", "load"))
    world = CheckedWorld(registry, at("2026-11-01T12:00"), {"load": fails_on(2)}).start()
    world.run_until(at("2026-11-02T10:00"))
    world.outcomes = {}
    world.ask(RoutineExecuteAsked(at=world.now, routine="load"), "execute load")
    return world.run_until(at("2026-11-02T11:00"))


@story
def a_routine_that_keeps_all_accepts_no_stand_in() -> World:
    """The same with backlog="all": the report of Monday waits for the load of Monday."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("report", "0 6 * * 1", "load", backlog=Backlog.ALL),
    )
    world = CheckedWorld(registry, at("2026-11-01T12:00"), {"load": fails_on(2)}).start()
    world.run_until(at("2026-11-04T01:00"))
    world.execute("load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-04T01:30"))


@story
def a_blocked_task_is_covered_by_the_next() -> World:
    """A blocked task gives way to any newer one that is due, and what waited for it follows."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("clean", "30 2 * * *", "load"),
        a_routine("report", None, "clean", backlog=Backlog.ALL),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": fails_on(2, 3)}).start()
    world.run_until(at("2026-11-03T12:00"))
    world.execute("load.2026-11-03T02:00:00")
    return world.run_until(at("2026-11-03T12:30"))


@story
def a_cover_takes_the_place_of_the_oldest() -> World:
    """One slot, taken for hours: of each routine the newest is kept, in the place of the oldest."""
    registry = a_registry(
        a_routine("big", "0 2 * * *"),
        a_routine("a", "30 2 * * *"),
        a_routine("z", "15 * * * *"),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:30"), {"big": Ends(200)}, slots=1).start()
    return world.run_until(at("2026-11-02T05:50"))


@story
def an_upstream_slower_than_its_period_starves_nobody() -> World:
    """Hourly a takes 90 minutes; b waits for it, c for b: each runs for the task that a ran for."""
    registry = a_registry(
        a_routine("a", "0 * * * *"),
        a_routine("b", "0 * * * *", "a"),
        a_routine("c", "0 * * * *", "b"),
    )
    world = CheckedWorld(registry, at("2026-11-02T00:30"), {"a": Ends(90), "b": Ends(5)}).start()
    return world.run_until(at("2026-11-02T05:45"))


@story
def with_one_slot_a_downstream_still_runs() -> World:
    """One slot, busy with a at each full hour: b has the older place and gets its turn."""
    registry = a_registry(a_routine("a", "0 * * * *"), a_routine("b", "0 * * * *", "a"))
    world = CheckedWorld(registry, at("2026-11-02T00:30"), {"a": Ends(60), "b": Ends(5)}, slots=1)
    world.start()
    return world.run_until(at("2026-11-02T04:30"))


@story
def a_routine_waits_for_its_own_previous_task() -> World:
    """Two days down: a routine that needs its own previous task does each of them, in order."""
    registry = a_registry(a_routine("sum", "0 2 * * *", "sum previous"))
    world = CheckedWorld(registry, at("2026-11-01T12:00"), {"sum": fails_on(4)}).start()
    world.run_until(at("2026-11-02T12:00")).crash().sleep_until(at("2026-11-04T12:00"))
    world.start()
    world.run_until(at("2026-11-05T12:00"))
    world.execute("sum.2026-11-04T02:00:00")
    return world.run_until(at("2026-11-05T13:00"))


@story
def all_waits_for_each_across_an_outage() -> World:
    """A daily sum of six four-hourly loads: those missed in an outage are made up for first."""
    registry = a_registry(
        a_routine("load", "0 */4 * * *"), a_routine("sum", "0 0 * * *", "load all")
    )
    world = CheckedWorld(registry, at("2026-11-01T23:00"), {"load": Ends(10)}).start()
    world.run_until(at("2026-11-02T09:00")).crash().sleep_until(at("2026-11-03T05:00"))
    world.start()
    return world.run_until(at("2026-11-03T08:30"))


@story
def what_is_older_than_the_first_start_is_unknown() -> World:
    """Monthly rates and a first start on the 15th: `mark --unknown` settles it."""
    registry = a_registry(
        a_routine("rates", "0 0 1 * *"), a_routine("report", "0 6 * * *", "rates")
    )
    world = CheckedWorld(registry, at("2026-11-15T12:00")).start()
    world.run_until(at("2026-11-16T12:00"))
    world.mark_unknown()
    world.mark_unknown()
    return world.run_until(at("2026-11-17T12:00"))


@story
def assume_done_settles_the_unknown_at_once() -> World:
    """The same with `start --assume_done`."""
    registry = a_registry(
        a_routine("rates", "0 0 1 * *"), a_routine("report", "0 6 * * *", "rates")
    )
    world = CheckedWorld(registry, at("2026-11-15T12:00")).start(assume_done=True)
    return world.run_until(at("2026-11-16T12:00"))


@story
def an_unknown_task_can_be_executed() -> World:
    """The same with `execute` of the unknown task."""
    registry = a_registry(
        a_routine("rates", "0 0 1 * *"), a_routine("report", "0 6 * * *", "rates")
    )
    world = CheckedWorld(registry, at("2026-11-15T12:00"), {"rates": Ends(5)}).start()
    world.run_until(at("2026-11-16T12:00"))
    world.execute("rates.2026-11-01T00:00:00")
    return world.run_until(at("2026-11-16T13:00"))


@story
def another_schedule_begins_now() -> World:
    """Edited while down: what the old schedule missed is skipped, the new one begins now."""
    registry = a_registry(a_routine("load", "0 * * * *"), a_routine("report", "30 * * * *", "load"))
    world = CheckedWorld(registry, at("2026-11-02T01:30")).start()
    world.run_until(at("2026-11-02T02:45")).stop()
    world.edit(a_routine("load", "*/20 * * * *"), a_routine("report", "30 * * * *", "load"))
    world.sleep_until(at("2026-11-02T05:50")).start()
    return world.run_until(at("2026-11-02T06:45"))


@story
def a_registry_is_edited_while_the_scheduler_is_down() -> World:
    """A routine is removed, one disabled, one enabled, one is new: none runs what it missed."""
    old = a_registry(
        a_routine("gone", "0 * * * *"),
        a_routine("off", "0 * * * *"),
        a_routine("on", "0 * * * *", enabled=False),
        a_routine("same", "0 * * * *"),
    )
    world = CheckedWorld(old, at("2026-11-02T01:30"), slots=1, outcomes={"gone": Ends(45)}).start()
    world.run_until(at("2026-11-02T02:15")).crash()
    world.edit(
        a_routine("off", "0 * * * *", enabled=False),
        a_routine("on", "0 * * * *"),
        a_routine("same", "0 * * * *"),
        a_routine("new", "0 * * * *"),
    )
    world.sleep_until(at("2026-11-02T04:30")).start()
    return world.run_until(at("2026-11-02T05:30"))


@story
def a_waiting_task_is_bound_anew() -> World:
    """Another dependency, read at the next start, counts for what waits already."""
    loads = (a_routine("a", "0 2 * * *"), a_routine("b", "0 2 * * *"))
    registry = a_registry(*loads, a_routine("report", "0 3 * * *", "a"))
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"a": FAILS}).start()
    world.run_until(at("2026-11-02T04:00")).stop()
    world.edit(*loads, a_routine("report", "0 3 * * *", "b")).start()
    return world.run_until(at("2026-11-02T05:00"))


@story
def failure_and_done_are_asked_for() -> World:
    """`failure` runs only after a failure, and else is not needed; `done` runs after any end."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("alarm", None, "load latest failure"),
        a_routine("after-alarm", None, "alarm"),
        a_routine("tidy", None, "alarm latest done"),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": fails_on(3)}).start()
    return world.run_until(at("2026-11-03T12:00"))


@story
def nothing_to_do_counts_as_success() -> World:
    """A script that ends with its routine's skip_exit lets go on what waits for its success."""
    registry = a_registry(
        a_routine("load", "0 2 * * *", skip_exit=99), a_routine("report", None, "load")
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": Ends(1, 99)}).start()
    return world.run_until(at("2026-11-02T12:00"))


@story
def what_waits_for_a_disabled_routine_is_blocked() -> World:
    """The instants of a disabled routine are skipped; running one by hand lets go on."""
    registry = a_registry(
        a_routine("load", "0 2 * * *", enabled=False), a_routine("report", "0 3 * * *", "load")
    )
    world = CheckedWorld(registry, at("2026-11-01T12:00")).start()
    world.run_until(at("2026-11-03T12:00"))
    world.execute("load.2026-11-03T02:00:00")
    return world.run_until(at("2026-11-03T13:00"))


@story
def a_task_is_cancelled_in_any_state() -> World:
    """Waiting, running, not yet due, with all that waits for it; what has ended is refused."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("clean", None, "load"),
        a_routine("r", None, "clean"),
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": Ends(60)}).start()
    world.run_until(at("2026-11-02T02:10"))
    world.cancel("r.2026-11-02T02:00:00")
    world.cancel("r.2026-11-02T02:00:00")
    world.cancel("load.2026-11-02T02:00:00")
    world.run_until(at("2026-11-02T02:20"))
    world.cancel("clean.2026-11-02T02:00:00")
    world.cancel("load.2026-11-03T02:00:00", downstream=True)
    world.cancel("clean.2026-11-03T02:00:00", downstream=True)
    world.cancel("load.2026-11-03T02:01:00")
    world.cancel("load.2026-10-30T02:00:00")
    return world.run_until(at("2026-11-04T02:30"))


@story
def a_task_is_executed_again() -> World:
    """Again, with its dependencies waived, before its time; refused while it runs."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", "0 3 * * *", "load"))
    world = CheckedWorld(
        registry, at("2026-11-02T01:00"), {"load": FAILS, "report": Ends(9)}
    ).start()
    world.run_until(at("2026-11-02T04:00"))
    world.execute("report.2026-11-02T03:00:00")
    world.execute("report.2026-11-02T03:00:00")
    world.execute("load.2026-11-02T02:00:00")
    world.run_until(at("2026-11-02T05:00"))
    world.execute("report.2026-11-02T03:00:00")
    world.execute("report.2026-11-03T03:00:00")
    return world.run_until(at("2026-11-03T03:30"))


@story
def a_covered_task_is_executed() -> World:
    """Out of a run of skipped ones: what is left of it is kept, and what waited waits for it."""
    registry = a_registry(
        a_routine("load", "0 * * * *"), a_routine("each", "0 * * * *", "load", backlog=Backlog.ALL)
    )
    outcomes = {"load": lambda id, _: FAILS if id.instant.hour == 6 else Ends(1)}
    world = CheckedWorld(registry, at("2026-11-02T01:30"), outcomes).start()
    world.run_until(at("2026-11-02T02:30")).stop()
    world.sleep_until(at("2026-11-02T06:30")).start()
    world.run_until(at("2026-11-02T06:40"))
    world.execute("load.2026-11-02T04:00:00")
    return world.run_until(at("2026-11-02T06:50"))


@story
def a_routine_is_executed() -> World:
    """Its task by hand stands at the first free second, is covered by none and covers none."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("tool"))
    world = CheckedWorld(registry, at("2026-11-02T01:59"), {"load": Ends(10)}, slots=1).start()
    world.run_until(at("2026-11-02T02:00"))
    for _ in range(2):
        world.ask(RoutineExecuteAsked(at=world.now, routine="load"), "execute load")
    world.ask(RoutineExecuteAsked(at=world.now, routine="tool"), "execute tool")
    return world.run_until(at("2026-11-02T03:00"))


@story
def a_task_is_marked() -> World:
    """Marked as succeeded or skipped it counts as success; what runs or is to come is refused."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", None, "load"))
    world = CheckedWorld(
        registry, at("2026-11-01T12:00"), {"load": FAILS, "report": Ends(5)}
    ).start()
    world.run_until(at("2026-11-02T12:00"))
    world.mark(Cause.MARKED_SUCCEEDED, "load.2026-11-02T02:00:00")
    world.mark(Cause.MARKED_SUCCEEDED, "report.2026-11-02T02:00:00")
    world.run_until(at("2026-11-03T12:00"))
    world.mark(Cause.MARKED_SKIPPED, "load.2026-11-03T02:00:00", "load.2026-10-30T02:00:00")
    world.mark(Cause.MARKED_SUCCEEDED, "load.2026-11-04T02:00:00")
    return world.run_until(at("2026-11-03T13:00"))


@story
def a_fresh_start_skips_what_is_due() -> World:
    """`start --fresh`: nothing that was due before runs, what comes later does."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", "0 3 * * *", "load"))
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": fails_on(2)}).start()
    world.run_until(at("2026-11-02T04:00")).crash().sleep_until(at("2026-11-04T04:00"))
    world.start(fresh=True)
    return world.run_until(at("2026-11-05T12:00"))


@story
def a_restart_goes_on_where_the_last_run_stopped() -> World:
    """Stopped while tasks run, are ready and wait: what runs goes to its end, the rest goes on."""
    registry = a_registry(
        a_routine("a", "0 2 * * *"), a_routine("b", "0 2 * * *"), a_routine("c", None, "a", "b")
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"a": Ends(30), "b": Ends(5)}, slots=1)
    world.start().run_until(at("2026-11-02T02:10")).stop()
    world.sleep_until(at("2026-11-02T03:00")).start()
    return world.run_until(at("2026-11-02T04:00"))


@story
def what_ran_when_the_scheduler_died_is_lost() -> World:
    """After a crash an attempt is failed, "lost, may have run"; it does not run again by itself."""
    registry = a_registry(a_routine("load", "0 2 * * *"), a_routine("report", None, "load"))
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"load": Ends(30)}).start()
    world.run_until(at("2026-11-02T02:10")).crash().sleep_until(at("2026-11-02T03:00"))
    world.start()
    return world.run_until(at("2026-11-02T04:00"))


@story
def a_clock_that_is_set_back_repeats_nothing() -> World:
    """An hour back: no instant runs twice; the next one comes at its time."""
    world = CheckedWorld(a_registry(a_routine("load", "*/30 * * * *")), at("2026-11-02T01:45"))
    world.start().run_until(at("2026-11-02T02:40"))
    world.now -= timedelta(hours=1)
    world.handle(TimePassed(at=world.now), "the clock was set back by an hour")
    return world.run_until(at("2026-11-02T03:40"))


@story
def a_clock_that_is_set_forward_leaves_a_backlog() -> World:
    """A day forward, or asleep for a day: the newest runs, or each where all are kept."""
    registry = a_registry(
        a_routine("latest", "0 */6 * * *"), a_routine("each", "0 */6 * * *", backlog=Backlog.ALL)
    )
    world = CheckedWorld(registry, at("2026-11-02T01:00"), {"each": Ends(1)}).start()
    world.run_until(at("2026-11-02T02:00"))
    world.now += timedelta(days=1)
    world.handle(MachineWoke(at=world.now), "the clock was set forward by a day")
    return world.run_until(at("2026-11-03T07:00"))


@story
def two_tasks_of_a_routine_overlap_where_they_may() -> World:
    """`overlap="no"` lets one wait for the other; `overlap="yes"` runs both."""
    registry = a_registry(
        a_routine("no", "0 * * * *"), a_routine("yes", "0 * * * *", overlap=Overlap.YES)
    )
    outcomes = {"no": Ends(70), "yes": Ends(70)}
    world = CheckedWorld(registry, at("2026-11-02T01:30"), outcomes).start()
    return world.run_until(at("2026-11-02T03:30"))


@story
def what_is_late_takes_few_slots() -> World:
    """After an outage: by hand first, then what falls due now, then the late, one a core."""
    names = ("a", "b", "c")
    registry = a_registry(*(a_routine(name, "0 * * * *") for name in names), a_routine("tool"))
    outcomes = dict.fromkeys((*names, "tool"), Ends(40))
    world = CheckedWorld(registry, at("2026-11-02T00:30"), outcomes, slots=2, late=1).start()
    world.stop().sleep_until(at("2026-11-02T03:50")).start()
    world.ask(RoutineExecuteAsked(at=world.now, routine="tool"), "execute tool")
    return world.run_until(at("2026-11-02T05:15"))


@story
def the_night_of_the_hour_that_is_missing() -> World:
    """29 March in Paris: 02:30 runs at 03:00, an hourly one as time goes by."""
    zone = "Europe/Paris"
    registry = a_registry(
        a_routine("daily", "30 2 * * *", zone=zone), a_routine("hourly", "0 * * * *", zone=zone)
    )
    world = CheckedWorld(registry, at("2026-03-28T22:30")).start()
    return world.run_until(at("2026-03-29T03:15"))


@story
def the_night_of_the_hour_that_comes_twice() -> World:
    """25 October in Paris: 02:30 runs once, at the first pass, an hourly one in both hours."""
    zone = "Europe/Paris"
    registry = a_registry(
        a_routine("daily", "30 2 * * *", zone=zone), a_routine("hourly", "0 * * * *", zone=zone)
    )
    world = CheckedWorld(registry, at("2026-10-24T22:30")).start()
    return world.run_until(at("2026-10-25T03:15"))


@story
def an_instant_at_midnight_belongs_to_the_day_that_begins() -> World:
    """A round of two daily routines, one at midnight: both of its tasks are of the same day."""
    registry = a_registry(
        a_routine("late", "0 23 * * *"),
        a_routine("midnight", "0 0 * * *"),
        a_routine("both", None, "late", "midnight"),
    )
    world = CheckedWorld(registry, at("2026-11-01T22:00")).start(assume_done=True)
    return world.run_until(at("2026-11-03T01:00"))


# -- operating it: attempts, slots, deadlines, pauses, re-runs, reload, calendars ----------------

TWO = at("2026-11-02T02:00")


def with_retries(routine: Routine, retries: int, minutes: float = 1) -> Routine:
    """Return the routine with retries, the first after so many minutes, each wait twice as long."""
    return replace(routine, retries=retries, retry_delay=timedelta(minutes=minutes))


def pooled(name: str, schedule: str, *, slots: int = 1, priority: int = 0) -> Routine:
    """Return a routine that takes slots of the pool ``db``."""
    routine = a_routine(name, schedule)
    return replace(routine, pool="db", pool_slots=slots, priority=priority)


def paused(world: World, scope: PauseScope, name: str = "", until: datetime | None = None) -> None:
    """Let a person pause something."""
    words = {PauseScope.ALL: "--all", PauseScope.TAG: f"--tag {name}"}.get(scope, name)
    more = f" --until {until:%H:%M}" if until else ""
    pause = Pause(scope=scope, name=name, since=world.now, until=until)
    world.ask(PauseAsked(at=world.now, pause=pause), f"pause {words}{more}")


def run_again(world: World, words: str, *texts: str) -> None:
    """Let a person ask for tasks of the past, behind all that is due."""
    tasks = tuple(world.recorded(text) for text in texts)
    world.ask(BackfillAsked(at=world.now, tasks=tasks), words)


def reloaded(world: World, registry: Registry) -> None:
    """Let a person reload another registry."""
    world.handle(RegistryReloaded(at=world.now, registry=registry), "reload")
    world.registry = registry


@story
def a_failed_attempt_is_retried_after_growing_waits() -> World:
    """Three retries, the first after 5 minutes, each wait twice as long: report waits for all."""
    load = with_retries(a_routine("load", "0 2 * * *"), 3, 5)
    registry = a_registry(load, a_routine("report", None, "load"))
    outcomes = {"load": fails_before(4)}
    world = World(registry, at("2026-11-02T01:00"), outcomes).start()
    return world.run_until(at("2026-11-02T03:00"))


@story
def retries_that_are_used_up_block_what_waits() -> World:
    """Then it has failed; run by hand it has fresh retries."""
    load = with_retries(a_routine("load", "0 2 * * *"), 1, 5)
    registry = a_registry(load, a_routine("report", None, "load"))
    outcomes = {"load": fails_before(4)}
    world = World(registry, at("2026-11-02T01:00"), outcomes).start()
    world.run_until(at("2026-11-02T03:00"))
    world.execute("load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-02T03:30"))


@story
def a_retry_is_asked_for_now() -> World:
    """`execute` of a task that waits for a retry does not wait; `cancel` ends it."""
    load = with_retries(a_routine("load", "0 2 * * *"), 2, 60)
    world = World(a_registry(load), at("2026-11-02T01:00"), {"load": FAILS}).start()
    world.run_until(at("2026-11-02T02:10"))
    world.execute("load.2026-11-02T02:00:00")
    world.run_until(at("2026-11-02T02:20"))
    world.cancel("load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-02T06:00"))


@story
def what_waits_for_a_retry_is_not_covered_and_holds_its_overlap() -> World:
    """An hourly load waits 90 minutes for its retry: newer ones wait for it, the newest is kept."""
    load = with_retries(a_routine("load", "0 * * * *"), 1, 90)
    outcomes = {
        "load": lambda id, attempt: FAILS if (id.instant.hour, attempt) == (2, 1) else Ends(1)
    }
    world = World(a_registry(load), at("2026-11-02T01:30"), outcomes).start()
    return world.run_until(at("2026-11-02T03:45"))


@story
def a_retry_frees_its_slots_while_it_waits() -> World:
    """A pool of one: b runs between the attempts of a."""
    a = with_retries(pooled("a", "0 2 * * *"), 1, 5)
    registry = Registry([a, pooled("b", "0 2 * * *")], pools={"db": 1})
    outcomes: dict[str, Outcomes] = {"a": fails_before(2), "b": Ends(10)}
    world = World(registry, at("2026-11-02T01:00"), outcomes).start()
    return world.run_until(at("2026-11-02T02:30"))


@story
def an_attempt_that_takes_too_long_is_killed_and_retried() -> World:
    """A timeout fails the attempt, and its retry has the whole of it again."""
    load = with_retries(a_routine("load", "0 2 * * *"), 1)
    load = replace(load, timeout=timedelta(minutes=15))
    registry = a_registry(load, a_routine("report", None, "load"))
    world = World(registry, at("2026-11-02T01:00"), {"load": Ends(60)}).start()
    return world.run_until(at("2026-11-02T03:00"))


@story
def a_lost_attempt_runs_again_as_its_retries_allow() -> World:
    """After a crash: load has a retry, once has none."""
    load = with_retries(a_routine("load", "0 2 * * *"), 1, 5)
    registry = a_registry(load, a_routine("once", "0 2 * * *"))
    world = World(registry, at("2026-11-02T01:00"), {"load": Ends(30), "once": Ends(30)}).start()
    world.run_until(at("2026-11-02T02:10")).crash().sleep_until(at("2026-11-02T03:00"))
    return world.start().run_until(at("2026-11-02T04:00"))


@story
def a_pool_of_one_lets_one_run_at_a_time() -> World:
    """A mutex between routines: higher priority first, then the older instant, then the name."""
    routines = (pooled("a", "0 2 * * *"), pooled("b", "0 2 * * *"), pooled("c", "50 1 * * *"))
    urgent = pooled("urgent", "1 2 * * *", priority=5)
    registry = Registry([*routines, urgent], pools={"db": 1})
    outcomes = dict.fromkeys(("a", "b", "c", "urgent"), Ends(20))
    world = World(registry, at("2026-11-02T01:00"), outcomes).start()
    return world.run_until(at("2026-11-02T04:00"))


@story
def what_lacks_a_pools_slots_holds_up_nobody() -> World:
    """Of a pool of two b wants both: c, which wants one, and d, which wants none, go past it."""
    a, b, c = (
        pooled("a", "0 2 * * *"),
        pooled("b", "0 2 * * *", slots=2),
        pooled("c", "0 2 * * *"),
    )
    registry = Registry([a, b, c, a_routine("d", "0 2 * * *")], pools={"db": 2})
    world = World(registry, at("2026-11-02T01:00"), dict.fromkeys("abcd", Ends(10))).start()
    return world.run_until(at("2026-11-02T02:30"))


@story
def by_hand_neither_slots_nor_overlap_are_waived() -> World:
    """One slot of two is held by a pool of one; a task by hand goes first, but waits its turn."""
    registry = Registry(
        [pooled("load", "0 2 * * *"), pooled("other", "0 2 * * *")], pools={"db": 1}
    )
    outcomes = {"load": Ends(20), "other": Ends(10)}
    world = World(registry, at("2026-11-02T01:00"), outcomes, slots=2).start()
    world.run_until(at("2026-11-02T02:10"))
    world.ask(RoutineExecuteAsked(at=world.now, routine="load"), "execute load")
    return world.run_until(at("2026-11-02T03:00"))


@story
def what_has_not_started_by_its_start_by_is_skipped() -> World:
    """One waits for a slow upstream, one was missed in an outage; what waits for it is blocked."""
    late = replace(a_routine("late", "0 2 * * *", "slow"), start_by=parse_deadline("+30m"))
    registry = a_registry(a_routine("slow", "0 2 * * *"), late, a_routine("after", None, "late"))
    world = World(registry, at("2026-11-02T01:00"), {"slow": Ends(40)}).start()
    world.run_until(at("2026-11-02T12:00")).stop().sleep_until(at("2026-11-03T04:00"))
    return world.start().run_until(at("2026-11-03T06:00"))


@story
def a_task_is_overdue_once_its_due_by_has_passed() -> World:
    """While it runs, and also if it never started; it goes on, and stays marked."""
    slow = replace(a_routine("slow", "0 2 * * *"), due_by=parse_deadline("02:30"))
    report = replace(a_routine("report", "0 2 * * *", "load"), due_by=parse_deadline("+1h"))
    registry = a_registry(slow, a_routine("load", "0 2 * * *"), report)
    world = World(registry, at("2026-11-02T01:00"), {"slow": Ends(45), "load": fails_on(2)}).start()
    world.run_until(at("2026-11-02T04:00"))
    world.execute("load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-02T05:00"))


@story
def a_dependency_is_waited_for_until_a_time() -> World:
    """At 02:30 in vain: one runs without it, one is skipped, one fails; one had it in time."""

    def need(otherwise: Otherwise, until: str = "02:30") -> Dependency:
        return Dependency(name="slow", wait_until=parse_deadline(until), otherwise=otherwise)

    registry = a_registry(
        a_routine("slow", "0 2 * * *"),
        a_routine("runs", "0 2 * * *", need(Otherwise.RUN)),
        a_routine("gives-up", "0 2 * * *", need(Otherwise.SKIP)),
        a_routine("fails", "0 2 * * *", need(Otherwise.FAIL)),
        a_routine("in-time", "0 2 * * *", need(Otherwise.FAIL, "+1h")),
        a_routine("after-the-skip", None, "gives-up"),
        a_routine("after-the-failure", None, "fails latest failure"),
    )
    world = World(registry, at("2026-11-02T01:00"), {"slow": Ends(45)}).start()
    return world.run_until(at("2026-11-02T04:00"))


@story
def one_of_its_dependencies_is_enough() -> World:
    """`require="any"`: the first that succeeds will do; blocked only once all have failed."""
    any_of = replace(a_routine("report", "0 2 * * *", "a", "b"), require_any=True)
    registry = a_registry(a_routine("a", "0 2 * * *"), a_routine("b", "0 2 * * *"), any_of)
    outcomes: dict[str, Outcomes] = {
        "a": FAILS,
        "b": lambda id, _: Ends(10, code=int(id.instant.day == 3)),
    }
    world = World(registry, at("2026-11-02T01:00"), outcomes).start()
    return world.run_until(at("2026-11-03T04:00"))


@story
def a_last_instant_of_the_same_period_may_be_later() -> World:
    """Each waits from Monday 06:00: for the last load of its day, its week, or its month."""
    kinds = ("day", "week", "month")
    registry = a_registry(
        a_routine("load", "0 14 * * 1,3"),
        *(a_routine(kind, "0 6 23 * *", f"load same-{kind}") for kind in kinds),
    )
    world = World(registry, at("2026-11-23T01:00")).start()
    return world.run_until(at("2026-12-01T00:00"))


@story
def a_paused_routine_is_planned_but_not_started() -> World:
    """After three hours one keeps the latest, the other each; a third waits for the paused one."""
    registry = a_registry(
        a_routine("latest", "0 * * * *"),
        a_routine("each", "0 * * * *", backlog=Backlog.ALL),
        a_routine("report", "30 * * * *", "latest"),
    )
    world = World(registry, at("2026-11-02T01:30"), {"each": Ends(1)}).start()
    paused(world, PauseScope.ROUTINE, "latest")
    paused(world, PauseScope.ROUTINE, "each")
    world.run_until(at("2026-11-02T04:10"))
    world.execute("latest.2026-11-02T03:00:00")
    for name in ("latest", "each"):
        resumed = ResumeAsked(at=world.now, scope=PauseScope.ROUTINE, name=name)
        world.ask(resumed, f"resume {name}")
    return world.run_until(at("2026-11-02T04:45"))


@story
def a_pause_ends_by_itself() -> World:
    """A tag is paused until 02:15, over a restart; what lacks it runs, and what runs goes on."""
    tagged = [replace(a_routine(name, "0 2 * * *"), tags=("slow",)) for name in ("a", "b")]
    long = replace(a_routine("long", "0 1 * * *"), tags=("slow",))
    registry = a_registry(*tagged, long, a_routine("free", "0 2 * * *"))
    world = World(registry, at("2026-11-02T00:30"), {"long": Ends(45)}).start()
    world.run_until(at("2026-11-02T01:30"))
    paused(world, PauseScope.TAG, "slow", at("2026-11-02T02:15"))
    world.run_until(at("2026-11-02T02:05")).stop().sleep_until(at("2026-11-02T02:10")).start()
    paused(world, PauseScope.TAG, "fast")
    return world.run_until(at("2026-11-02T03:00"))


@story
def a_backfill_runs_in_order_behind_what_is_due() -> World:
    """One slot: the past of load, which began today, runs between the hours, over a restart."""
    registry = a_registry(a_routine("load", "0 0 * * *"), a_routine("hourly", "0 * * * *"))
    world = World(registry, at("2026-11-05T01:50"), {"load": Ends(25), "hourly": Ends(5)}, slots=1)
    world.start()
    days = [f"load.2026-11-0{day}T00:00:00" for day in (1, 2, 3)]
    run_again(world, "backfill load", *days)
    world.run_until(at("2026-11-05T02:20")).stop().start()
    return world.run_until(at("2026-11-05T04:00"))


@story
def a_task_runs_again_with_all_downstream() -> World:
    """`execute --downstream`: the task now, each of the others after what it depends on."""
    registry = a_registry(
        a_routine("load", "0 2 * * *"),
        a_routine("clean", None, "load"),
        a_routine("report", "0 3 * * *", "clean"),
    )
    world = World(registry, at("2026-11-02T01:00"), {"load": Ends(5), "clean": Ends(5)}).start()
    world.run_until(at("2026-11-02T04:00"))
    world.execute("load.2026-11-02T02:00:00")
    run_again(world, "and downstream", "clean.2026-11-02T02:00:00", "report.2026-11-02T03:00:00")
    return world.run_until(at("2026-11-02T05:00"))


@story
def a_registry_is_reloaded_while_tasks_run_and_wait() -> World:
    """What runs ends as it began, what waits is bound anew or skipped, and no past is run."""
    before = a_registry(
        a_routine("a", "0 2 * * *"),
        a_routine("rebound", "0 2 * * *", "a"),
        a_routine("gone", "0 2 * * *", "a"),
        a_routine("moved", "0 2 * * *", "a"),
        a_routine("gone-while-it-runs", "0 2 * * *"),
    )
    outcomes = {"a": Ends(60), "gone-while-it-runs": Ends(30)}
    world = World(before, at("2026-11-02T01:00"), outcomes).start()
    world.run_until(at("2026-11-02T02:10"))
    after = a_registry(
        a_routine("a", "0 2 * * *"),
        a_routine("rebound", "0 2 * * *"),
        a_routine("moved", "0 1,3 * * *", "a"),
        a_routine("new", "*/30 * * * *"),
    )
    reloaded(world, after)
    return world.run_until(at("2026-11-02T03:10"))


@story
def a_holiday_is_skipped_or_moves_the_instant() -> World:
    """Closed on Thursday and Friday: no instants, or one for both on Wednesday or on Monday."""
    closed = (date(2026, 11, day).toordinal() - EPOCH_ORDINAL for day in (26, 27))
    holidays = Calendar(name="closed.txt", listed=tuple(closed))

    def off(name: str, on_holiday: OnHoliday) -> Routine:
        schedule = CalendarSchedule("0 2 * * 4,5", "UTC", holidays, on_holiday)
        return replace(a_routine(name, "0 2 * * 4,5"), schedule=schedule, calendar=holidays)

    registry = a_registry(
        off("skips", OnHoliday.SKIP),
        off("before", OnHoliday.BEFORE),
        off("after", OnHoliday.AFTER),
        a_routine("report", None, "after"),
    )
    world = World(registry, at("2026-11-24T12:00")).start()
    return world.run_until(at("2026-12-04T03:00"))


@story
def a_scheduler_is_stopped_at_once() -> World:
    """`stop --now` fails what runs, without a retry; the next start goes on with the rest."""
    load = with_retries(a_routine("load", "0 2 * * *"), 3)
    registry = a_registry(load, a_routine("report", None, "load"), a_routine("other", "0 3 * * *"))
    world = World(registry, at("2026-11-02T01:00"), {"load": Ends(90)}).start()
    world.run_until(at("2026-11-02T02:10"))
    world.handle(StopAsked(at=world.now, now=True), "stop --now asked")
    world.stop().sleep_until(at("2026-11-02T03:30")).start()
    return world.run_until(at("2026-11-02T04:00"))


@story
def a_script_that_cannot_start_is_retried_like_one_that_fails() -> World:
    """Its interpreter is not there: refused, retried, and failed with that reason."""
    load = with_retries(a_routine("load", "0 2 * * *"), 1)
    world = World(a_registry(load), at("2026-11-02T01:00"), {"load": Ends(60)}).start()
    world.run_until(TWO)
    for number, moment in enumerate(("2026-11-02T02:00", "2026-11-02T02:01"), start=1):
        world.run_until(at(moment))
        refused = AttemptRefused(
            at=world.now,
            task=TaskId("load", TWO),
            attempt=number,
            error="no such interpreter: /gone",
        )
        world.running.clear()
        world.handle(refused, "refused load.2026-11-02T02:00:00")
    return world.run_until(at("2026-11-02T04:00"))
