"""Retries, limits, deadlines, pools, pauses and calendars with real scripts, on a moved clock."""

import time

from tests.system.timed_scheduler import TimedScheduler

LOAD = "load.2026-11-23T02:00:00"


def test_a_failed_script_is_retried_until_it_succeeds(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="load" {} schedule="0 2 * * *" retries="3" retry_delay="10m"/>')
    with timed.running("2026-11-23T01:00"):
        timed.fail("load")
        timed.run_until("2026-11-23T02:05")
        assert timed.state(LOAD).startswith("waiting: waits for retry 1 of 3 at 02:10:0")
        assert "told to fail" in timed.why(LOAD)[0]
        timed.fail("load", ever_again=False)
        timed.run_until("2026-11-23T02:15")
        assert timed.state(LOAD) == "succeeded"
    assert timed.starts() == [LOAD, LOAD]


def test_retries_that_are_used_up_block_what_waits(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="load" {} schedule="0 2 * * *" retries="1" retry_delay="1m"/>'
        '<job name="report" {} schedule="0 2 * * *" depends_on="load"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.fail("load")
        timed.run_until("2026-11-23T03:00")
        assert timed.state("report.2026-11-23T02:00:00").startswith("blocked")
        assert f"scheduler execute {LOAD}" in timed.why("report.2026-11-23T02:00:00")[1]
    assert timed.starts() == [LOAD, LOAD]


def test_a_script_that_takes_too_long_is_killed(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="load" {} schedule="0 2 * * *" timeout="15m"/>')
    with timed.running("2026-11-23T01:00"):
        timed.hold("load")
        timed.run_until("2026-11-23T02:14")
        assert timed.state(LOAD).startswith("running")
        deadline = time.monotonic() + 30
        while timed.state(LOAD).startswith("running") and time.monotonic() < deadline:
            timed.run_until("2026-11-23T02:16")
        assert timed.state(LOAD) == "failed: timeout after 15m"


def test_a_pool_of_one_lets_one_of_its_routines_run_at_a_time(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<pool name="db" slots="1"/>'
        '<job name="a" {} schedule="0 2 * * *" pool="db"/>'
        '<job name="b" {} schedule="0 2 * * *" pool="db" priority="1"/>'
        '<job name="c" {} schedule="0 2 * * *"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.hold("b")
        timed.run_until("2026-11-23T02:05")
        assert timed.state("a.2026-11-23T02:00:00").startswith("ready")
        assert "slots of pool 'db'" in timed.why("a.2026-11-23T02:00:00")[0]
        assert timed.state("c.2026-11-23T02:00:00") == "succeeded"
        timed.release()
        timed.run_until("2026-11-23T02:10")
        assert timed.state("a.2026-11-23T02:00:00") == "succeeded"


def test_what_is_too_late_is_skipped_after_an_outage(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="load" {} schedule="0 2 * * *" start_by="+1h"/>')
    with timed.running("2026-11-23T01:00"):
        pass
    with timed.running("2026-11-23T04:00"):
        assert timed.state(LOAD) == "skipped: had not started by its start_by"
    assert timed.starts() == []


def test_what_was_too_late_runs_by_hand_in_order_if_something_needs_it(
    timed: TimedScheduler,
) -> None:
    timed.write_jobs(
        '<job name="load" {} schedule="0 2 * * *" start_by="+1h"/>'
        '<job name="mail" {} schedule="0 2 * * *" depends_on="load" start_by="+1h"/>'
        '<job name="news" {} schedule="0 2 * * *" start_by="+1h"/>'
        '<job name="report" {} schedule="0 2 * * *" depends_on="mail"/>'
    )
    with timed.running("2026-11-23T01:00"):
        pass
    with timed.running("2026-11-23T04:00"):
        report = "report.2026-11-23T02:00:00"
        assert timed.state(report).startswith("blocked: waits for mail.")
        sentence, commands = timed.why(report)
        assert "start_by" in sentence
        assert "scheduler mark mail.2026-11-23T02:00:00 skipped" in commands
        timed.ask("execute", late=True)
        assert timed.state(report) == "succeeded"
        assert timed.state("news.2026-11-23T02:00:00").startswith("skipped: had not started")
    assert timed.starts() == [f"{name}.2026-11-23T02:00:00" for name in ("load", "mail", "report")]


def test_what_needs_one_that_was_too_late_can_go_on_without(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="mail" {} schedule="0 2 * * *" start_by="+1h"/>'
        '<job name="report" {} schedule="0 2 * * *" depends_on="mail"/>'
    )
    with timed.running("2026-11-23T01:00"):
        pass
    with timed.running("2026-11-23T04:00"):
        timed.ask("mark", **{"task": "mail.2026-11-23T02:00:00", "as": "skipped"})
        assert timed.state("report.2026-11-23T02:00:00") == "succeeded"


def test_a_dependency_is_waited_for_until_a_time(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="slow" {} schedule="0 2 * * *"/>'
        '<job name="load" {} schedule="0 2 * * *">'
        '<dependency name="slow" wait_until="02:30" otherwise="run"/></job>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.hold("slow")
        timed.run_until("2026-11-23T02:29")
        assert timed.state(LOAD).startswith("waiting")
        timed.run_until("2026-11-23T02:31")
        assert timed.state(LOAD) == "succeeded"


def test_what_waits_in_vain_is_skipped_or_fails_as_it_says(timed: TimedScheduler) -> None:
    need = '<dependency name="slow" wait_until="+30m" otherwise="{}"/>'
    timed.write_jobs(
        '<job name="slow" {} schedule="0 2 * * *"/>'
        '<job name="skips" {} schedule="0 2 * * *">' + need.replace("{}", "skip") + "</job>"
        '<job name="fails" {} schedule="0 2 * * *">' + need.replace("{}", "fail") + "</job>"
    )
    vain = "waited in vain for slow.2026-11-23T02:00:00"
    with timed.running("2026-11-23T01:00"):
        timed.hold("slow")
        timed.run_until("2026-11-23T02:31")
        assert timed.state("skips.2026-11-23T02:00:00") == f"skipped: {vain}"
        assert timed.state("fails.2026-11-23T02:00:00") == f"failed: {vain}"
    assert timed.starts() == ["slow.2026-11-23T02:00:00"]


def test_a_task_takes_as_many_slots_of_its_pool_as_it_says(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<pool name="db" slots="2"/>'
        '<job name="one" {} schedule="0 2 * * *" pool="db"/>'
        '<job name="two" {} schedule="0 2 * * *" pool="db" pool_slots="2"/>'
        '<job name="three" {} schedule="0 2 * * *" pool="db"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.hold("one")
        timed.run_until("2026-11-23T02:05")
        assert timed.state("three.2026-11-23T02:00:00") == "succeeded"
        assert "takes 2 of the 2 slots" in timed.why("two.2026-11-23T02:00:00")[0]
        timed.release()
        timed.run_until("2026-11-23T02:10")
        assert timed.state("two.2026-11-23T02:00:00") == "succeeded"


def test_the_wait_before_a_retry_grows_by_its_factor(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="load" {} schedule="0 2 * * *" retries="2" retry_delay="10m" retry_backoff="3"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.fail("load")
        timed.run_until("2026-11-23T02:05")
        assert "retry 1 of 2 at 02:10:0" in timed.state(LOAD)
        timed.run_until("2026-11-23T02:15")
        assert "retry 2 of 2 at 02:40:0" in timed.state(LOAD)


def test_a_task_that_has_not_succeeded_by_its_due_by_is_overdue(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="load" {} schedule="0 2 * * *" due_by="02:30"/>'
        '<job name="report" {} schedule="0 2 * * *" depends_on="load" due_by="+1h"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.hold("load")
        overdue: list[list[bool]] = []
        for moment in ("2026-11-23T02:29", "2026-11-23T02:31", "2026-11-23T03:01"):
            timed.run_until(moment)
            overdue.append([task.is_overdue for task in timed.store.live()])
        assert overdue == [[False, False], [True, False], [True, True]]
        timed.release()
        timed.run_until("2026-11-23T03:05")
        assert timed.state("report.2026-11-23T02:00:00") == "succeeded"


def test_one_of_two_dependencies_is_enough(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="a" {} schedule="0 2 * * *"/><job name="b" {} schedule="0 2 * * *"/>'
        '<job name="load" {} schedule="0 2 * * *" depends_on="a, b" require="any"/>'
    )
    with timed.running("2026-11-23T01:00"):
        timed.fail("a")
        timed.run_until("2026-11-23T03:00")
        assert timed.state(LOAD) == "succeeded"


def test_a_paused_routine_starts_nothing_until_it_is_resumed(timed: TimedScheduler) -> None:
    timed.write_jobs('<job name="load" {} schedule="0 2 * * *"/>')
    with timed.running("2026-11-23T01:00"):
        timed.ask("pause", routine="load")
        timed.run_until("2026-11-23T03:00")
        assert timed.state(LOAD).startswith("waiting: is paused")
        assert timed.why(LOAD)[1] == ("scheduler resume load",)
        timed.ask("resume", routine="load")
        assert timed.state(LOAD) == "succeeded"


def test_a_holiday_is_no_instant(timed: TimedScheduler) -> None:
    timed.write_jobs(
        '<job name="off" {} schedule="0 2 * * *" calendar="US"/>'
        '<job name="moved" {} schedule="0 2 * * *" calendar="US" on_holiday="after"/>'
        '<job name="early" {} schedule="0 2 26 * *" calendar="US" on_holiday="before"/>'
    )
    with timed.running("2026-11-25T01:00"):  # Thanksgiving is on the 26th
        timed.run_until("2026-11-27T03:00")
    wednesday = [task for task in timed.starts() if "11-25" in task]
    assert sorted(wednesday) == [
        f"{name}.2026-11-25T02:00:00" for name in ("early", "moved", "off")
    ]
    # The two run at once: which of them writes first is left to the system.
    assert sorted(timed.starts()[3:]) == [
        "moved.2026-11-27T02:00:00",
        "off.2026-11-27T02:00:00",
    ]
