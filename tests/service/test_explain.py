"""Why a task is in its state: held against whatever the engine's stories lead to."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from scheduler.engine.commands import Record, RecordRun, RecordTask
from scheduler.engine.events import PauseAsked
from scheduler.engine.states import TRANSITIONS, Cause, TaskState
from scheduler.engine.task import Pause, PauseScope, TaskId
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.deadlines import parse_deadline
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Backlog, Dependency, Otherwise, Overlap
from scheduler.service.explain import Explainer, Explanation
from scheduler.service.mending import mending_commands
from scheduler.service.store.memory import MemoryStore
from scheduler.zones import EPOCH_ORDINAL, to_instant
from tests.engine.stories import STORIES, Story
from tests.support.world import Ends, World, a_registry, a_routine, at

EVE = at("2026-11-02T00:30")


def why(world: World, text: str, max_running: int = 100) -> Explanation:
    explainer = Explainer(
        registry=world.registry, store=world.store, now=world.now, max_running=max_running
    )
    return explainer.explain(world.recorded(text).id)


def commands_of(world: World) -> list[str]:
    store = world.store
    found = mending_commands(world.registry, store, live=store.live(), failed=store.failed())
    return list(found)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_record_of_every_story_is_explained_down_to_a_root(story: Story) -> None:
    world = story.tell()
    explainer = Explainer(
        registry=world.registry, store=world.store, now=world.now, max_running=100
    )
    for fate in world.store.history(limit=10_000):
        if fate.task is None or fate.task.routine not in world.registry:
            continue
        found = explainer.explain(fate.task.id)
        assert found.links[0].state == fate.task.state
        assert fate.task.reason in found.links[0].sentence or fate.task.state in (
            TaskState.READY,
            TaskState.RUNNING,
        )
        if fate.task.state is TaskState.BLOCKED:
            assert found.links[-1].task == fate.task.root
            assert found.commands, f"nothing mends {fate.task.id}"


def moments(world: World) -> Iterator[tuple[Explainer, tuple[TaskId, ...]]]:
    """Yield after each event what explains, and the tasks that the event moved."""
    store = MemoryStore()
    for event, commands, registry in zip(world.events, world.decided, world.in_force, strict=True):
        store.apply([command for command in commands if isinstance(command, Record)])
        moved = [one.task.id for one in commands if isinstance(one, RecordTask)]
        moved += [
            TaskId(one.run.routine, one.run.last, one.run.zone)
            for one in commands
            if isinstance(one, RecordRun)
        ]
        explainer = Explainer(registry=registry, store=store, now=event.at, max_running=100)
        yield explainer, tuple(dict.fromkeys(moved))


def test_after_every_transition_that_there_is_a_task_is_explained_by_its_own_reason() -> None:
    explained: set[tuple[TaskState, Cause]] = set()
    for story in STORIES:
        for explainer, moved in moments(story.tell()):
            for id in moved:
                task, run = explainer.store.task(id), explainer.store.run_of(id)
                record = task or run
                assert record is not None
                state = TaskState.SKIPPED if task is None else task.state
                explained.add((state, record.cause))
                if id.routine not in explainer.registry:
                    continue
                found = explainer.explain(id)
                told = [link.sentence for link in found.links]
                is_instant = explainer.registry.triggers.is_instant(
                    id.routine, to_instant(id.instant)
                )
                if task is None and not is_instant:
                    continue  # of a schedule that is no more
                assert found.links[0].state == state, told
                if state not in (
                    TaskState.READY,
                    TaskState.RUNNING,
                ):  # these have words of their own
                    assert record.reason in told[0], told
                if state is TaskState.BLOCKED:
                    assert task is not None and found.links[-1].task == task.root, told
                    assert found.commands, told
    states_and_causes = {(state, cause) for (_, cause), state in TRANSITIONS.items()}
    # Planned is what a task is within the event that plans it: it is recorded as what follows.
    assert explained == states_and_causes - {(TaskState.WAITING, Cause.PLANNED)}


def test_a_blocked_task_is_traced_to_the_failure_and_the_commands_that_mend_it() -> None:
    registry = a_registry(
        a_routine("a", "0 1 * * *"),
        a_routine("b", "0 1 * * *", "a"),
        a_routine("c", "0 1 * * *", "b"),
    )
    world = World(registry, EVE, {"a": Ends(1, code=3)}).start().run_until(at("2026-11-02T02:00"))
    found = why(world, "c.2026-11-02T01:00:00")
    assert [link.task.routine for link in found.links] == ["c", "b", "a"]
    assert "scheduler execute a.2026-11-02T01:00:00" in found.commands


def test_a_task_to_come_names_its_zone_what_it_waits_for_and_its_deadline() -> None:
    late = replace(a_routine("b", "0 6 * * *", "a"), due_by=parse_deadline("+2h"))
    world = World(a_registry(a_routine("a", "0 1 * * *"), late), EVE).start()
    sentence = why(world, "b.2026-11-02T06:00:00").links[0].sentence
    for words in ("to come", "in UTC", "a.2026-11-02T01:00:00", "by 2026-11-02 08:00:00"):
        assert words in sentence


def test_a_holiday_is_named_where_it_leaves_an_instant_out_or_moves_it() -> None:
    calendar = Calendar(name="closed.txt", listed=(date(2026, 12, 25).toordinal() - EPOCH_ORDINAL,))
    ways = {
        "skips": ("0 9 * * *", OnHoliday.SKIP),
        "after": ("0 9 * * 5", OnHoliday.AFTER),  # the 25th is a Friday
    }
    routines = [
        replace(
            a_routine(name, expression),
            schedule=CalendarSchedule(expression, "UTC", calendar, way),
            calendar=calendar,
            on_holiday=way,
        )
        for name, (expression, way) in ways.items()
    ]
    world = World(a_registry(*routines), EVE).start()
    assert why(world, "skips.2026-12-25T09:00:00").links[0].sentence == (
        "skips.2026-12-25T09:00:00: 2026-12-25 is a holiday (closed.txt), on which routine 'skips'"
        " does not run; the nearest are skips.2026-12-24T09:00:00 and skips.2026-12-26T09:00:00"
    )
    moved = "after.2026-12-28T09:00:00"
    sentence = why(world, "after.2026-12-25T09:00:00").links[0].sentence
    assert f"2026-12-25 is a holiday (closed.txt): it is moved to {moved}; the nearest" in sentence
    told = "; a holiday (closed.txt) moved it from Friday 2026-12-25"
    assert why(world, moved).links[0].sentence.endswith(f"after holidays (closed.txt)){told}")
    world.run_until(at("2026-12-28T10:00"))
    assert why(world, moved).links[0].sentence == f"{moved} succeeded{told}"


def test_a_task_to_come_is_traced_to_what_will_hold_it_up() -> None:
    """Not only to what has failed: to a pause, and to a routine that is disabled."""
    registry = a_registry(
        a_routine("a", "0 1 * * *"),
        a_routine("b", "0 2 * * *", "a"),
        a_routine("c", "0 3 * * *", "b"),
        a_routine("off", "0 2 * * *", enabled=False),
        a_routine("d", "0 3 * * *", "off"),
    )
    world = World(registry, EVE).start()
    assert len(why(world, "c.2026-11-02T03:00:00").links) == 1
    pause = Pause(scope=PauseScope.ROUTINE, name="a", since=world.now)
    world.ask(PauseAsked(at=world.now, pause=pause), "pause a")
    for moment in (EVE, at("2026-11-02T01:30")):
        found = why(world.run_until(moment), "c.2026-11-02T03:00:00")
        assert [link.task.routine for link in found.links] == ["c", "b", "a"]
        assert found.commands == ("scheduler resume a",)
    found = why(world, "d.2026-11-02T03:00:00")
    assert found.links[-1].sentence.endswith("will be skipped: its routine is disabled")
    assert found.commands == ("enable 'off' in the registry, then: scheduler reload",)


def test_an_unknown_task_that_nobody_waits_for_is_settled_by_its_own_name() -> None:
    """`mark --unknown` is about what somebody waits for: it would say that nothing is unknown."""
    registry = a_registry(a_routine("a", "0 0 1 * *"), a_routine("b", "0 3 * * *", "a"))
    world = World(registry, EVE).start()
    assert why(world, "a.2026-09-01T00:00:00").commands == (
        "scheduler execute a.2026-09-01T00:00:00",
        "scheduler mark a.2026-09-01T00:00:00 succeeded",
    )
    world.run_until(at("2026-11-02T04:00"))
    assert why(world, "b.2026-11-02T03:00:00").commands == (
        "scheduler mark --unknown succeeded",
        "scheduler execute --unknown",
    )


def test_what_fell_due_while_no_scheduler_ran_is_not_unknown() -> None:
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 3 * * *", "a"))
    world = World(registry, EVE, {"a": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T02:00")).stop().sleep_until(at("2026-11-03T02:00"))
    explainer = Explainer(
        registry=registry, store=world.store, now=world.now, max_running=8, start="scheduler start"
    )

    def told(text: str) -> tuple[list[str], tuple[str, ...]]:
        found = explainer.explain(world.recorded(text).id)
        return [link.sentence for link in found.links], found.commands

    due = "a.2026-11-03T01:00:00 fell due on Tuesday 2026-11-03 at 01:00:00 in UTC"
    down = "no scheduler is running"
    assert told("a.2026-11-03T01:00:00") == (
        [f"{due}, and nothing is recorded of it yet; {down}"],
        ("scheduler start",),
    )
    [to_come], commands = told("b.2026-11-03T03:00:00")
    assert "waits for a.2026-11-03T01:00:00 (due)" in to_come and to_come.endswith(down)
    assert commands == ("scheduler start",)
    # What mends a failure needs a scheduler that runs, too; an end is one whoever runs.
    [failed], commands = told("a.2026-11-02T01:00:00")
    assert not failed.endswith(down) and commands[0] == "scheduler start" and len(commands) == 3


@pytest.mark.parametrize(
    ("otherwise", "then"),
    [("run", "goes on without"), ("skip", "is skipped"), ("fail", "fails")],
)
def test_a_task_says_until_when_it_waits_and_what_becomes_of_it_then(
    otherwise: str, then: str
) -> None:
    until = Dependency(name="a", wait_until=parse_deadline("03:00"), otherwise=Otherwise(otherwise))
    b = replace(a_routine("b", "0 2 * * *", until), start_by=parse_deadline("+4h"))
    world = World(a_registry(a_routine("a", "0 1 * * *"), b), EVE, {"a": Ends(300)}).start()
    waits = f"; it waits for a until 2026-11-02 03:00:00, then it {then}"
    start = "; it is skipped if it has not started by 2026-11-02 06:00:00"
    for moment in ("2026-11-02T00:40", "2026-11-02T02:10"):  # to come, and waiting
        world.run_until(at(moment))
        assert why(world, "b.2026-11-02T02:00:00").links[0].sentence.endswith(waits + start)
    world.execute("b.2026-11-02T02:00:00")  # by hand no limit counts any more
    assert start not in why(world, "b.2026-11-02T02:00:00").links[0].sentence


def test_a_ready_task_says_which_slots_it_lacks() -> None:
    pooled = [replace(a_routine(name, "0 1 * * *"), pool="db") for name in "ab"]
    world = World(Registry(pooled, pools={"db": 1}), EVE, {"a": Ends(30)}).start()
    world.run_until(at("2026-11-02T01:10"))
    lack = "it takes 1 of the 1 slots of pool 'db', and 1 are in use, by a.2026-11-02T01:00:00"
    assert why(world, "b.2026-11-02T01:00:00").links[0].sentence.endswith(lack)


def test_a_ready_task_says_that_all_slots_are_in_use() -> None:
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"))
    world = World(registry, EVE, {"a": Ends(30)}, slots=1).start()
    world.run_until(at("2026-11-02T01:10"))
    found = why(world, "b.2026-11-02T01:00:00", max_running=1)
    lack = "all 1 slots (max_running) are in use, by a.2026-11-02T01:00:00"
    assert found.links[0].sentence.endswith(lack)


def test_of_many_that_hold_the_slots_those_are_named_that_have_run_the_longest() -> None:
    pooled = [replace(a_routine(name, f"{name} 1 * * *"), pool="db") for name in "1234"]
    late = replace(a_routine("late", "5 1 * * *"), pool="db", pool_slots=2)
    registry = Registry([*pooled, late], pools={"db": 5})
    world = World(registry, EVE, {name: Ends(30) for name in "1234"}).start()
    world.run_until(at("2026-11-02T01:10"))
    sentence = why(world, "late.2026-11-02T01:05:00").links[0].sentence
    named = ", ".join(f"{name}.2026-11-02T01:0{name}:00" for name in "123")
    assert sentence.endswith(f"and 4 are in use, by {named} and 1 more")


def test_a_long_chain_of_covers_is_followed_to_its_end() -> None:
    up = a_routine("up", "*/5 * * * *", "slow latest")
    registry = a_registry(a_routine("slow", "0 1 * * *"), up, a_routine("down", "2 1 * * *", "up"))
    world = World(registry, EVE, {"slow": Ends(3000)}).start(assume_done=True)
    world.run_until(at("2026-11-02T09:02"))
    found = why(world, "down.2026-11-02T01:02:00")
    assert [str(link.task) for link in found.links] == [
        "down.2026-11-02T01:02:00",
        "up.2026-11-02T09:00:00",
        "slow.2026-11-02T01:00:00",
    ]
    links = why(world, "up.2026-11-02T01:00:00").links
    assert links[0].sentence == (
        "up.2026-11-02T01:00:00 was skipped: covered by up.2026-11-02T01:05:00,"
        " and that one in the end by up.2026-11-02T09:00:00"
    )
    assert [str(link.task) for link in links[1:]] == [
        "up.2026-11-02T09:00:00",
        "slow.2026-11-02T01:00:00",
    ]


def test_a_task_whose_record_was_pruned_is_not_called_older_than_the_first_start() -> None:
    world = World(a_registry(a_routine("a", "0 1 * * *")), EVE).start()
    world.run_until(at("2026-11-09T02:00"))
    assert sum(world.store.prune(at("2026-11-08T00:00"), keep=1)) > 0
    pruned = "is unknown: its record was pruned, for it is older than the history that is kept"
    assert why(world, "a.2026-11-03T01:00:00").links[0].sentence.endswith(pruned)
    older = "is unknown: it is older than the first start of its routine"
    assert why(world, "a.2026-11-01T01:00:00").links[0].sentence.endswith(older)


def test_a_ready_task_says_that_what_fell_due_with_it_is_being_planned() -> None:
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"))
    world = World(registry, EVE, planned_at_once=1).start().fall_due()
    sentence = why(world, "a.2026-11-02T01:00:00").links[0].sentence
    assert sentence.endswith("is ready: it starts once all is planned that fell due with it")


def test_a_task_that_was_late_says_that_such_start_gently() -> None:
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"))
    world = World(registry, EVE, {"a": Ends(30), "b": Ends(30)}, late=1).start()
    world.stop().sleep_until(at("2026-11-02T02:00")).start()
    world.run_until(at("2026-11-02T02:10"))
    assert why(world, "b.2026-11-02T01:00:00").links[0].sentence == (
        "b.2026-11-02T01:00:00 is ready, but of what was late at start or after sleep"
        " only one task a core runs at once"
    )


def test_a_task_that_is_behind_a_late_one_of_its_routine_names_that() -> None:
    each = a_routine("a", "0 * * * *", backlog=Backlog.ALL, overlap=Overlap.YES)
    other = a_routine("b", "0 1 * * *")
    world = World(a_registry(other, each), EVE, {"b": Ends(300), "a": Ends(300)}, late=1).start()
    world.stop().sleep_until(at("2026-11-02T02:30")).start()
    found = why(world.run_until(at("2026-11-02T03:10")), "a.2026-11-02T03:00:00")
    assert [link.sentence for link in found.links] == [
        "a.2026-11-02T03:00:00 is ready, but a.2026-11-02T02:00:00 of its routine goes first",
        "a.2026-11-02T02:00:00 is ready, but of what was late at start or after sleep"
        " only one task a core runs at once",
    ]


def test_a_ready_task_says_that_the_scheduler_is_stopping() -> None:
    registry = a_registry(a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *"))
    world = World(registry, EVE, {"a": Ends(30)}, slots=1).start()
    world.run_until(at("2026-11-02T01:10"))
    explainer = Explainer(
        registry=registry, store=world.store, now=world.now, max_running=8, is_stopping=True
    )
    found = explainer.explain(world.recorded("b.2026-11-02T01:00:00").id)
    assert found.links[0].sentence.endswith("the scheduler is stopping, and starts nothing more")


def test_a_task_that_is_retried_says_when() -> None:
    routine = replace(a_routine("a", "0 1 * * *"), retries=2)
    world = World(a_registry(routine), EVE, {"a": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T01:01"))
    sentence = why(world, "a.2026-11-02T01:00:00").links[0].sentence
    assert "waits for retry 1 of 2 at 01:01:30, after: exit code 1" in sentence


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_what_is_blocked_by_something_known_is_mended_by_few_commands(story: Story) -> None:
    world = story.tell()
    commands = commands_of(world)
    named = {"scheduler execute --failed", "scheduler execute --late"}
    for task in world.store.live():
        root = task.root if task.state is TaskState.BLOCKED else None
        if root is None or root.routine not in world.registry:
            continue
        if world.store.task(root) or world.store.run_of(root):
            assert not {*named, f"scheduler execute {root}"}.isdisjoint(commands), task.reason


def test_a_name_with_a_space_is_one_word_of_a_command() -> None:
    world = World(a_registry(a_routine("my load", "0 1 * * *")), EVE, {"my load": Ends(1, code=3)})
    world.start().run_until(at("2026-11-02T02:00"))
    commands = why(world, "my load.2026-11-02T01:00:00").commands
    assert 'scheduler execute "my load.2026-11-02T01:00:00"' in commands


def test_each_cause_of_a_block_is_mended_by_its_own_command() -> None:
    late = replace(a_routine("mail", "0 1 * * *", "a"), start_by=parse_deadline("+1h"))
    registry = a_registry(
        a_routine("a", "0 1 * * *"),
        late,
        a_routine("reply", "0 2 * * *", "mail"),
        replace(a_routine("off", "0 1 * * *"), enabled=False),
        a_routine("rest", "0 2 * * *", "off"),
    )
    world = World(registry, EVE, {"a": Ends(1, code=3)}).start()
    assert commands_of(world) == []
    world.run_until(at("2026-11-02T03:00"))
    assert commands_of(world) == [
        "scheduler execute --failed",
        "scheduler execute --late",
        "scheduler execute off.2026-11-02T01:00:00",
    ]


def test_a_chain_longer_than_anybody_reads_ends_at_its_root() -> None:
    registry = a_registry(a_routine("sum", "* * * * *", "sum previous"))
    world = World(registry, EVE, {"sum": Ends(0.5, code=1)}).start()
    world.run_until(at("2026-11-02T02:00"))
    found = why(world, "sum.2026-11-02T02:00:00")
    assert found.root == world.recorded("sum.2026-11-02T00:31:00").id
    assert "scheduler execute sum.2026-11-02T00:31:00" in found.commands


def test_a_task_that_is_retried_is_held_up_by_no_other() -> None:
    load = a_routine("load", "0 1 * * *")
    report = replace(a_routine("report", "0 1 * * *", "load"), retries=1)
    world = World(a_registry(load, report), EVE, {"report": Ends(1, code=1)}).start()
    world.run_until(at("2026-11-02T01:01"))
    world.execute("load.2026-11-02T01:00:00")
    assert len(why(world, "report.2026-11-02T01:00:00").links) == 1


def test_what_is_blocked_does_not_hold_up_a_task_that_needs_one_of_several() -> None:
    upstreams = [a_routine("a", "0 1 * * *"), a_routine("b", "0 1 * * *", "a")]
    any_of = replace(a_routine("c", "0 1 * * *", "b", "d"), require_any=True)
    registry = a_registry(*upstreams, a_routine("d", "0 1 * * *"), any_of)
    world = World(registry, EVE, {"a": Ends(1, code=1), "d": Ends(60)}).start()
    world.run_until(at("2026-11-02T01:30"))
    found = why(world, "c.2026-11-02T01:00:00")
    assert [link.task.routine for link in found.links] == ["c", "d"]
