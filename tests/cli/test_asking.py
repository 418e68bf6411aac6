"""The verbs that change something: what they ask of a live scheduler, and what comes of it."""

import json
from pathlib import Path

import pytest

from scheduler.cli.main import main
from scheduler.errors import SchedulerError
from scheduler.service.instance import live_instances
from tests.support.cli_views import a_task, an_attempt
from tests.support.served import Served

LOAD = "load.2026-10-01T02:00:00"
DONE: dict[str, object] = {"messages": ["it starts now"], "tasks": [LOAD]}


@pytest.mark.parametrize(
    ("words", "verb", "parameters"),
    [
        (f"execute {LOAD}", "execute", {"task": LOAD}),
        ("execute load", "execute", {"routine": "load"}),
        (f"execute --task_name {LOAD}", "execute", {"task": LOAD}),
        (
            "execute load --arguments --day=1",
            "execute",
            {"routine": "load", "arguments": "--day=1"},
        ),
        (
            "execute --failed --since 2026-10-01",
            "execute",
            {"failed": True, "since": "2026-10-01"},
        ),
        ("execute --unknown", "execute", {"unknown": True}),
        ("pause load", "pause", {"routine": "load"}),
        ("pause --tag night --until 06:00", "pause", {"tag": "night", "until": "06:00"}),
        ("pause --all --until +2h", "pause", {"all": True, "until": "+2h"}),
        ("resume --routine_name load", "resume", {"routine": "load"}),
        ("resume --all", "resume", {"all": True}),
        (f"cancel {LOAD}", "cancel", {"task": LOAD, "downstream": False}),
        (f"cancel {LOAD} --downstream", "cancel", {"task": LOAD, "downstream": True}),
        (f"mark {LOAD} --as skipped", "mark", {"task": LOAD, "as": "skipped"}),
        (f"mark {LOAD} succeeded", "mark", {"task": LOAD, "as": "succeeded"}),
        ("mark --unknown succeeded", "mark", {"unknown": True, "as": "succeeded"}),
        (
            "mark load --from 2026-10-01 --to 2026-10-08 skipped",
            "mark",
            {"routine": "load", "from": "2026-10-01", "to": "2026-10-08", "as": "skipped"},
        ),
    ],
)
def test_a_verb_asks_for_what_was_said(
    words: str,
    verb: str,
    parameters: dict[str, object],
    served: Served,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served.replies[verb] = DONE
    assert main(words.split()) == 0
    assert served.asked == [(verb, parameters)]
    assert capsys.readouterr() == ("it starts now\n", "")


@pytest.mark.parametrize(
    "words", [f"execute {LOAD}", f"cancel {LOAD}", f"mark {LOAD} succeeded", "stop"]
)
def test_with_json_the_answer_is_printed_as_it_is(
    words: str, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.replies[words.split()[0]] = DONE
    assert main([*words.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == DONE


def test_a_refusal_is_one_line_and_exit_2(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.replies["execute"] = SchedulerError(f"{LOAD} is running")
    assert main(["execute", LOAD]) == 2
    assert capsys.readouterr() == ("", f"scheduler: {LOAD} is running\n")


def test_stop_returns_when_the_scheduler_has_ended(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.replies["stop"] = {"messages": ["nothing is running"]}
    assert main(["stop", "--now"]) == 0
    assert served.asked == [("stop", {"now": True, "detach": False})]
    assert live_instances() == []
    assert capsys.readouterr().out == "nothing is running\nscheduler night has ended\n"


@pytest.mark.parametrize(
    "words", ["stop", f"execute {LOAD}", f"cancel {LOAD}", "mark --unknown succeeded"]
)
def test_what_changes_something_needs_a_live_scheduler(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    assert capsys.readouterr().err.startswith("scheduler: no scheduler is running")
    assert main([*words.split(), "--scheduler_name", "night"]) == 2
    assert capsys.readouterr().err == "scheduler: scheduler 'night' is not running\n"


def test_of_several_the_one_of_the_config_here_is_meant(
    two_served: tuple[Served, Served],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    day, night = two_served
    assert main(["cancel", LOAD]) == 2
    assert "several schedulers are running: day, night" in capsys.readouterr().err

    assert main(["cancel", LOAD, "--scheduler_name", "day"]) == 0
    (tmp_path / "night" / "config.cfg").touch()
    monkeypatch.chdir(tmp_path / "night")
    assert main(["cancel", LOAD]) == 0
    assert (len(day.asked), len(night.asked)) == (1, 1)
    assert main(["cancel", LOAD, "--config_file", str(tmp_path / "day" / "config.cfg")]) == 0
    assert (len(day.asked), len(night.asked)) == (2, 1)


def log_of(served: Served, log: Path, *, is_running: bool = False) -> None:
    """Let the log of the task's attempt be this file."""
    served.answers["logs"] = lambda _: {
        "task": LOAD,
        "attempt": 1,
        "attempts": [1],
        "path": str(log),
        "size": 0,
        "is_running": is_running,
    }


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [("succeeded", "", 0), ("failed", "exit code 3", 1), ("skipped", "nothing to do", 1)],
)
def test_waiting_shows_the_log_and_how_it_ended(
    state: str,
    reason: str,
    code: int,
    served: Served,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\n\xff two")
    log_of(served, log)
    served.replies["execute"] = DONE
    task = a_task(LOAD, state=state, reason=reason, attempts=[an_attempt()])
    served.answers["history"] = lambda _: {"fates": [task]}
    assert main(["execute", LOAD, "--wait"]) == code
    out, err = capfdbinary.readouterr()
    assert out == b"it starts now\none\n\xff two"
    assert err.decode() == f"{LOAD} {state}" + (f": {reason}" if reason else "") + "\n"


def test_waiting_does_not_take_an_old_attempt_for_the_new_one(
    served: Served, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"new\n")
    log_of(served, log)
    served.replies["execute"] = DONE
    old = [an_attempt(code=1)]
    stages = [
        a_task(LOAD, state="ready", attempts=old),
        a_task(LOAD, state="running", attempts=[*old, an_attempt(number=2, ended_at=None)]),
        a_task(LOAD, state="succeeded", attempts=[*old, an_attempt(number=2)]),
    ]
    served.answers["history"] = lambda _: {"fates": [stages.pop(0) if stages[1:] else stages[0]]}
    assert main(["execute", LOAD, "--wait"]) == 0
    assert capfdbinary.readouterr().out == b"it starts now\nnew\n"


def test_waiting_with_json_prints_what_became_of_the_tasks(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.replies["execute"] = DONE
    task = a_task(LOAD, state="failed", attempts=[an_attempt(code=1)])
    served.answers["history"] = lambda _: {"fates": [task]}
    assert main(["execute", LOAD, "--wait", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {**DONE, "fates": [task]}
