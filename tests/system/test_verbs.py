"""The verbs, as the SPEC describes them, by their output and their exit codes."""

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from scheduler.cli.verbs import VERBS
from tests.system.data_folder import PROGRAM, UNTIL_LET_GO, DataFolder, a_folder, wait_until

JOBS = """
<job name="load" script="load.py" schedule="0 2 * * *" timezone="Europe/Paris" tags="day"/>
<job name="rates" script="rates.py" schedule="@monthly" timezone="Europe/Paris"/>
<job name="report" script="report.py" schedule="30 2 * * *" timezone="Europe/Paris"
     depends_on="load, rates" description="The daily report"/>
<job name="byhand" script="byhand.py" arguments="--usual"/>
<job name="bad" script="bad.py"/>
"""
PLAN = [
    {
        "task": "rates.2026-10-01T00:00:00",
        "routine": "rates",
        "instant": "2026-10-01T00:00:00+02:00",
        "waits_for": [],
    },
    {
        "task": "load.2026-10-01T02:00:00",
        "routine": "load",
        "instant": "2026-10-01T02:00:00+02:00",
        "waits_for": [],
    },
    {
        "task": "report.2026-10-01T02:30:00",
        "routine": "report",
        "instant": "2026-10-01T02:30:00+02:00",
        "waits_for": ["load.2026-10-01T02:00:00", "rates.2026-10-01T00:00:00"],
    },
]
WINDOW = ("--from", "2026-09-30T22:00Z", "--to", "2026-10-01T22:00Z")


def make(folder: DataFolder) -> None:
    """Fill a folder."""
    folder.write_jobs(JOBS)
    for name in ("load", "rates", "report", "byhand"):
        folder.write_script(f"{name}.py", "import sys; print('ran', *sys.argv[1:])")
    folder.write_script("bad.py", "raise SystemExit('no luck')")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataFolder]:
    """Return a folder whose scheduler runs: for tests that leave no trace in each other's way."""
    with a_folder(tmp_path_factory.mktemp("verbs")) as folder:
        make(folder)
        folder.start()
        yield folder


@pytest.fixture
def own(folder: DataFolder) -> DataFolder:
    """Return such a folder for one test alone, its scheduler not started."""
    make(folder)
    return folder


def test_execute_wait_follows_the_log_and_tells_the_end_by_its_exit_code(live: DataFolder) -> None:
    done = live.run("execute", "byhand", "--wait")
    assert (done.code, done.out.splitlines()[-1]) == (0, "ran --usual")
    failed = live.run("execute", "bad", "--wait")
    assert failed.code == 1
    assert failed.out.splitlines()[-1] == "no luck"
    assert "exit code 1: no luck" in failed.err


def test_execute_takes_arguments_for_one_run(live: DataFolder) -> None:
    words = ("execute", "byhand", "--wait", "--arguments")
    assert live.run(*words, "--day 2026-10-01 'a b'").out.endswith("ran --day 2026-10-01 a b\n")
    assert live.run(*words, "{instant:%Y}").out.endswith("ran 2026\n")
    assert live.run(*words, "").out.endswith("ran\n")
    assert live.run("execute", "byhand", "--wait").out.endswith("ran --usual\n")


def test_execute_runs_a_task_before_its_time_and_says_what_it_waived(live: DataFolder) -> None:
    task = "load.2098-10-01T02:00:00"
    assert "waived: its time" in live.run("execute", task).ok().out
    assert live.wait_for(task)["state"] == "succeeded"


def test_execute_runs_a_past_task_again(live: DataFolder) -> None:
    task = "load.2026-09-01T02:00:00"
    assert live.run("execute", task, "--wait").code == 0
    again = live.run("execute", task, "--wait")
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        f"{task} runs at the next free slot, again: it succeeded",
    )
    assert [one["outcome"] for one in live.fate(task)["attempts"]] == ["exited", "exited"]


def test_execute_failed_runs_all_that_failed(own: DataFolder) -> None:
    own.start()
    failed = own.executed("bad")["task"]
    own.write_script("bad.py", "")
    assert own.run("execute", "--failed", "--json").ok().json["tasks"] == [failed]
    wait_until(lambda: own.state(failed) == "succeeded", "the second attempt")
    assert "nothing has failed" in own.run("execute", "--failed").mistake()
    own.write_script("bad.py", "raise SystemExit(1)")
    later = own.executed("bad")["task"]
    assert "nothing has failed" in own.run("execute", "--failed", "--since", "2099-01-01").mistake()
    asked = own.run("execute", "--failed", "--since", "2026-01-01", "--json").ok()
    assert asked.json["tasks"] == [later]


def test_what_is_unknown_is_listed_and_settled_by_a_mark(own: DataFolder) -> None:
    told = own.start()
    assert "unknown" in told and "scheduler mark --unknown succeeded" in told
    view = own.run("status", "--json").ok().json
    assert [task.partition(".")[0] for task in view["unknown"]] == ["rates"]
    assert view["unknown"][0] in own.run("status").ok().out
    own.run("mark", "--unknown", "succeeded").ok()
    assert own.run("status", "--json").ok().json["unknown"] == []
    own.stop()
    assert "mark --unknown" not in own.start()


