"""What must be true after the storm, from the ledger of the scripts and the database alone."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from scheduler import load_registry
from scheduler.service.executors.records import name_of
from tests.system.chaos.load import Ledger, read_ledger
from tests.system.chaos.storm import Storm
from tests.system.data_folder import ENDS, DataFolder

_SCHEDULED = ("load", "report", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt as the database has it."""

    outcome: str | None
    code: int | None
    signal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the database says."""

    states: dict[str, str]  # of each task
    attempts: dict[tuple[str, int], Attempt]
    instants: dict[str, Counter[datetime]]  # those that have a fate, of each routine
    integrity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What there was."""

    tasks: int
    attempts: int
    begun: int
    outcomes: Counter[str]


def read_history(folder: DataFolder) -> History:
    """Return what the database says; nobody has it open any more."""
    with closing(sqlite3.connect(folder.database)) as database:
        (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
        states: dict[str, str] = {}
        instants: dict[str, Counter[datetime]] = {}
        for routine, seconds, state in database.execute("SELECT routine, instant, state FROM task"):
            states[_id(routine, seconds)] = state
            instants.setdefault(routine, Counter())[_moment(seconds)] += 1
        attempts = {
            (_id(routine, seconds), number): Attempt(outcome=outcome, code=code, signal=signal)
            for routine, seconds, number, outcome, code, signal in database.execute(
                "SELECT routine, instant, number, outcome, code, signal FROM attempt"
            )
        }
        registry = load_registry(folder.path / "registry.xml", timezone="UTC")
        for routine, first, last, count in database.execute(
            "SELECT routine, first, last, count FROM skipped"
        ):
            run = [
                one.astimezone(UTC)
                for one in registry.instants(
                    routine, _moment(first), _moment(last) + timedelta(seconds=1)
                )
            ]
            assert len(run) == count, f"{routine}: a run of {count} that has {len(run)} instants"
            instants.setdefault(routine, Counter()).update(run)
    return History(states=states, attempts=attempts, instants=instants, integrity=integrity)


def prove(folder: DataFolder, storm: Storm, since: datetime, until: datetime) -> Figures:
    """Fail unless all held; every instant from ``since`` to ``until`` is to have ended."""
    history, ledger = read_history(folder), read_ledger(folder.path)
    assert history.integrity == "ok"
    _nothing_is_left(folder)
    _each_start_is_one_and_recorded(history, ledger)
    _each_end_is_what_the_script_says(history, ledger, storm)
    _each_task_has_ended_once(history, storm, until)
    _each_instant_has_one_fate(folder, history, since, until)
    return Figures(
        tasks=len(history.states),
        attempts=len(history.attempts),
        begun=len(ledger.begun),
        outcomes=Counter(_in_a_word(one) for one in history.attempts.values()),
    )


def _nothing_is_left(folder: DataFolder) -> None:
    assert folder.processes() == []
    assert not Path(f"{folder.database}-attempts").exists()


def _each_start_is_one_and_recorded(history: History, ledger: Ledger) -> None:
    assert [key for key, times in ledger.begun.items() if times > 1] == [], "ran twice"
    assert ledger.begun.keys() - history.attempts.keys() == set(), "ran, and is not recorded"
    assert ledger.overlaps == (), "two attempts of one routine at once"


def _each_end_is_what_the_script_says(history: History, ledger: Ledger, storm: Storm) -> None:
    # Whose parent was gone before it could even say so.
    orphaned = {1, *(one.pid for one in psutil.Process().parents())}
    for key, attempt in history.attempts.items():
        said, name = ledger.ended.get(key), name_of(*key)
        is_orphan = ledger.parents.get(key) in storm.blinded_by | orphaned
        was_blinded = name in storm.blinded | storm.perhaps or is_orphan
        was_shot = name in storm.shot | storm.perhaps
        match attempt.outcome:
            case "lost":
                parent, is_shot = ledger.parents.get(key), name in storm.shot
                told = f"begun below {parent}, ended {said}, shot {is_shot}"
                assert was_blinded, f"{key} is lost, though its supervisor saw its end: {told}"
            case "exited" if attempt.signal is not None:
                assert (attempt.signal, was_shot) == ("SIGKILL", True), (key, attempt)
            case "exited":
                assert said is not None and said == attempt.code, (key, attempt, said)
                assert name not in storm.blinded | storm.shot, f"{key} was killed"
            case "timed out" | "killed":
                assert name not in storm.blinded, f"{key}: nobody saw its end"
            case _:
                raise AssertionError(f"{key} ended as {attempt}")


def _each_task_has_ended_once(history: History, storm: Storm, until: datetime) -> None:
    tries = Counter(task for task, _ in history.attempts)
    for task, state in history.states.items():
        if datetime.fromisoformat(task.rpartition(".")[2]).replace(tzinfo=UTC) < until:
            assert state in ENDS, f"{task} is {state}"
        numbers = [number for number in range(1, tries[task] + 1)]
        ends = [history.attempts[task, number] for number in numbers]
        well = [_in_a_word(end) == "succeeded" for end in ends]
        assert not any(well[:-1]), f"{task} succeeded and was run again"
        assert (state == "succeeded") == (well[-1:] == [True]), (task, state, ends)
    assert set(storm.promised) - history.states.keys() == set(), "promised, and unknown"


def _each_instant_has_one_fate(
    folder: DataFolder, history: History, since: datetime, until: datetime
) -> None:
    registry = load_registry(folder.path / "registry.xml", timezone="UTC")
    for routine in _SCHEDULED:
        due = [one.astimezone(UTC) for one in registry.instants(routine, since, until)]
        fates = history.instants.get(routine, Counter())
        assert {one: fates[one] for one in due if fates[one] != 1} == {}, routine


def _in_a_word(attempt: Attempt) -> str:
    if attempt.outcome != "exited":
        return str(attempt.outcome)
    if attempt.signal is not None:
        return f"ended by {attempt.signal}"
    return "succeeded" if attempt.code == 0 else "failed"


def _id(routine: str, seconds: int) -> str:
    return f"{routine}.{_moment(seconds):%Y-%m-%dT%H:%M:%S}"


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
