"""Whether files have changed on disk, without a look at them while nothing happens.

On Linux the kernel tells what happens in their folders; elsewhere they are looked at once a
minute.  What a change means is none of its business.
"""

import os
import selectors
import socket
import sys
from collections.abc import Iterable, Sequence

_LOOK_EVERY = 60.0  # seconds, where nothing announces a change
# Takes no descriptor of its own: none may be left.
_Selector = selectors.SelectSelector if sys.platform == "win32" else selectors.PollSelector
_SETTLED = 0.2  # seconds without another change: an editor writes in several steps

Look = tuple[int, int, int] | None


class FileWatch:
    """Waits for changes of some files, in a thread of its owner; `close` ends the wait."""

    def __init__(self) -> None:
        self._bell, self._ringer = socket.socketpair()
        self._folders = _Folders.opened()
        self._seen: dict[str, Look] = {}

    def look_at(self, paths: Iterable[str]) -> None:
        """Wait from now on for changes of these files; new ones are seen as they are now."""
        wanted = list(paths)
        if self._folders is not None:
            self._folders.watch(_folders_of(wanted))
        self._seen = {
            path: self._seen[path] if path in self._seen else _look_at(path) for path in wanted
        }

    def wait(self) -> bool:
        """Return True once one of the files has changed, False once it is closed."""
        while self._looks() == self._seen:
            if not self._sleep(None if self._folders is not None else _LOOK_EVERY):
                return False
        while (found := self._looks()) != self._seen:
            self._seen = found
            if not self._rest():
                return False
        return True

    def close(self) -> None:
        """End the wait; from any thread."""
        self._ringer.close()

    def release(self) -> None:
        """Give the descriptors back, once nobody waits any more."""
        self._bell.close()
        if self._folders is not None:
            self._folders.close()

    def _looks(self) -> dict[str, Look]:
        return {path: _look_at(path) for path in self._seen}

    def _sleep(self, seconds: float | None) -> bool:
        """Wait for something to happen, or for the time; return False if closed."""
        with _Selector() as selector:
            selector.register(self._bell, selectors.EVENT_READ, "bell")
            if self._folders is not None:
                selector.register(self._folders, selectors.EVENT_READ, "folders")
            ready = {key.data for key, _ in selector.select(seconds)}
        if self._folders is not None:
            self._folders.empty()
        return "bell" not in ready

    def _rest(self) -> bool:
        """Let whoever writes come to an end; return False if closed."""
        with _Selector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            return not selector.select(_SETTLED)


def _look_at(path: str) -> Look:
    """Return what tells one content of a file from another, without reading it."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _folders_of(paths: Sequence[str]) -> list[str]:
    """Return the folders in which a change of the files shows, links followed and not."""
    both = (place for path in paths for place in (os.path.abspath(path), os.path.realpath(path)))
    return list(dict.fromkeys(os.path.dirname(place) for place in both))


class _Folders:
    """What the Linux kernel tells of folders, as a descriptor.

    Folders rather than files: an editor writes a new file and gives it the old one's name.
    """

    # Written and closed, moved in or out, made, deleted; attributes, as `touch` sets them.
    _EVENTS = 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x4

    def __init__(self) -> None:
        import ctypes

        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._watched: dict[str, int] = {}

    @classmethod
    def opened(cls) -> "_Folders | None":
        """Return it, or None where the system has nothing of the kind."""
        if sys.platform != "linux":
            return None
        try:
            return cls()
        except (OSError, AttributeError):
            return None  # a sandbox, a C library without it, or a limit that is reached

    def watch(self, folders: Sequence[str]) -> None:
        """Be told of these folders, and of no others; one that is not there tells nothing."""
        for gone in self._watched.keys() - set(folders):
            self._libc.inotify_rm_watch(self._descriptor, self._watched.pop(gone))
        for folder in folders:
            number = self._libc.inotify_add_watch(
                self._descriptor, os.fsencode(folder), self._EVENTS
            )
            if number >= 0:
                self._watched[folder] = number

    def fileno(self) -> int:
        """Return the descriptor, readable once something has happened."""
        return self._descriptor

    def empty(self) -> None:
        """Take out what has been told: what it was shows in the files."""
        try:
            while os.read(self._descriptor, 65_536):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)
