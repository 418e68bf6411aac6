"""Running the command: what it is given, what is made of its end, and when it is run."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from scheduler.engine.commands import Notice, RecordRoutine, RecordTask
from scheduler.engine.states import TaskState
from scheduler.engine.task import Task, TaskId
from scheduler.registry.registry import Registry
from scheduler.service.incidents import Incident, Kind, to_note
from scheduler.service.notify import INCIDENTS_NOTE, Notifier, Teller, last_lines
from scheduler.service.store.memory import MemoryStore
from tests.support.builders import a_routine_state, a_task, an_attempt, an_id, at

DEADLINE = 30.0
NOW = at("2026-10-02T09:00")
LOAD = "load.2026-10-02T02:00:00"

#: Appends each message that it is given, as a line.
TELL = """
import json, os, pathlib, sys
message = json.load(sys.stdin)
with open("told", "a") as file:
    file.write(json.dumps({**message, "name": os.environ["SCHEDULER_NAME"]}) + "\\n")
sys.exit(int(pathlib.Path("code").read_text()))
"""


def wait_until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < until, "waited in vain"
        threading.Event().wait(0.01)


def a_teller(folder: Path, program: str) -> Teller:
    return Teller([sys.executable, "-c", program], scheduler="night", directory=folder)


# -- the command -------------------------------------------------------------------------------


def test_the_message_is_on_stdin_and_the_name_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("0")
    told = a_teller(tmp_path, TELL).tell({"event": "began", "reason": "Käse ☂"})
    assert told.is_ok, told
    written = json.loads((tmp_path / "told").read_text())
    assert written == {"event": "began", "reason": "Käse ☂", "name": "night"}


@pytest.mark.parametrize(
    ("program", "code", "error"),
    [
        ("pass", 0, None),
        ("print('no such host'); raise SystemExit(3)", 3, "exit code 3: no such host"),
        ("import sys; sys.exit('no such host')", 1, "exit code 1: no such host"),
        ("import sys; sys.stdin.close(); raise SystemExit(2)", 2, "exit code 2"),
    ],
)
def test_how_the_command_ended_is_said(
    tmp_path: Path, program: str, code: int, error: str | None
) -> None:
    told = a_teller(tmp_path, program).tell({})
    assert (told.code, told.error) == (code, error)


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    told = Teller(["no-such-program"], scheduler="night", directory=tmp_path).tell({})
    assert told.code is None
    assert told.error is not None and told.error.startswith("no-such-program could not be started")


HANGS = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pids.new").write_text(str(child.pid))
pathlib.Path("pids.new").rename("pids")
time.sleep(600)
"""


def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    teller = a_teller(tmp_path, HANGS)
    told: list[str | None] = []
    thread = threading.Thread(target=lambda: told.append(teller.tell({}, longest=3.0).error))
    thread.start()
    wait_until((tmp_path / "pids").exists)
    child = psutil.Process(int((tmp_path / "pids").read_text()))
    thread.join(DEADLINE)
    assert told == ["killed after 3 s"]
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


# -- when it is run ----------------------------------------------------------------------------


