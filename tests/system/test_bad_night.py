"""The story of a bad night: a failure, what it holds up, a reboot, a change of the clocks.

In the morning somebody who knows nothing looks at the status, and types what is printed there.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from scheduler.engine.states import Cause, TaskState
from scheduler.engine.task import TaskId
from scheduler.zones import to_instant, to_utc
from tests.system.data_folder import DataFolder
from tests.system.desk import Desk, a_desk
from tests.system.timed_scheduler import TimedScheduler

# A shop in which all rests on one load at 02:30, in every way there is; but for the last jobs.
SHOP = """
<defaults timezone="Europe/Paris"/>
<job name="nightly load" {} schedule="30 2 * * *" retries="2" retry_delay="10m"/>
<job name="alarm" {} schedule="0 3 * * *"><dependency name="nightly load" on="failure"/></job>
<job name="calm" {} schedule="30 3 * * *"><dependency name="alarm" on="done"/></job>

<job name="clean" {} depends_on="nightly load"/>
<job name="orders" {} depends_on="clean"/>
<job name="customers" {} depends_on="clean"/>
<job name="products" {} depends_on="clean"/>
<job name="stock" {} depends_on="clean"/>
<job name="sales" {} depends_on="orders, customers"/>
<job name="margins" {} depends_on="orders, products"/>
<job name="supply" {} depends_on="stock, products" retries="1"/>
<job name="sales mart" {} schedule="0 4 * * *" depends_on="sales"/>
<job name="margins mart" {} schedule="0 4 * * *" depends_on="margins" backlog="all"/>
<job name="report" {} depends_on="sales mart, margins mart"/>
<job name="archive" {} schedule="0 5 * * *"><dependency name="report" on="done"/></job>
<job name="audit" {} schedule="0 1 * * *">
  <dependency name="nightly load" instant="same-day"/></job>
<job name="week" {} schedule="0 6 * * *"><dependency name="sales" instant="same-week"/></job>
<job name="either" {} schedule="0 4 * * *" depends_on="nightly load, clean" require="any"/>

<job name="prices" {} schedule="@hourly" depends_on="nightly load"/>
<job name="ticks" {} schedule="@hourly" depends_on="nightly load" backlog="all"/>
<job name="quotes" {} depends_on="prices, ticks"/>
<job name="digest" {} schedule="30 7 * * *"><dependency name="ticks" instant="all"/></job>
<job name="ledger" {} schedule="@hourly" depends_on="nightly load">
  <dependency name="ledger" instant="previous"/></job>

<job name="mail" {} schedule="0 4 * * *" depends_on="nightly load" start_by="06:00"/>
<job name="answers" {} schedule="0 5 * * *" depends_on="mail"/>
<job name="news" {} schedule="0 4 * * *" depends_on="nightly load" start_by="06:00"/>
<job name="letters" {} schedule="0 4 * * *" depends_on="sales" start_by="+90m"/>
<job name="stamps" {} schedule="0 5 * * *" depends_on="letters" start_by="+2h"/>
<job name="post" {} schedule="0 6 * * *" depends_on="stamps"/>
<job name="forecast" {} schedule="0 3 * * *">
  <dependency name="clean" wait_until="05:00" otherwise="fail"/></job>
<job name="purchase" {} schedule="0 3 * * *" depends_on="forecast"/>
<job name="hints" {} schedule="0 3 * * *">
  <dependency name="nightly load" wait_until="05:00" otherwise="skip"/></job>
<job name="offers" {} schedule="0 4 * * *" depends_on="hints"/>
<job name="draft" {} schedule="0 3 * * *">
  <dependency name="nightly load" wait_until="05:00" otherwise="run"/></job>
<job name="preview" {} schedule="0 3 * * *" depends_on="draft"/>

