"""Corners that the simulation of the whole scheduler (tests/simulation) has found."""

from dataclasses import replace
from datetime import timedelta

from scheduler.engine.events import AttemptExited, MachineWoke
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, World, a_registry, a_routine, at

EVE = at("2026-11-02T00:30")


def test_a_retry_that_is_cancelled_while_it_lacks_a_slot_gives_up_its_turn() -> None:
    load = replace(a_routine("load", "0 1 * * *"), retries=1, retry_delay=timedelta(minutes=10))
    registry = a_registry(load, a_routine("long", "5 1 * * *"), a_routine("next", "6 1 * * *"))
    outcomes = {"load": Ends(1, code=1), "long": Ends(60)}
    world = CheckedWorld(registry, EVE, outcomes, slots=1).start()
    world.run_until(at("2026-11-02T01:30"))
    assert world.state("load.2026-11-02T01:00:00") == "ready"
    world.cancel("load.2026-11-02T01:00:00")
    world.run_until(at("2026-11-02T03:00"))
    assert world.state("load.2026-11-02T01:00:00") == "cancelled"
    assert world.state("next.2026-11-02T01:06:00") == "succeeded"


def test_what_fell_due_while_the_machine_slept_is_late_whatever_else_is_told_at_once() -> None:
    registry = a_registry(
        a_routine("long", "0 1 * * *"), a_routine("a", "0 2 * * *"), a_routine("b", "0 2 * * *")
    )
    world = CheckedWorld(registry, EVE, {"long": Ends(600), "a": Ends(5)}, late=1).start()
    world.run_until(at("2026-11-02T01:30"))
    world.now = at("2026-11-02T03:00")
    world.handle(MachineWoke(at=world.now, is_followed=True), "woke")
    long = world.recorded("long.2026-11-02T01:00:00").id
    world.handle(AttemptExited(at=world.now, task=long, attempt=1, code=0), "exited")
    assert world.started("a") == ["02T02:00@02T03:00"]
    assert world.started("b") == []
    world.run_until(at("2026-11-02T03:05"))
    assert world.started("b") == ["02T02:00@02T03:05"]


def test_a_registry_that_was_not_kept_does_not_lend_its_instants_to_the_one_before() -> None:
    hourly = a_routine("load", "0 * * * *", enabled=False)
    world = World(a_registry(hourly), EVE).start()
    world.run_until(at("2026-11-02T02:00"))
    kept = world.registry
    world.stop().edit(a_routine("load", "30 * * * *", enabled=False)).start()
    world.crash()
    world._ran_with = kept  # killed before the files of the other one were kept
    world.now = at("2026-11-02T06:10")
    world.edit(a_routine("load", "45 * * * *")).start()
    skipped = world.store.runs_since("load", at("2026-11-02T02:01"))
    assert skipped == (), "that it had instants at full hours is not true"