def test_what_is_unknown_is_settled_by_a_run(own: DataFolder) -> None:
    own.start()
    [task] = own.run("status", "--json").ok().json["unknown"]
    assert own.run("execute", "--unknown", "--wait").code == 0
    assert own.state(task) == "succeeded"
    assert own.run("status", "--json").ok().json["unknown"] == []
    assert "nothing is unknown" in own.run("execute", "--unknown").mistake()


def test_assume_done_settles_what_is_unknown_at_once(own: DataFolder) -> None:
    assert "mark --unknown" not in own.start("--assume_done")
    assert own.run("status", "--json").ok().json["unknown"] == []


def test_mark_records_a_task_and_a_range_by_hand(live: DataFolder) -> None:
    live.run("mark", "load.2026-10-02T02:00:00", "succeeded").ok()
    assert live.state("load.2026-10-02T02:00:00") == "succeeded"
    live.run("mark", "load", "--from", "2026-10-03", "--to", "2026-10-05", "--as", "skipped").ok()
    days = [live.state(f"load.2026-10-0{day}T02:00:00") for day in (3, 4, 5)]
    assert days == ["skipped", "skipped", "none"]


def test_plan_json_has_exactly_the_fields_of_the_contract(live: DataFolder) -> None:
    assert live.run("plan", *WINDOW, "--json").ok().json == PLAN
    registry = str(live.path / "registry.xml")
    assert live.run("plan", "--registry", registry, *WINDOW, "--json").ok().json == PLAN
    assert live.run("plan", "report", *WINDOW, "--json").ok().json == PLAN[2:]
    shown = live.run("plan", *WINDOW).ok().out
    assert all(task in shown for task in ("rates.2026-10-01T00:00:00", "waits for"))


def test_plan_needs_no_scheduler_and_no_scripts(folder: DataFolder) -> None:
    folder.write_jobs(JOBS)
    config = ("--config_file", str(folder.config))
    assert folder.run("plan", *config, *WINDOW, "--json").ok().json == PLAN
    assert not folder.database.exists()


def test_check_json_has_exactly_the_fields_of_the_contract(own: DataFolder) -> None:
    own.write_jobs(
        '<job name="a" script="byhand.py" schedule="0 2 * * *" depends_on="b"/>\n'
        '<job name="b" script="byhand.py" schedule="61 * * * *"/>'
    )
    checked = own.run("check", "--registry", str(own.path / "registry.xml"), "--json")
    assert checked.code == 2 and checked.err == ""
    view = checked.json
    assert list(view) == ["count", "routines", "errors", "warnings"]
    assert (view["count"], view["routines"]) == (2, ["a", "b"])
    [error] = view["errors"]
    assert list(error) == ["file", "line", "column", "routine", "message", "hint"]
    assert error["file"] == str(own.path / "registry.xml")
    assert (error["line"], error["routine"]) == (3, "b")


def test_check_of_a_good_folder_exits_0_and_shows_the_interpreters(own: DataFolder) -> None:
    checked = own.run("check", "--config_file", str(own.config)).ok()
    assert "5 routines, 0 errors" in checked.out and "python" in checked.out
    view = own.run("check", "--config_file", str(own.config), "--json").ok().json
    assert (view["count"], view["errors"]) == (5, [])
    assert view["routines"] == ["load", "rates", "report", "byhand", "bad"]


def test_list_shows_schedule_next_and_last(live: DataFolder) -> None:
    shown = live.run("list").ok().out
    assert all(name in shown for name in ("load", "rates", "report", "byhand"))
    routines = live.run("list", "--json").ok().json["routines"]
    assert [one["name"] for one in routines][:3] == ["load", "rates", "report"]
    assert routines[0]["schedule"] == "0 2 * * *" and routines[0]["next"]
    assert live.run("list", "--tag", "day", "--json").ok().json["routines"][0]["name"] == "load"


def test_status_of_one_routine_shows_that_one_only(live: DataFolder) -> None:
    live.executed("byhand")
    view = live.run("status", "byhand", "--json").ok().json
    assert view["routine"]["name"] == "byhand"
    assert {task["routine"] for task in view["recent"]} == {"byhand"}
    assert "load." not in live.run("status", "--routine_name", "byhand").ok().out


def test_a_task_that_runs_again_has_not_recently_ended(own: DataFolder) -> None:
    own.write_script("byhand.py", "raise SystemExit(1)")
    own.start()
    task = own.executed("byhand")["task"]
    own.write_script("byhand.py", UNTIL_LET_GO)
    own.run("execute", task).ok()
    wait_until(lambda: own.state(task) == "running", "the second attempt")
    view = own.run("status", "--json").ok().json
    assert [one["task"] for one in view["running"]] == [task]
    assert view["recent"] == []


