"""Corners that the simulation of the whole scheduler (tests/simulation) has found."""

from dataclasses import replace
from datetime import timedelta

from scheduler.engine.events import AttemptExited, MachineWoke
from tests.support.checked_world import CheckedWorld
from tests.support.world import Ends, a_registry, a_routine, at

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
