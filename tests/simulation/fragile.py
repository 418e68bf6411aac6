"""Stores that a scheduler may die over, before and after each write, and whose disk may be full."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scheduler.engine.commands import Record
from scheduler.errors import StoreError
from scheduler.service.store.memory import MemoryStore
from scheduler.service.store.protocol import RegistryText
from scheduler.service.store.sqlite import SqliteStore


class Killed(BaseException):
    """The scheduler is gone at this very point, as after ``kill -9``; not an `Exception`."""


@dataclass
class Disk:
    """What a store is written to."""

    point: Callable[[str], None]  # the scheduler may die here
    written: Callable[[Sequence[Record]], None]  # told of what has been kept
    full_for: int = 0  # so many more writes fail
    is_out: bool = False  # the last write failed

    def write(self, what: str) -> None:
        """Let a write begin."""
        self.point(f"before {what}")
        if self.full_for:
            self.full_for -= 1
            self.is_out = True
            raise StoreError("the disk is full")
        self.is_out = False


class FragileMemoryStore(MemoryStore):
    """A store in memory."""

    disk: Disk

    def apply(self, records: Sequence[Record], registry: RegistryText | None = None) -> None:
        """Keep all of these, or die, or find the disk full."""
        self.disk.write("apply")
        super().apply(records, registry)
        self.disk.written(records)
        self.disk.point("after apply")

    def keep_note(self, key: str, value: str) -> None:
        """Keep a note."""
        self.disk.write("keep_note")
        super().keep_note(key, value)
        self.disk.point("after keep_note")


class FragileSqliteStore(SqliteStore):
    """A store in a database."""

    disk: Disk

    def apply(self, records: Sequence[Record], registry: RegistryText | None = None) -> None:
        """Keep all of these, or die, or find the disk full."""
        self.disk.write("apply")
        super().apply(records, registry)
        self.disk.written(records)
        self.disk.point("after apply")

    def keep_note(self, key: str, value: str) -> None:
        """Keep a note."""
        self.disk.write("keep_note")
        super().keep_note(key, value)
        self.disk.point("after keep_note")


FragileStore = FragileMemoryStore | FragileSqliteStore
