"""What of a scheduler is open to others than its user, and should not be.

Said at the start, in status and in the log; nothing is refused: some machines have one user only.
The database holds a copy of the registry: whoever may not read that may not read this.
"""

import ipaddress
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scheduler.service.config import Settings


def exposures(settings: Settings) -> tuple[str, ...]:
    """Return what is open to others, a line each."""
    if sys.platform == "win32":  # who may do what is not in the mode there
        return tuple(_of_address(settings.http_host))
    return (
        *_of_address(settings.http_host),
        *_of_files(settings),
        *_of_database(settings.database, settings.registry),
    )


def make_database(database: Path, registry: Path) -> None:
    """Make an empty database, if there is none, for those who may read the registry.

    SQLite gives its log the mode of the database.
    """
    mode = 0o600 | (_readers_of(registry) or 0)
    # Whatever is wrong, whoever opens it next has words for it.
    with suppress(OSError):
        os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address; what a name leads to is not known."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _of_address(host: str) -> Iterator[str]:
    if not is_loopback(host):
        yield (
            f"[http] host = {host} may be reached from other machines: requests, and the token in"
            " them, go over the network unencrypted"
        )


def _of_files(settings: Settings) -> Iterator[str]:
    config = [] if settings.config is None else [settings.config]
    paths = [settings.registry, *config, settings.database]
    folders = [path.parent for path in paths]
    for path in dict.fromkeys([*folders, *paths]):
        if _is_open_to_all(path):
            yield (
                f"every user of this machine may write to {path}, and so have any program run"
                f" as you: chmod o-w {path}"
            )


def _of_database(database: Path, registry: Path) -> Iterator[str]:
    readers, allowed = _readers_of(database), _readers_of(registry)
    if readers is not None and allowed is not None and readers & ~allowed:
        letters = ("g" if readers & ~allowed & stat.S_IRGRP else "") + (
            "o" if readers & ~allowed & stat.S_IROTH else ""
        )
        yield (
            f"{database} holds a copy of {registry}, and may be read by others who may not read"
            f" that: chmod {letters}-r {database}"
        )


def _readers_of(path: Path) -> int | None:
    """Return who but its user may read a file, as in its mode; None if there is none."""
    try:
        return os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH)
    except OSError:
        return None


def _is_open_to_all(path: Path) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    # In a folder such as /tmp nobody may replace what is another's.
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
