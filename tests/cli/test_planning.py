"""``plan --registry``: what a registry by itself takes from the data folder that is known."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler.cli.main import main
from scheduler.engine.commands import RecordTask
from scheduler.service.answers import PlannedView
from scheduler.service.instance import claim
from scheduler.service.store.sqlite import SqliteStore
from tests.support.builders import a_task, an_attempt, an_id

WINDOW = ("--from", "2026-11-23", "--to", "2026-11-24")
#: a registry that is tried out: load is later than it was, and rates is new
OTHER = """\
<registry>
  <job name="load" script="load.py" schedule="0 5 * * *"/>
  <job name="rates" script="rates.py" schedule="0 5 * * *" depends_on="load"/>
</registry>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder in which load has run, each time for 20 minutes; another registry beside."""
    folder = tmp_path / "night"
    folder.mkdir()
    (folder / "config.cfg").write_text("[scheduler]\ntimezone = Asia/Tokyo\n")
    (tmp_path / "other.xml").write_text(OTHER)
    with closing(SqliteStore(folder / "scheduler.db")) as store:
        for day in (1, 2, 3):
            id = an_id(f"load.2026-10-0{day}T02:00:00")
            attempt = an_attempt(id.instant, minutes=20)
            store.apply([RecordTask(task=a_task(id, attempts=(attempt,)))])
    return folder


def planned(
    capsys: pytest.CaptureFixture[str], *words: str, said: str = ""
) -> dict[str, PlannedView]:
    """Return the plan of the other registry, by routine."""
    assert (
        main(["plan", "--registry", "../other.xml", *WINDOW, *words, "--expected", "--json"]) == 0
    )
    out, err = capsys.readouterr()
    assert said in err if said else err == ""
    return {one["routine"]: one for one in json.loads(out)}


def length_of(one: PlannedView) -> str:
    start, end = one.get("expected_start"), one.get("expected_end")
    assert start is not None
    if end is None:
        return "unknown"
    return str(datetime.fromisoformat(end) - datetime.fromisoformat(start))


def test_routines_take_as_long_as_those_of_their_names_in_the_data_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ["--config_file", str(folder / "config.cfg")]
    (named, elsewhere) = planned(capsys, *config), planned(capsys)
    assert (length_of(named["load"]), length_of(named["rates"])) == ("0:20:00", "unknown")
    assert length_of(elsewhere["load"]) == "unknown"
    monkeypatch.chdir(folder)
    here = planned(capsys)
    assert length_of(here["load"]) == "0:20:00"
    # What waits for it starts when it has ended.
    assert here["rates"].get("expected_start") == here["load"].get("expected_end")


def test_only_a_config_that_was_asked_for_says_in_which_zone_times_are(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert not planned(capsys)["load"]["instant"].endswith("+09:00")
    named = planned(capsys, "--config_file", "config.cfg")
    assert named["load"]["instant"] == "2026-11-23T05:00:00+09:00"


def test_a_scheduler_that_was_named_tells_where_its_runs_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with claim("late", config=folder / "config.cfg", database=folder / "scheduler.db") as held:
        held.publish(host="127.0.0.1", port=1, token="t", at=datetime(2026, 11, 23, tzinfo=UTC))
        live = planned(capsys, "--scheduler_name", "late")
    assert live == planned(capsys, "--scheduler_name", "late")
    assert length_of(live["load"]) == "0:20:00"
    assert live["load"]["instant"] == "2026-11-23T05:00:00+09:00"
    words = ["plan", "--registry", "../other.xml", "--scheduler_name", "laet"]
    assert main(words) == 2
    assert "nothing is known of it (known here: late)" in capsys.readouterr().err


def test_what_is_wrong_where_one_stands_does_not_keep_a_plan_from_being_made(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "config.cfg").write_text("[scheduler]\ntimezoen = UTC\n")
    assert length_of(planned(capsys)["load"]) == "unknown"
    words = ["plan", "--registry", "../other.xml", "--config_file", "config.cfg"]
    assert main(words) == 2
    assert "timezoen" in capsys.readouterr().err


def test_a_database_that_cannot_be_read_costs_only_what_it_would_have_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "scheduler.db").unlink()
    with closing(sqlite3.connect(folder / "scheduler.db")) as other:
        other.execute("PRAGMA user_version = 4711")
    said = "scheduler: it is not known how long routines take"
    assert length_of(planned(capsys, said=said)["load"]) == "unknown"
    # Without what is expected, nobody asks it.
    words = ["plan", "--registry", "../other.xml", *WINDOW, "--json"]
    assert main(words) == 0
    assert capsys.readouterr().err == ""
