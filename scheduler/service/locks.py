"""Lock files that say who holds them, and small files of JSON beside them.

A lock is held by a process and goes with it, also when it is killed.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from filelock import FileLock

# A probe holds the lock for some microseconds; so long whoever wants it tries again.
_PATIENCE = 0.5


class Lock:
    """A lock file that says who holds it."""

    def __init__(self, path: Path, words: "Mapping[str, str | int]") -> None:
        self._path = path
        self._words = words
        self._lock: FileLock | None = None

    def taken(self) -> dict[str, object] | None:
        """Take the lock and return None, or return what its holder says of itself."""
        from filelock import FileLock, Timeout

        # Not thread-local: the thread that ends the scheduler need not be the one that began it.
        lock = FileLock(self._path, timeout=_PATIENCE, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return read_object(self._path) or {}
        self._lock = lock
        with suppress(OSError):  # Windows lets nobody write to it; messages are poorer then
            self._path.write_text(json.dumps(self._words), encoding="utf-8")
        return None

    def release(self) -> None:
        """Release the lock; the file stays, or two could hold locks on two files of one name."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def is_held(path: Path) -> bool:
    """Return whether some process holds the lock, and leave it as it was."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _is_held_by_filelock(path)
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # As filelock locks, without the 40 ms that its import takes.  Shared: two who look at the
        # same time do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_held_by_filelock(path: Path) -> bool:
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def read_object(path: Path) -> dict[str, object] | None:
    """Return the object in a JSON file, or None if there is no such file, or no object in it."""
    try:
        content: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        # Files are replaced whole, so that a damaged one is a left-over that nobody holds.
        return None
    return cast("dict[str, object]", content) if isinstance(content, dict) else None


def write_object(path: Path, content: "Mapping[str, object]") -> None:
    """Write a file that its user alone may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(draft, path)
