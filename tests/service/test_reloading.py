"""What a reload would change, and which revision is taken."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scheduler.engine.commands import RecordTask
from scheduler.engine.states import TaskState
from scheduler.engine.task import Origin, Task
from scheduler.errors import RegistryError, SchedulerError
from scheduler.service.config import Settings
from scheduler.service.registry_files import check_registry
from scheduler.service.reloading import Loaded, Reloading
from scheduler.service.store.memory import MemoryStore
from scheduler.service.store.protocol import Source
from tests.support.builders import a_task, at

NOW = at("2026-10-02T12:00")
LOAD = '<job name="load" script="job.py" schedule="0 2 * * *"/>'
REPORT = '<job name="report" script="job.py" schedule="0 3 * * *" depends_on="load"/>'


class Folder:
    """A registry on disk, and the reloading of a scheduler that runs what it held at first."""

    def __init__(self, path: Path, jobs: str, *notices: str) -> None:
        self._file = path / "registry.xml"
        (path / "job.py").touch()
        self.write(jobs)
        self.settings = Settings(registry=self._file, timezone="UTC")
        report = check_registry(self._file, "UTC")
        assert report.registry is not None, report.errors
        sources = tuple(Source(path=name, data=data) for name, data in report.sources)
        loaded = Loaded(registry=report.registry, sources=sources, notices=notices)
        self.reloading = Reloading(self.settings, loaded)
        self.notices: list[tuple[str, ...]] = []
        self.reloading.tell(lambda _, notices: self.notices.append(notices))

    def write(self, jobs: str) -> None:
        self._file.write_text(f"<registry>{jobs}</registry>")

    def preview(self, *tasks: Task) -> dict[str, Any]:
        store = MemoryStore()
        store.apply([RecordTask(task=task) for task in tasks])
        return self.reloading.preview(store, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, LOAD + REPORT)


def names(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["routine"] for row in rows]


def test_files_that_have_not_changed_are_not_new(folder: Folder) -> None:
    view = folder.preview()
    assert not view["is_new"]
    assert view["summary"] == "nothing changes"


def test_a_file_that_was_mended_is_new_though_it_is_what_runs(tmp_path: Path) -> None:
    folder = Folder(tmp_path, LOAD, "registry.xml CANNOT BE LOADED")
    view = folder.preview()
    assert view["is_new"]
    taken = folder.reloading.taken(str(view["revision"]))
    folder.reloading.adopt(taken.registry)
    assert folder.notices == [()]


def test_a_comment_is_another_revision_but_changes_nothing(folder: Folder) -> None:
    folder.write("<!-- -->" + LOAD + REPORT)
    view = folder.preview()
    assert view["is_new"]
    assert view["summary"] == "nothing changes"


def test_what_a_change_of_schedule_begins_and_skips_is_shown(folder: Folder) -> None:
    folder.write(LOAD.replace("0 2", "0 18") + REPORT)
    view = folder.preview(
        a_task("load.2026-10-02T02:00:00", TaskState.WAITING),
        a_task("load.2026-09-30T02:00:00", TaskState.WAITING, origin=Origin.BACKFILL),
        a_task("load.2026-10-01T02:00:00", TaskState.RUNNING),
    )
    (load,) = view["changed"]
    assert load["routine"] == "load"
    assert load["changes"] == [{"attribute": "schedule", "old": "0 2 * * *", "new": "0 18 * * *"}]
    assert load["next"] == "2026-10-02T18:00:00+00:00"
    assert (load["skipped"], load["running"]) == (1, 1)
    assert names(view["rebound"]) == ["report"]


def test_what_a_removed_routine_has_left_is_shown(folder: Folder) -> None:
    folder.write(LOAD)
    view = folder.preview(
        a_task("report.2026-10-02T03:00:00", TaskState.BLOCKED),
        a_task("report.2026-10-01T03:00:00", TaskState.READY, by_hand=True),
    )
    (report,) = view["removed"]
    assert (report["routine"], report["skipped"]) == ("report", 2)


def test_a_routine_that_is_disabled_skips_what_waits(folder: Folder) -> None:
    folder.write(LOAD.replace("/>", ' enabled="false"/>') + REPORT)
    view = folder.preview(a_task("load.2026-10-02T02:00:00", TaskState.WAITING))
    assert view["changed"][0]["skipped"] == 1


def test_how_an_attempt_starts_is_no_change_of_the_trigger(folder: Folder) -> None:
    folder.write(LOAD.replace("/>", ' warm="no"/>') + REPORT.replace("/>", ' preload="json"/>'))
    view = folder.preview(a_task("load.2026-10-02T02:00:00", TaskState.WAITING))
    load, report = view["changed"]
    assert load["changes"] == [{"attribute": "warm", "old": "auto", "new": "no"}]
    assert [change["attribute"] for change in report["changes"]] == ["preload"]
    assert [(row["begins"], row["skipped"]) for row in (load, report)] == [(False, 0)] * 2
    assert view["rebound"] == []


def test_of_an_invalid_file_all_problems_are_told(folder: Folder) -> None:
    folder.write(LOAD + '<job name="x"/>' + REPORT.replace("job.py", "gone.py"))
    view = folder.preview()
    assert view["revision"] is None
    assert len(view["errors"]) == 2
    with pytest.raises(RegistryError):
        folder.reloading.read()


def test_the_revision_that_was_shown_is_taken_and_adopted(folder: Folder) -> None:
    folder.write(LOAD)
    revision = str(folder.preview()["revision"])
    taken = folder.reloading.taken(revision)
    words = folder.reloading.adopt(taken.registry)
    assert folder.reloading.current is taken
    assert words == "registry reloaded: 1 routine, 1 removed"
    assert folder.notices == [()]


@pytest.mark.parametrize("revision", ["", "another"])
def test_another_revision_is_refused(folder: Folder, revision: str) -> None:
    folder.write(LOAD)
    folder.preview()
    with pytest.raises(SchedulerError, match="changed since they were shown"):
        folder.reloading.taken(revision)


def test_a_change_after_the_look_is_refused(folder: Folder) -> None:
    folder.write(LOAD)
    revision = str(folder.preview()["revision"])
    folder.write(REPORT)
    with pytest.raises(SchedulerError, match="changed since they were shown"):
        folder.reloading.taken(revision)


def test_a_complaint_stands_beside_the_notices_until_it_is_taken_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path, LOAD, "as it began")
    folder.write('<job name="x"/><job name="y"/>')
    with pytest.raises(RegistryError) as found:
        folder.reloading.read()
    folder.reloading.complain(found.value)
    folder.reloading.be_content()
    complaint, content = folder.notices
    assert "cannot be loaded" in complaint[0] and "(and 1 more" in complaint[0]
    assert complaint[1:] == content == ("as it began",)
