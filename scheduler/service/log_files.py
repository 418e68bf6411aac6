"""Opening what lies in the log folder, never through a link that somebody put there.

    LOG_DIRECTORY/ROUTINE/LOG

The log directory itself may be a link: that is its user's choice.  What a routine's folder or a
log is, is looked at by the system as it opens them, so that nothing can be exchanged in between.
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

#: Logs may hold what is not for everyone's eyes.
LOG_MODE = 0o640
FOLDER_MODE = 0o750

_HAS_DESCRIPTORS = os.open in os.supports_dir_fd and os.scandir in os.supports_fd
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# A pipe in the place of a log would hold whoever opens it until somebody opens its other end.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_FOLDER = os.O_RDONLY | _NO_LINK | getattr(os, "O_DIRECTORY", 0)


def open_log(path: Path, flags: int) -> int:
    """Return a descriptor of a log.

    Raises:
        OSError: it cannot be opened, or it, or its folder, is a link or something else.
    """
    with opened_folder(path.parent) as folder:
        return open_file(path, flags, folder)


def open_file(path: Path, flags: int, folder: int | None = None) -> int:
    """Return a descriptor of a file that is no link, in an opened folder if that is given.

    Raises:
        OSError: it cannot be opened, or is a link or something else than a file.
    """
    flags |= _NO_LINK | _NO_WAIT | getattr(os, "O_BINARY", 0)
    if not _NO_LINK and path.is_symlink():
        raise _refusal(path)
    try:
        name = path if folder is None else path.name
        descriptor = os.open(name, flags, LOG_MODE, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _refusal(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refusal(path)
    if _NO_WAIT:
        os.set_blocking(descriptor, True)
    return descriptor


def make_folder(path: Path) -> None:
    """Make a routine's folder, and the log directory if that is not there either."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def size_of(path: Path) -> int:
    """Return the size of a log; 0 if there is none, or it may not be opened."""
    try:
        descriptor = open_log(path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


@contextmanager
def opened_folder(path: Path) -> Generator[int | None]:
    """Give a descriptor of a routine's folder; None where the system cannot do without paths.

    Raises:
        OSError: it is not there, or is a link or something else.
    """
    if not _HAS_DESCRIPTORS:
        if path.is_symlink():
            raise _refusal(path)
        yield None
        return
    try:
        descriptor = os.open(path, _FOLDER)
    except OSError as error:
        # Of a link Linux says that it is no folder.
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _refusal(path) from error
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _refusal(path: Path) -> OSError:
    reason = "it is a link, or no file or folder: links in the log folder are not followed"
    return OSError(errno.ELOOP, reason, str(path))