def test_what_was_run_or_cancelled_before_its_time_does_not_come_next(own: DataFolder) -> None:
    own.start("--assume_done")

    def coming() -> list[str]:
        return [one["task"] for one in own.ask("status", routine="load")["next"]]

    first, second, third, *_ = coming()
    assert own.run("execute", first, "--wait").code == 0
    own.run("cancel", second).ok()
    assert coming()[0] == third


def test_history_lists_the_newest_first(live: DataFolder) -> None:
    tasks = [live.executed("byhand")["task"] for _ in range(2)]
    fates = live.run("history", "byhand", "--limit", "2", "--json").ok().json["fates"]
    assert [fate["task"] for fate in fates] == tasks[::-1]
    assert tasks[1] in live.run("history").ok().out


def test_why_answers_for_past_present_and_future(live: DataFolder) -> None:
    failed = live.executed("bad")["task"]
    past = live.run("why", failed, "--json").ok().json
    assert past["state"] == "failed" and f"scheduler execute {failed}" in past["commands"]
    assert "no luck" in live.run("why", "bad").ok().out
    future = live.run("why", "report.2099-10-01T02:30:00").ok().out
    assert "is to come" in future and "load.2099-10-01T02:00:00" in future
    assert "has no such instant" in live.run("why", "load.2026-10-01T02:00:01").ok().out


def test_why_answers_for_the_next_task_of_a_routine_whatever_became_of_the_last(
    live: DataFolder,
) -> None:
    for words in (("next", "report"), ("next report",)):
        told = live.run("why", *words, "--json").ok().json
        assert (told["state"], told["task"].partition(".")[0]) == ("to come", "report")
    assert "routine 'bad' has no task to come" in live.run("why", "next", "bad").mistake()
    assert "there is no routine 'nope'" in live.run("why", "next", "nope").mistake()
    assert "one word too many, 'bad'" in live.run("why", "report", "bad").mistake()


def test_logs_follow_goes_on_until_the_attempt_ends(own: DataFolder) -> None:
    own.write_script("byhand.py", UNTIL_LET_GO + "print('over')")
    own.start()
    task = own.execute("byhand")
    own.wait_for(task, "running")
    with subprocess.Popen(
        [*PROGRAM, "logs", task, "--follow"],
        cwd=own.elsewhere,
        env=own.environment,
        stdout=subprocess.PIPE,
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"begun\n"
        assert following.poll() is None
        own.let_go()
        out, _ = following.communicate(timeout=60)
    assert (following.returncode, out) == (0, b"over\n")


def test_logs_of_an_older_attempt_are_kept(live: DataFolder) -> None:
    task = live.executed("byhand")["task"]
    live.run("execute", task, "--arguments", "second", "--wait")
    assert live.run("logs", task).ok().out == "ran second\n"
    assert live.run("logs", task, "--attempt", "1").ok().out == "ran --usual\n"
    assert live.run("logs", task, "--json").ok().json["attempts"] == [1, 2]


def test_run_records_nothing_and_exits_as_the_script(own: DataFolder) -> None:
    own.write_script(
        "bad.py", "import os; print(os.environ['SCHEDULER_TASK']); raise SystemExit(5)"
    )
    config = ("--config_file", str(own.config))
    done = own.run("run", "bad", "--instant", "2026-10-01T02:00:00", *config)
    assert (done.code, done.out, done.err) == (5, "bad.2026-10-01T02:00:00\n", "")
    assert own.run("run", "byhand", *config).out == "ran --usual\n"
    assert not own.database.exists() and not (own.path / "logs").exists()


def test_cancel_downstream_cancels_what_waits_too(own: DataFolder) -> None:
    own.start("--assume_done")
    asked = own.run("cancel", "load.2099-10-01T02:00:00", "--downstream").ok()
    assert "report.2099-10-01T02:30:00" in asked.out
    assert "cancelled" in own.run("why", "report.2099-10-01T02:30:00").ok().out


@pytest.mark.parametrize("verb", ["execute", "cancel"])
def test_a_verb_says_the_same_as_json(own: DataFolder, verb: str) -> None:
    own.start()
    answer = own.run(verb, "load.2099-10-01T02:00:00", "--json").ok().json
    assert answer["messages"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_completes_verbs_in_bash(live: DataFolder) -> None:
    script = live.run("completion", "bash").ok().out
    asked = "COMP_WORDS=(scheduler stat) COMP_CWORD=1; _shtab_scheduler; echo ${COMPREPLY[@]}"
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["status"], done.stderr


def test_every_verb_has_help_with_examples(live: DataFolder) -> None:
    for verb in VERBS:
        shown = live.run(verb.name, "--help").ok().out
        assert "examples:" in shown and f"  scheduler {verb.name}" in shown.replace("$(", "  ")


def test_output_in_a_pipe_is_plain_text(live: DataFolder) -> None:
    for words in (("status",), ("list",), ("history",), ("plan",), ("check",)):
        out = live.run(*words).out
        assert "\x1b" not in out, words
    json.loads(live.run("status", "--json").out)
