"""From a decision to start an attempt to what the executor is given."""

import pytest

from scheduler.engine.commands import StartAttempt
from scheduler.registry.routine import Routine, Warm
from scheduler.service.config import Settings
from scheduler.service.executors.protocol import Launch
from scheduler.service.launches import Launcher
from tests.support.builders import an_id


def launch_of(routine: Routine) -> Launch:
    start = StartAttempt(task=an_id(), attempt=1, previous_instant=None, since=None)
    return Launcher(name="night", settings=Settings()).launch(routine, start, log=None)


@pytest.mark.parametrize(("warm", "may_be_warm"), [(Warm.AUTO, True), (Warm.NO, False)])
def test_a_launch_says_whether_it_may_be_warm_and_with_what(warm: Warm, may_be_warm: bool) -> None:
    routine = Routine(name="load", script="/srv/load.py", warm=warm, preload=("pandas", "numpy"))
    launch = launch_of(routine)
    assert (launch.warm, launch.preload) == (may_be_warm, ("pandas", "numpy"))
