"""Corners that the simulation of the whole scheduler (tests/simulation) has found."""

from dataclasses import replace
from datetime import timedelta

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
