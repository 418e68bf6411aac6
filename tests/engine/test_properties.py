"""Random registries and histories: the promises of SPEC 4 hold after every event.

`CheckedWorld` does the checking.  A failure names its seed; one that was found and mended stays
here as a regression.
"""

import hashlib
import os
import subprocess
import sys

import pytest

from scheduler.engine.commands import Command, RecordPlannedUntil, WakeAt
from scheduler.engine.engine import Engine
from scheduler.engine.events import MachineWoke, SchedulerStarted
from scheduler.engine.snapshot import Snapshot
from scheduler.service.recovery import restored
from tests.support.checked_world import CheckedWorld
from tests.support.operating_worlds import OperatingDraw
from tests.support.random_worlds import Draw, a_world, live_through

# Each of these broke a promise once.
REGRESSIONS = (0, 1, 5, 9, 20, 33, 58, 62, 131, 282, 354, 543, 965, 1583, 1611)
SEEDS = (*REGRESSIONS, *range(100_000, 100_060))
OPERATING_REGRESSIONS = (0, 1, 14, 2011, 2226, 3006, 3008, 3173, 20093, 800011)
OPERATING_SEEDS = (*OPERATING_REGRESSIONS, *range(400_000, 400_030))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_keeps_every_promise(seed: int) -> None:
    draw = Draw(seed)
    live_through(draw, a_world(draw), 14)


@pytest.mark.parametrize("seed", OPERATING_SEEDS)
def test_a_random_world_with_limits_keeps_every_promise(seed: int) -> None:
    draw = OperatingDraw(seed)
    live_through(draw, a_world(draw), 12)


@pytest.mark.parametrize("seed", range(20))
def test_going_on_from_the_store_is_going_on_also_with_limits(seed: int) -> None:
    draw = OperatingDraw(500_000 + seed)
    world = a_world(draw, late=100)
    live_through(draw, world, 6)
    go_on_from_the_store(draw, world, 4)


@pytest.mark.parametrize("seed", range(40))
def test_going_on_from_the_store_is_going_on(seed: int) -> None:
    draw = Draw(200_000 + seed)
    world = a_world(draw, late=100)
    live_through(draw, world, 6)
    go_on_from_the_store(draw, world, 5)


def go_on_from_the_store(draw: Draw, world: CheckedWorld, steps: int) -> None:
    """Let a second engine begin where the first one is, and both live through the same."""
    world.run_until(world.now)
    registry = world.engine.registry
    snapshot = restored(world.store, registry, registry, world.now)
    other = Engine(registry, snapshot, world.limits)
    # For both, what is due by now is late from here on.
    world.handle(MachineWoke(at=world.now), "woke")
    started = other.handle(SchedulerStarted(at=world.now, registry=registry))
    assert decisions(world.decided[-1]) == decisions(started)
    since = len(world.events)
    live_through(draw, world, steps, with_ends=False)
    for event, commands in zip(world.events[since:], world.decided[since:], strict=True):
        # A timer that has become pointless wakes the one that set it, and no other.
        assert decisions(other.handle(event)) == decisions(commands), f"{event}"


def decisions(commands: list[Command]) -> list[Command]:
    """Return what was decided, without what is only said again after a start."""
    return [one for one in commands if not isinstance(one, WakeAt | RecordPlannedUntil)]


@pytest.mark.parametrize("seed", range(12))
def test_the_same_events_yield_the_same_commands(seed: int) -> None:
    draw = Draw(300_000 + seed)
    world = a_world(draw)
    registry, now = world.registry, world.events[0].at
    live_through(draw, world, 10, with_ends=False)
    limits = world.limits
    again = Engine(registry, Snapshot(planned_until=now), limits)
    assert [again.handle(event) for event in world.events] == world.decided


def digest(seed: int) -> str:
    """Return a digest of all that is decided in a world."""
    draw = Draw(seed) if seed % 2 else OperatingDraw(seed)
    world = a_world(draw)
    live_through(draw, world, 10)
    return hashlib.sha256(repr(world.decided).encode()).hexdigest()


def test_the_commands_do_not_depend_on_the_order_of_hashes() -> None:
    program = (
        "from tests.engine.test_properties import digest;"
        " print([digest(number) for number in range(400, 406)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert len(printed) == 1