class Room:
    """A notifier over a store of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.answer(0)
        self.notifier = self._new()

    def _new(self) -> Notifier:
        return Notifier(
            a_teller(self.folder, TELL),
            scheduler="night",
            store=self.store,
            registry=Registry,
            log_of=self.log_of,
            now=lambda: NOW,
            keep=lambda text: self.store.keep_note(INCIDENTS_NOTE, text),
        )

    def log_of(self, id: TaskId, attempt: int) -> Path:
        return self.folder / f"{id.routine}.{attempt}.log"

    def answer(self, code: int) -> None:
        """Set the exit code of the command."""
        (self.folder / "code").write_text(str(code))

    def restart(self) -> None:
        self.notifier.close()
        self.notifier = self._new()
        self.notifier.start()

    def decide(self, *tasks: Task) -> None:
        """Store what was decided, and show it."""
        records = [RecordTask(task=task) for task in tasks]
        self.store.apply(records)
        self.notifier.see(records)

    def told(self) -> list[dict[str, Any]]:
        file = self.folder / "told"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for(self, *events: str) -> list[dict[str, Any]]:
        """Return what was told, once it is these events."""
        wait_until(lambda: len(self.told()) >= len(events))
        assert [f"{one['event']} {one['task']}" for one in self.told()] == list(events)
        return self.told()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.notifier.close()


def failed(id: str = LOAD) -> Task:
    attempt = an_attempt(an_id(id).instant, code=3)
    return a_task(id, TaskState.FAILED, reason="exit code 3", attempts=(attempt,))


def test_a_failure_is_told_once_and_once_when_it_is_over(room: Room) -> None:
    (room.folder / "load.1.log").write_text("one\ntwo\n")
    room.notifier.start()
    room.decide(failed())
    (told,) = room.wait_for(f"began {LOAD}")
    assert (told["reason"], told["last_lines"]) == ("exit code 3", ["one", "two"])
    assert told["name"] == told["scheduler"] == "night"
    room.decide(a_task("rates.2026-10-02T02:00:00", TaskState.SUCCEEDED), failed())
    room.decide(a_task(LOAD, TaskState.SUCCEEDED, reason=""))
    room.wait_for(f"began {LOAD}", f"ended {LOAD}")


def test_a_task_that_is_overdue_is_told(room: Room) -> None:
    room.notifier.start()
    late = replace(a_task(LOAD, TaskState.RUNNING, reason=""), is_overdue=True)
    room.store.apply([RecordTask(task=late)])
    room.notifier.see([Notice(task=late.id, kind="overdue")])
    (told,) = room.wait_for(f"began {LOAD}")
    assert told["kind"] == "overdue"


def test_what_has_been_told_is_not_told_again_after_a_restart(room: Room) -> None:
    room.notifier.start()
    room.decide(failed())
    room.wait_for(f"began {LOAD}")
    room.restart()
    rates = "rates.2026-10-02T02:00:00"
    room.decide(failed(rates))
    room.wait_for(f"began {LOAD}", f"began {rates}")


def test_what_ended_while_nothing_ran_is_told_at_the_start(room: Room) -> None:
    known = Incident(kind=Kind.FAILED, task=an_id(LOAD), reason="exit code 3", since=NOW)
    room.store.keep_note(INCIDENTS_NOTE, to_note([known]))
    room.store.apply([RecordTask(task=a_task(LOAD)), RecordTask(task=failed("rates" + LOAD[4:]))])
    room.notifier.start()
    room.wait_for(f"ended {LOAD}", f"began rates{LOAD[4:]}")


@pytest.mark.parametrize("note", ["{", "[{}]", "7", '[{"kind": "other"}]'])
def test_a_note_that_cannot_be_read_keeps_nobody_from_being_told(room: Room, note: str) -> None:
    room.store.keep_note(INCIDENTS_NOTE, note)
    room.store.apply([RecordTask(task=failed())])
    room.notifier.start()
    room.wait_for(f"began {LOAD}")


def test_a_newer_success_ends_an_incident_and_is_named(room: Room) -> None:
    room.notifier.start()
    room.decide(failed())
    room.wait_for(f"began {LOAD}")
    newer = a_task("load.2026-10-03T02:00:00")
    state = a_routine_state("load", last_success=newer.instant)
    room.store.apply([RecordRoutine(state=state)])
    room.decide(newer)
    told = room.wait_for(f"began {LOAD}", f"ended {LOAD}")
    assert told[1]["outcome"] == "load.2026-10-03T02:00:00 succeeded"


def test_an_older_failure_that_blocks_is_an_incident_even_after_a_newer_success(
    room: Room,
) -> None:
    room.store.apply(
        [
            RecordTask(task=failed()),
            RecordTask(
                task=a_task("report.2026-10-02T03:00:00", TaskState.BLOCKED, root=an_id(LOAD))
            ),
            RecordRoutine(state=a_routine_state("load", last_success=at("2026-10-03T02:00"))),
        ]
    )
    room.notifier.start()
    (told,) = room.wait_for(f"began {LOAD}")
    assert told["blocks"] == ["report.2026-10-02T03:00:00"]


def test_a_command_that_fails_is_a_notice_until_it_works_again(room: Room) -> None:
    room.answer(7)
    room.notifier.start()
    room.decide(failed())
    wait_until(lambda: room.notifier.notices)
    (notice,) = room.notifier.notices
    assert "exit code 7" in notice and LOAD in notice
    room.answer(0)
    room.decide(a_task(LOAD, TaskState.SUCCEEDED))
    wait_until(lambda: not room.notifier.notices)
    # It was told once, for better or worse.
    room.wait_for(f"began {LOAD}", f"ended {LOAD}")


def test_it_ends_though_nothing_was_ever_told(room: Room) -> None:
    room.notifier.start()
    room.notifier.close()
    assert room.told() == []


# -- the log -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"", ()),
        (b"one\ntwo", ("one", "two")),
        (b"x\n" * 100_000, ("x",) * 20),
        (b"\xff\xfe", ("��",)),
        (b"y" * 100_000, ("y" * 2_000,)),
    ],
)
def test_the_last_lines_of_a_log_are_told_whatever_is_in_it(
    tmp_path: Path, written: bytes, expected: tuple[str, ...]
) -> None:
    (tmp_path / "log").write_bytes(written)
    assert last_lines(tmp_path / "log") == expected


def test_a_log_that_is_gone_has_no_last_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "gone") == ()
