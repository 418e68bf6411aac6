"""The verbs that read: whom they ask, live or down, and what they say where nothing is known."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.cli.main import main
from scheduler.engine.commands import RecordTask
from scheduler.engine.states import TaskState
from scheduler.errors import SchedulerError
from scheduler.service.instance import claim
from scheduler.service.store.sqlite import SqliteStore
from tests.support.builders import a_task as record_of
from tests.support.builders import an_id
from tests.support.cli_views import a_plan, a_run, a_status, a_task, an_attempt
from tests.support.served import DEADLINE, Served

LOAD = "load.2026-10-01T02:00:00"

REGISTRY = """\
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 2 * * *"/>
  <job name="report" script="report.py" schedule="30 2 * * *" depends_on="load"/>
</registry>
"""


@pytest.fixture
def folder(home: Path) -> Path:
    """A data folder, in which one stands."""
    (home / "registry.xml").write_text(REGISTRY)
    (home / "config.cfg").touch()
    for name in ("load.py", "report.py"):
        (home / name).touch()
    return home


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("words", "verb", "parameters"),
    [
        ("status", "status", {}),
        ("status load", "status", {"routine": "load"}),
        ("status --routine_name load", "status", {"routine": "load"}),
        ("list --tag a", "list", {"tag": "a"}),
        ("why load", "why", {"task": "load"}),
        (f"why {LOAD}", "why", {"task": LOAD}),
        ("why next load", "why", {"task": "next load"}),
        ("history", "history", {"limit": "50"}),
        ("history load --limit 5", "history", {"routine": "load", "limit": "5"}),
        (f"history {LOAD}", "history", {"task": LOAD, "limit": "50"}),
        (
            "history --state failed --since 2026-10-01 --until=2026-10-02T00:00",
            "history",
            {
                "state": "failed",
                "since": "2026-10-01",
                "until": "2026-10-02T00:00",
                "limit": "50",
            },
        ),
        ("plan --from 2026-10-01", "plan", {"from": "2026-10-01"}),
        ("plan load --to=2026-10-01", "plan", {"to": "2026-10-01", "routine": "load"}),
        ("plan --expected", "plan", {"expected": "yes"}),
        (
            "plan --if=a-fails --if=b-fails",
            "plan",
            {"if": "a-fails,b-fails"},
        ),
        ("logs load --attempt 2", "logs", {"routine": "load", "attempt": "2"}),
    ],
)
def test_a_verb_asks_the_live_scheduler_and_prints_its_json(
    words: str,
    verb: str,
    parameters: dict[str, str],
    served: Served,
    capsys: pytest.CaptureFixture[str],
) -> None:
    served.answers[verb] = lambda given: dict(given)
    assert main([*words.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == parameters


def test_an_answer_is_printed_for_people(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["status"] = lambda _: a_status()
    served.answers["plan"] = lambda _: [a_plan()]
    assert main(["status"]) == 0
    assert "scheduler night is running" in capsys.readouterr().out
    assert main(["plan"]) == 0
    assert "load.2026-11-23T11:00:00" in capsys.readouterr().out


def test_json_lets_any_text_through(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    served.answers["list"] = lambda _: {"text": "é 日本 \udc80 \x00"}
    assert main(["list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"text": "é 日本 \udc80 \x00"}


def test_a_refusal_is_one_line(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: object) -> object:
        raise SchedulerError("there is no routine 'laod' (did you mean 'load'?)")

    served.answers["why"] = refuse
    said = "scheduler: there is no routine 'laod' (did you mean 'load'?)\n"
    assert complaint(capsys, "why", "laod") == said


def test_with_several_live_status_says_which(
    two_served: tuple[Served, Served], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 schedulers are running"
    assert [line.split()[0] for line in lines[1:3]] == ["day", "night"]
    assert main(["status", "--json"]) == 0
    live = json.loads(capsys.readouterr().out)["schedulers"]
    assert [(one["name"], one["pid"]) for one in live] == [
        ("day", os.getpid()),
        ("night", os.getpid()),
    ]
    assert "several schedulers are running: day, night" in complaint(capsys, "list")


def test_one_that_does_not_answer_says_so(
    tmp_path: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served._server.stop()
    assert "is running but does not answer" in complaint(capsys, "status")


@pytest.mark.parametrize("verb", ["status", "list", "history", "plan"])
def test_without_any_scheduler_or_folder_one_line_says_what_to_do(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(capsys, verb).startswith("scheduler: no scheduler is running (start one")
    unknown = complaint(capsys, verb, "--scheduler_name", "nihgt")
    assert "scheduler 'nihgt' is not running, and nothing is known of it" in unknown
    assert "cannot name a scheduler" in complaint(capsys, verb, "--scheduler_name", "a/b")
    assert "nowhere.cfg: no such file" in complaint(capsys, verb, "--config_file", "nowhere.cfg")


def test_a_scheduler_that_is_down_is_remembered(
    folder: Path,
    served: Served,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from datetime import UTC, datetime

    served.end()
    with claim("here", config=folder / "config.cfg", database=folder / "scheduler.db") as held:
        held.publish(host="127.0.0.1", port=1, token="t", at=datetime(2026, 11, 23, tzinfo=UTC))
    monkeypatch.chdir("/")
    assert main(["status", "--scheduler_name", "here"]) == 0
    assert "scheduler here is not running" in capsys.readouterr().out
    # Two are known, and none is named.
    assert "known here: here, night" in complaint(capsys, "status")
    assert main(["list", "--config_file", str(folder / "config.cfg"), "--json"]) == 0
    routines = json.loads(capsys.readouterr().out)["routines"]
    assert [routine["name"] for routine in routines] == ["load", "report"]


def test_the_folder_one_stands_in_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    window = ["--from", "2026-10-01", "--to", "2026-10-02"]
    assert main(["plan", *window, "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert main(["plan", *window, "--registry", "registry.xml", "--json"]) == 0
    by_itself = json.loads(capsys.readouterr().out)
    assert (
        here
        == by_itself
        == [
            {
                "task": LOAD,
                "routine": "load",
                "instant": "2026-10-01T02:00:00+02:00",
                "waits_for": [],
            },
            {
                "task": "report.2026-10-01T02:30:00",
                "routine": "report",
                "instant": "2026-10-01T02:30:00+02:00",
                "waits_for": [LOAD],
            },
        ]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--from 2026-10-02 --to 2026-10-01", "the window is empty"),
        ("--from tomorrow", "'tomorrow' is not a moment"),
        ("--from 2026-10-25T02:30", "occurs twice in Europe/Paris"),
        ("--to 2026-03-29T02:30", "does not occur in Europe/Paris"),
        ("laod", "did you mean 'load'?"),
    ],
)
@pytest.mark.parametrize("registry", [[], ["--registry", "registry.xml"]])
def test_a_window_that_makes_no_sense_is_refused(
    words: str,
    said: str,
    registry: list[str],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = complaint(capsys, "plan", *words.split(), *registry)
    assert said in error and error.count("\n") == 1


def test_a_broken_registry_is_told_problem_by_problem(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "registry.xml").write_text('<registry>\n<job name="a"/>\n<jbo/>\n</registry>')
    lines = complaint(capsys, "plan", "--registry", "registry.xml").splitlines()
    assert [line.split(":")[:2] for line in lines] == [["registry.xml", "2"], ["registry.xml", "3"]]


# -- history as CSV ------------------------------------------------------------------------------


def test_history_as_csv_has_a_line_an_attempt(
    served: Served, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    asked: list[dict[str, str]] = []
    failed = an_attempt(code=1, error='ValueError: "a",\nb', cpu_time=0.25)
    twice = [failed, an_attempt(number=2, peak_memory=12_000_000)]
    fates = [a_task(attempts=twice), a_task(state="cancelled", reason="by hand"), a_run(cover=None)]

    def answer(parameters: Mapping[str, str]) -> object:
        asked.append(dict(parameters))
        return {"fates": fates}

    served.answers["history"] = answer
    assert main(["history", "--csv"]) == 0
    assert asked == [{"limit": "10000"}]
    text = capfdbinary.readouterr().out.decode()
    assert text.count("\r\n") == 5 and '"ValueError: ""a"",\nb"' in text
    first, second, cancelled, run = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    assert [first["number"], second["number"], cancelled["number"]] == ["1", "2", ""]
    assert first["task"] == second["task"] == "load.2026-11-23T02:00:00"
    assert (first["error"], first["cpu_time"], first["code"]) == (failed["error"], "0.25", "1")
    assert (second["peak_memory"], second["cpu_time"], second["code"]) == ("12000000", "", "0")
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "by hand")
    assert run["task"] == "load.2026-11-23T02:00:00"
    assert (run["last"], run["count"], run["state"]) == ("load.2026-11-23T09:00:00", "8", "skipped")
    assert run["changed_at"] == "2026-11-23T10:00:00+01:00"


def test_history_as_csv_of_nothing_is_the_header(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["history"] = lambda _: {"fates": []}
    assert main(["history", "--csv", "--limit", "1"]) == 0
    assert capsys.readouterr().out.startswith("task,last,count,routine,")
    assert "give one of them" in complaint(capsys, "history", "--csv", "--json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--since yesterday", "'yesterday' is not a moment"),
        ("--until 2026-10-25T02:30", "occurs twice in Europe/Paris"),
        (f"{LOAD} --state failed", "state does not go with one task"),
        ("--state lost", "invalid choice: 'lost'"),
    ],
)
def test_a_filter_of_history_that_makes_no_sense_is_refused(
    words: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    SqliteStore(folder / "scheduler.db").close()
    error = complaint(capsys, "history", *words.split())
    assert said in error and error.count("\n") == 1


def test_history_is_filtered_from_the_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(SqliteStore(folder / "scheduler.db")) as store:
        states = (TaskState.FAILED, TaskState.SUCCEEDED, TaskState.FAILED)
        for day, state in enumerate(states, 1):
            task = record_of(an_id(f"load.2026-10-0{day}T02:00:00", "Europe/Paris"), state)
            store.apply([RecordTask(task=task)])

    def found(*words: str) -> list[str]:
        assert main(["history", *words, "--json"]) == 0
        return [fate["task"] for fate in json.loads(capsys.readouterr().out)["fates"]]

    last = "load.2026-10-03T02:00:00"
    assert found("--state", "failed") == [last, LOAD]
    assert found("load", "--since", "2026-10-03") == [last]
    assert found("--since", "2026-10-01T02:00", "--until", "2026-10-02T02:00") == [LOAD]
    assert found("--state", "running") == []


# -- logs ----------------------------------------------------------------------------------------


def log_of(served: Served, log: Path, is_running: list[bool]) -> None:
    """Let the log of the task be this file; the attempt runs as long as the list says so."""
    served.answers["logs"] = lambda _: {
        "task": LOAD,
        "attempt": 1,
        "attempts": [1],
        "path": str(log),
        "size": 0,
        "is_running": is_running[0],
    }


def test_a_log_is_printed_byte_for_byte(
    served: Served, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "log").write_bytes(data)
    log_of(served, tmp_path / "log", [False])
    assert main(["logs", LOAD]) == 0
    assert capfdbinary.readouterr().out == data


def test_a_log_that_is_gone_says_so(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_of(served, tmp_path / "gone", [False])
    assert f"the log of {LOAD}, attempt 1, is gone" in complaint(capsys, "logs", LOAD)


def test_following_prints_what_comes_until_the_attempt_ends(served: Served, tmp_path: Path) -> None:
    log, is_running = tmp_path / "log", [True]
    log.write_bytes(b"one\n")
    log_of(served, log, is_running)
    command = [sys.executable, "-m", "scheduler", "logs", LOAD, "--follow"]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    watchdog = threading.Timer(3 * DEADLINE, process.kill)
    watchdog.start()
    assert process.stdout is not None
    assert process.stdout.readline() == b"one\n"
    with log.open("ab") as file:
        file.write(b"two\n")
    assert process.stdout.readline() == b"two\n"
    # Cut to its limit beneath the reader: what comes after that is printed.
    log.write_bytes(b"cut\n")
    is_running[0] = False
    assert process.wait(DEADLINE) == 0
    watchdog.cancel()
    process.stdout.close()


def test_a_reader_that_goes_away_is_no_error(served: Served, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"line\n" * 1_000_000)
    log_of(served, tmp_path / "log", [False])
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "scheduler", "logs", LOAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(DEADLINE) == 141
    process.stderr.close()
