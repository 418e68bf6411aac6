"""Schedules and dependencies with real scripts, on a clock that the test moves."""

import logging

import pytest

from tests.system.timed_scheduler import TimedScheduler

CHAIN = """
<job name="c" {} schedule="0 2 * * *" depends_on="b"/>
<job name="b" {} schedule="0 2 * * *" depends_on="a"/>
<job name="a" {} schedule="0 2 * * *"/>
"""
DIAMOND = """
<job name="end" {} depends_on="left, right"/>
<job name="left" {} schedule="0 2 * * *" depends_on="begin"/>
<job name="right" {} schedule="0 2 * * *" depends_on="begin"/>
<job name="begin" {} schedule="0 2 * * *"/>
"""
SLOWER = """
<job name="daily" {} schedule="0 2 * * *"/>
<job name="weekly" {} schedule="0 2 * * mon" depends_on="daily"/>
<job name="hourly" {} schedule="@hourly" depends_on="weekly"/>
"""


def test_a_chain_runs_in_order(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        assert timed.starts() == []
        timed.run_until("2026-11-24T03:00")
    assert timed.starts() == [
        f"{name}.2026-11-{day}T02:00:00" for day in (23, 24) for name in "abc"
    ]


def test_the_log_tells_of_an_end_before_it_tells_of_the_start_that_waited_for_it(
    timed: TimedScheduler, caplog: pytest.LogCaptureFixture
) -> None:
    timed.write_jobs(CHAIN)
    with caplog.at_level(logging.INFO, "scheduler"), timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
    lines = [line for line in caplog.messages if line.startswith("attempt ")]
    assert [" ".join(line.split()[1:3]) for line in lines] == [
        f"{verb} task={name}.2026-11-23T02:00:00" for name in "abc" for verb in ("started", "ended")
    ]


def test_a_diamond_runs_from_its_begin_to_its_end(timed: TimedScheduler) -> None:
    timed.write_jobs(DIAMOND)
    with timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
    names = [task.partition(".")[0] for task in timed.starts()]
    assert (names[0], sorted(names[1:3]), names[3:]) == ("begin", ["left", "right"], ["end"])


def test_a_diamond_ends_only_after_both_sides(timed: TimedScheduler) -> None:
    timed.write_jobs(DIAMOND)
    with timed.running("2026-11-23T01:00"):
        timed.hold("left")
        timed.run_until("2026-11-23T05:00")
        assert timed.state("end.2026-11-23T02:00:00") == (
            "waiting: waits for left.2026-11-23T02:00:00"
        )
        timed.release()
        timed.run_until("2026-11-23T06:00")
        assert timed.state("end.2026-11-23T02:00:00") == "succeeded"


def test_a_routine_waits_for_the_latest_task_of_a_slower_one(timed: TimedScheduler) -> None:
    timed.write_jobs(SLOWER)
    with timed.running("2026-11-22T23:30"):  # a Sunday
        timed.run_until("2026-11-23T00:30")
        # The week's own task is older than the first start.
        assert timed.state("hourly.2026-11-23T00:00:00").startswith(
            "blocked: waits for weekly.2026-11-16T02:00:00, which is unknown"
        )
        _, commands = timed.why("hourly.2026-11-23T00:00:00")
        assert commands == (
            "scheduler mark --unknown succeeded",
            "scheduler execute --unknown",
        )
        timed.ask("mark", **{"unknown": True, "as": "succeeded"})
        timed.run_until("2026-11-23T03:30")
    assert timed.starts() == [
        "hourly.2026-11-23T00:00:00",
        "hourly.2026-11-23T01:00:00",
        "daily.2026-11-23T02:00:00",
        "weekly.2026-11-23T02:00:00",
        "hourly.2026-11-23T02:00:00",
        "hourly.2026-11-23T03:00:00",
    ]


def test_a_failed_script_blocks_what_waits_until_it_is_executed_again(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
        failed = "a.2026-11-23T02:00:00"
        assert timed.state(failed) == "failed: exit code 1: told to fail"
        assert timed.state("b.2026-11-23T02:00:00").startswith("blocked: waits for " + failed)
        assert timed.state("c.2026-11-23T02:00:00").endswith("blocked by " + failed)

        sentence, commands = timed.why("c.2026-11-23T02:00:00")
        assert sentence == f"{failed} failed: exit code 1: told to fail"
        assert f"scheduler execute {failed}" in commands

        timed.fail("a", ever_again=False)
        timed.ask("execute", task=failed)
        timed.run_until("2026-11-23T04:00")
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"
    assert [task.partition(".")[0] for task in timed.starts()] == ["a", "a", "b", "c"]


def test_execute_waives_what_a_task_waits_for_and_says_so(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
        [said] = timed.ask("execute", task="c.2026-11-23T02:00:00")["messages"]
        assert "waived: it waits for b.2026-11-23T02:00:00" in said
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"


def test_where_a_newer_task_covers_the_blocked_one_execute_names_it(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-24T03:00")
        older, newer = (f"b.2026-11-{day}T02:00:00" for day in (23, 24))
        assert timed.state(older).startswith("skipped: ") and newer in timed.state(older)
        assert timed.state(newer).startswith("blocked")

        timed.fail("a", ever_again=False)
        said = timed.ask("execute", task="a.2026-11-23T02:00:00")["messages"]
        assert any(older in one and f"scheduler execute {newer}" in one for one in said), said
        # What the newer one waits for has still failed.
        assert timed.state(newer).startswith("blocked")
        timed.ask("execute", task="a.2026-11-24T02:00:00")
        assert timed.state(newer) == "succeeded"


def test_a_cover_that_waits_for_what_runs_again_is_not_to_be_run_by_hand(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(
        '<job name="a" {} schedule="0 2 * * *"/>'
        '<job name="b" {} schedule="@hourly" depends_on="a"/>'
    )
    with timed.running("2026-11-23T01:30"):
        timed.fail("a")
        timed.run_until("2026-11-23T04:30")
        assert timed.state("b.2026-11-23T03:00:00").startswith("skipped: ")
        timed.fail("a", ever_again=False)
        said = timed.ask("execute", task="a.2026-11-23T02:00:00")["messages"]
        assert not any("scheduler execute" in one for one in said), said
        assert timed.state("b.2026-11-23T04:00:00") == "succeeded"


def test_of_failed_tasks_one_that_waited_in_vain_runs_once_the_others_have(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(
        '<job name="a" {} schedule="0 2 * * *"/>'
        '<job name="b" {} schedule="0 2 * * *" depends_on="a"/>'
        '<job name="c" {} schedule="0 2 * * *">'
        '<dependency name="b" wait_until="03:00" otherwise="fail"/></job>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T04:00")
        assert timed.state("c.2026-11-23T02:00:00").startswith("failed: waited in vain")
        timed.ask("execute", failed=True)
        # It has failed once more, and nothing went on without it.
        assert timed.state("c.2026-11-23T02:00:00").startswith("blocked: waits for b.")
        timed.fail("a", ever_again=False)
        timed.ask("execute", failed=True)
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"
    assert [task[0] for task in timed.starts()] == ["a", "a", "a", "b", "c"]


def test_an_outage_leaves_the_latest_to_run_and_a_fate_for_each(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="@hourly"/>')
    with timed.running("2026-11-23T01:30"):
        timed.run_until("2026-11-23T03:30")
    with timed.running("2026-11-23T09:30"):
        assert timed.starts()[-1] == "a.2026-11-23T09:00:00"
        for hour in range(4, 9):
            assert "a.2026-11-23T09:00:00" in timed.state(f"a.2026-11-23T{hour:02}:00:00")
    assert len(timed.starts()) == 3


def test_an_outage_leaves_each_to_run_where_the_backlog_is_all(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="@hourly" backlog="all"/>')
    with timed.running("2026-11-23T01:30"):
        timed.run_until("2026-11-23T02:30")
    with timed.running("2026-11-23T06:30"):
        pass
    assert timed.starts() == [f"a.2026-11-23T0{hour}:00:00" for hour in range(2, 7)]


def test_a_stop_between_tasks_continues_where_it_was(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.hold("a")
        timed.run_until("2026-11-23T02:10")
    # The stop waited for a; b and c were not started any more.
    assert timed.starts() == ["a.2026-11-23T02:00:00"]
    with timed.running("2026-11-23T05:00"):
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"
    assert timed.starts() == [f"{name}.2026-11-23T02:00:00" for name in "abc"]


def test_a_machine_that_slept_catches_up(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.sleep_until("2026-11-25T12:00")
        assert timed.state("c.2026-11-25T02:00:00") == "succeeded"
        assert timed.state("c.2026-11-24T02:00:00").startswith("skipped")


def test_a_clock_that_is_set_back_runs_nothing_twice(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="@hourly"/>')
    with timed.running("2026-11-23T02:30"):
        timed.run_until("2026-11-23T05:30")
        timed.set_clock("2026-11-23T03:30")
        timed.run_until("2026-11-23T04:30")
        assert timed.state("a.2026-11-23T04:00:00") == "succeeded"
        timed.run_until("2026-11-23T06:30")
    assert timed.starts() == [f"a.2026-11-23T0{hour}:00:00" for hour in range(3, 7)]


def test_a_start_with_a_clock_that_is_behind_runs_nothing_twice(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="@hourly"/>')
    with timed.running("2026-11-23T02:30"):
        timed.run_until("2026-11-23T05:30")
    timed.set_clock("2026-11-23T03:30")
    with timed.running("2026-11-23T03:30"):
        timed.run_until("2026-11-23T06:30")
    assert timed.starts() == [f"a.2026-11-23T0{hour}:00:00" for hour in range(3, 7)]


def test_a_blocked_task_is_cancelled_at_once_and_holds_up_what_waits_for_it(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
        timed.ask("cancel", task="b.2026-11-23T02:00:00")
        assert timed.state("b.2026-11-23T02:00:00").startswith("cancelled")
        assert timed.state("c.2026-11-23T02:00:00").startswith(
            "blocked: waits for b.2026-11-23T02:00:00, which was cancelled"
        )
        sentence, commands = timed.why("c.2026-11-23T02:00:00")
        assert sentence.startswith("b.2026-11-23T02:00:00 was cancelled")
        assert "scheduler execute b.2026-11-23T02:00:00" in commands


def test_a_mark_lets_go_what_waits_for_a_failed_task(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
        timed.ask("mark", **{"task": "a.2026-11-23T02:00:00", "as": "succeeded"})
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"


def test_a_disabled_routine_blocks_what_waits_for_it_and_says_so(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN.replace('name="a" {}', 'name="a" {} enabled="false"'))
    with timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
        assert timed.state("a.2026-11-23T02:00:00") == "skipped: disabled"
        assert timed.state("b.2026-11-23T02:00:00").startswith("blocked: waits for a.")
        assert "disabled" in timed.why("c.2026-11-23T02:00:00")[0]
        # By hand it runs all the same, and lets the others go on.
        timed.ask("execute", task="a.2026-11-23T02:00:00")
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"


def test_a_stand_in_serves_for_a_failed_task(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="a" {} schedule="0 2 * * mon"/>'
        '<job name="b" {} schedule="0 4 * * *" depends_on="a"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T05:00")
        assert timed.state("b.2026-11-23T04:00:00").startswith("blocked")
        timed.fail("a", ever_again=False)
        timed.ask("execute", routine="a")
        assert timed.state("b.2026-11-23T04:00:00") == "succeeded"


def test_a_routine_overlap_by_hand_waits_for_its_turn(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="0 2 * * *"/>')
    with timed.running("2026-11-23T01:00"):
        timed.hold("a")
        timed.run_until("2026-11-23T02:30")
        [by_hand] = timed.ask("execute", routine="a")["tasks"]
        assert timed.state(by_hand).startswith("ready")
        timed.release()
        timed.run_until("2026-11-23T02:31")
        assert timed.state(by_hand) == "succeeded"


def test_a_routine_that_overlaps_itself_waits_and_keeps_the_latest(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="*/10 * * * *"/>')
    with timed.running("2026-11-23T01:05"):
        timed.hold("a")
        timed.run_until("2026-11-23T01:35")
        assert timed.state("a.2026-11-23T01:10:00").startswith("running")
        assert "overlap" in timed.why("a.2026-11-23T01:30:00")[0]
        timed.release()
        timed.run_until("2026-11-23T01:36")
    assert timed.starts() == ["a.2026-11-23T01:10:00", "a.2026-11-23T01:30:00"]


def test_what_asks_for_a_failure_runs_after_one_only(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="a" {} schedule="0 2 * * *"/>'
        '<job name="alarm" {} schedule="0 2 * * *"><dependency name="a" on="failure"/></job>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
        assert timed.state("alarm.2026-11-23T02:00:00").startswith("skipped: not needed")
        timed.fail("a")
        timed.run_until("2026-11-24T03:00")
        assert timed.state("alarm.2026-11-24T02:00:00") == "succeeded"


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        # 29 March: from 02:00 to 03:00 there is no time.  What is fixed runs once, after the gap;
        # what has a wildcard follows the time that there is.
        (
            "2026-03-28T23:30",
            "2026-03-29T03:30",
            {
                "fixed": ["03:00:00"],
                "hourly": ["01:00:00", "03:00:00", "04:00:00", "05:00:00"],
            },
        ),
        # 25 October: from 02:00 to 03:00 comes twice.
        (
            "2026-10-24T22:30",
            "2026-10-25T02:30",
            {
                "fixed": ["02:30:00+02:00"],
                "hourly": ["01:00:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00"],
            },
        ),
    ],
)
def test_the_two_odd_nights_of_the_year(
    timed: TimedScheduler, start: str, end: str, wanted: dict[str, list[str]]
) -> None:
    timed.write_jobs(
        '<job name="fixed" {} schedule="30 2 * * *" timezone="Europe/Paris"/>'
        '<job name="hourly" {} schedule="0 * * * *" timezone="Europe/Paris"/>'
    )
    with timed.running(start):
        timed.run_until(end)
        states = {task: timed.state(task) for task in timed.starts()}
    ran = {
        name: [task.partition("T")[2] for task in states if task.startswith(name)]
        for name in wanted
    }
    assert ran == wanted
    assert set(states.values()) == {"succeeded"}


def test_a_task_in_a_repeated_hour_has_its_offset_in_its_id_and_its_log(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs('<job name="a" {} schedule="*/30 * * * *" timezone="Europe/Paris"/>')
    with timed.running("2026-10-24T23:55"):
        timed.run_until("2026-10-25T01:05")
        for text in ("2026-10-25T02:00:00+02:00", "2026-10-25T00:00:00Z"):
            assert timed.state(f"a.{text}") == "succeeded"
        with pytest.raises(ValueError, match=r"02:00:00\+02:00.*02:00:00\+01:00"):
            timed.ask("execute", task="a.2026-10-25T02:00:00")
        first = timed.task("a.2026-10-25T02:00:00+02:00")
        assert timed.room.launcher.log_of(first, 1).name == "2026-10-25T02-00-00+0200.1.log"


def test_a_changed_schedule_begins_now(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="a" {} schedule="0 2 * * *"/>')
    with timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
    timed.write_jobs('<job name="a" {} schedule="0 4 * * *"/>')
    with timed.running("2026-11-25T03:00"):
        assert timed.state("a.2026-11-24T02:00:00") == "skipped: schedule changed"
        timed.run_until("2026-11-25T05:00")
    assert timed.starts() == ["a.2026-11-23T02:00:00", "a.2026-11-25T04:00:00"]


def test_a_routine_that_left_the_registry_keeps_its_history(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
    timed.write_jobs('<job name="a" {} schedule="0 2 * * *"/>')
    with timed.running("2026-11-23T04:00"):
        assert timed.state("c.2026-11-23T02:00:00").startswith("skipped: ")
        assert timed.state("a.2026-11-23T02:00:00").startswith("failed")


def test_assume_done_lets_go_what_waits_for_the_unknown(timed: TimedScheduler) -> None:
    timed.write_jobs(SLOWER)
    with timed.running("2026-11-24T00:30", assume_done=True):
        timed.run_until("2026-11-24T01:30")
    assert timed.starts() == ["hourly.2026-11-24T01:00:00"]


def test_a_fresh_start_skips_all_that_is_due(timed: TimedScheduler) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
    timed.fail("a", ever_again=False)
    with timed.running("2026-11-25T03:00", fresh=True):
        assert timed.state("c.2026-11-23T02:00:00") == "skipped: fresh start"
        assert timed.state("a.2026-11-24T02:00:00") == "skipped: fresh start"
        timed.run_until("2026-11-26T03:00")
    assert timed.starts()[1:] == [f"{name}.2026-11-26T02:00:00" for name in "abc"]


def test_a_task_cancelled_ahead_is_cancelled_when_its_instant_comes(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(CHAIN)
    with timed.running("2026-11-22T12:00"):
        timed.ask("cancel", task="a.2026-11-23T02:00:00")
    with timed.running("2026-11-23T01:00"):
        timed.run_until("2026-11-23T03:00")
        assert timed.state("a.2026-11-23T02:00:00").startswith("cancelled")
        assert timed.state("c.2026-11-23T02:00:00").endswith("by a.2026-11-23T02:00:00")
