"""Whether files have changed on disk."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.service.watching import FileWatch

DEADLINE = 20.0


class Watching:
    """A watch over one file, and the thread that waits for it."""

    def __init__(self, file: Path) -> None:
        self.watch = FileWatch()
        self.watch.look_at([str(file)])
        self.changes = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.watch.wait():
            self.changes.release()

    def has_seen_a_change(self) -> bool:
        return self.changes.acquire(timeout=DEADLINE)

    def close(self) -> None:
        self.watch.close()
        self.thread.join(DEADLINE)
        assert not self.thread.is_alive()
        self.watch.release()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "registry.xml"
    file.write_text("one")
    return file


@pytest.fixture
def watching(file: Path) -> Iterator[Watching]:
    watching = Watching(file)
    yield watching
    watching.close()


def write(file: Path) -> None:
    file.write_text("another")


def move_in(file: Path) -> None:
    new = file.with_name("new")
    new.write_text("another")
    new.replace(file)


def write_bit_by_bit(file: Path) -> None:
    with file.open("w") as out:
        for _ in range(3):
            out.write("another")
            out.flush()


@pytest.mark.parametrize("change", [write, move_in, write_bit_by_bit, Path.unlink])
def test_a_change_is_seen_however_it_is_made(
    watching: Watching, file: Path, change: Callable[[Path], object]
) -> None:
    change(file)
    assert watching.has_seen_a_change()


def test_what_happens_beside_the_file_is_no_change(watching: Watching, file: Path) -> None:
    file.with_name("scheduler.db").write_text("something")
    os.utime(file.with_name("scheduler.db"))
    write(file)
    assert watching.has_seen_a_change()
    assert not watching.changes.acquire(blocking=False)


def test_each_change_is_seen(watching: Watching, file: Path) -> None:
    for text in ("first", "the second", "and the third"):
        file.write_text(text)
        assert watching.has_seen_a_change()


def test_a_file_behind_a_link_is_watched_where_it_is(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.xml"
    real.parent.mkdir()
    real.write_text("one")
    link = tmp_path / "registry.xml"
    link.symlink_to(real)
    watching = Watching(link)
    write(real)
    assert watching.has_seen_a_change()
    watching.close()


def test_a_change_before_the_wait_is_not_lost(file: Path) -> None:
    watch = FileWatch()
    watch.look_at([str(file)])
    write(file)
    assert watch.wait()
    watch.close()
    assert not watch.wait()
    watch.release()