<job name="backup" {} schedule="15 3 * * *"/>
<job name="index" {} schedule="30 3 * * *" depends_on="backup"/>
<job name="mirror" {} schedule="15 3 * * *" retries="1"/>
<job name="pulse" {} schedule="@hourly" backlog="all"/>
<job name="chart" {} schedule="30 7 * * *"><dependency name="pulse" instant="all"/></job>
"""
LOAD = "nightly load.2026-03-29T03:00:00"  # this night has no 02:30
EVENING = "2026-03-28T22:30"  # in UTC: 23:30 in Paris
MOST_COMMANDS = 3
# How a task may have ended if all is well.
WELL = (Cause.EXITED_WELL, Cause.MARKED_SUCCEEDED, Cause.COVERED, Cause.NOT_NEEDED)


@contextmanager
def the_morning_after(folder: DataFolder, timed: TimedScheduler) -> Iterator[Desk]:
    """Sit down at 08:35, after a night in which nothing went well."""
    timed.write_jobs(SHOP)
    with timed.running(EVENING, assume_done=True):
        timed.fail("nightly load")
        timed.hold("backup")
        timed.hold("mirror")
        timed.run_until("2026-03-29T01:59")  # 03:59 in Paris: the clocks have gone forward
        timed.hold("pulse")
        timed.run_until("2026-03-29T02:10")
        timed.crash()
    timed.release()
    with timed.running("2026-03-29T05:20"), a_desk(folder, timed) as desk:  # 07:20
        timed.run_until("2026-03-29T06:35")
        yield desk


def printed_by(desk: Desk, command: str) -> list[str]:
    """Type a command as it stands, and return the commands that it prints, in their order."""
    text = desk.type(*shlex.split(command)).ok().out
    return re.findall(r"scheduler ((?:execute|mark|resume|why) .+)$", text, re.MULTILINE)


def mend(desk: Desk) -> list[str]:
    """Type the first command that the status prints but for looking, until it prints none."""
    typed: list[str] = []
    while offered := [one for one in printed_by(desk, "status") if not one.startswith("why ")]:
        assert len(typed) < MOST_COMMANDS, (typed, offered)
        printed_by(desk, offered[0])
        typed.append(offered[0])
    return typed


def tasks_of_the_night(timed: TimedScheduler) -> Iterator[TaskId]:
    """Yield what has to have a fate: each instant of each routine since the evening."""
    evening = datetime.fromisoformat(EVENING).replace(tzinfo=UTC)
    start, end = to_instant(evening), to_instant(timed.clock.now())
    for name, routine in timed.registry.items():
        for at in timed.registry.triggers.between(name, start + 1, end + 1):
            yield TaskId(name, to_utc(at), routine.zone)


def assert_all_is_well(desk: Desk) -> None:
    """Check that each instant has one fate, a good one, and that the status says so."""
    unwell: list[str] = []
    for id in tasks_of_the_night(desk.timed):
        task, run = desk.timed.store.task(id), desk.timed.store.run_of(id)
        assert (task is None) != (run is None), f"{id} has no fate, or two"
        if (task or run).cause not in WELL:  # type: ignore[union-attr]  # one is there
            unwell.append(desk.timed.state(str(id)))
    # The news: at this hour nobody wants them any more, and nothing needs them.
    assert unwell == ["skipped: had not started by its start_by"]
    assert desk.timed.store.live() == ()
    assert desk.type("status").ok().out.endswith("\n\nAll is well.\n")


def test_a_bad_night_is_green_after_three_commands_that_the_status_prints(
    folder: DataFolder, timed: TimedScheduler
) -> None:
    with the_morning_after(folder, timed) as desk:
        by_load = [task for task in timed.store.live() if str(task.root) == LOAD]
        assert len(by_load) >= 30 and {task.state for task in by_load} == {TaskState.BLOCKED}
        lost = [str(task.id) for task in timed.store.failed() if task.cause is Cause.LOST]
        assert lost == ["backup.2026-03-29T03:15:00", "pulse.2026-03-29T04:00:00"]

        timed.fail("nightly load", ever_again=False)
        in_the_night = len(timed.starts())
        assert mend(desk) == ["execute --failed", "execute --late", "execute --stale"]
        assert_all_is_well(desk)

        # Nothing ran without what it waits for, and nothing twice.
        starts = timed.starts()[in_the_night:]
        for chain in (
            ("nightly load", "clean", "forecast", "purchase"),
            ("nightly load", "sales", "letters", "stamps", "post"),
            ("nightly load", "mail", "answers"),
            ("nightly load", "draft", "preview"),
            ("pulse", "chart"),
        ):
            ran = [one.rpartition(".")[0] for one in starts if one.rpartition(".")[0] in chain]
            assert ran == list(chain)


def test_a_bad_night_goes_on_without_the_load_by_commands_that_are_printed(
    folder: DataFolder, timed: TimedScheduler
) -> None:
    with the_morning_after(folder, timed) as desk:
        [look] = [one for one in printed_by(desk, "status") if one.startswith("why ")]
        [without] = [one for one in printed_by(desk, look) if one.startswith("mark ")]
        assert without == f'mark "{LOAD}" succeeded'
        printed_by(desk, without)

        # What was lost, and what was too late, is still to be mended.
        assert [without, *mend(desk)] == [without, "execute --failed", "execute --late"]
        assert_all_is_well(desk)
        assert timed.state(LOAD) == "succeeded: marked succeeded by hand"
        assert timed.starts().count(LOAD) == 3  # with its retries, all in the night
