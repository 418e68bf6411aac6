"""``scheduler backup``: copies the state, of a live scheduler too, and puts a copy back."""

import os
from argparse import Namespace
from pathlib import Path

from scheduler.cli.printing import clean, say, say_json
from scheduler.cli.sources import data_folder_of, live_of
from scheduler.cli.times import now
from scheduler.errors import SchedulerError
from scheduler.service.instance import NotRunningError, Remembered, claim_database

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def backup(arguments: Namespace) -> int:
    """Make a backup and say how to go back to it; or go back to one."""
    if arguments.target is not None and arguments.restore is not None:
        raise SchedulerError("backup takes one of: TARGET, --restore FILE")
    folder = data_folder_of(arguments)
    if arguments.restore is not None:
        return _restore(Path(arguments.restore), folder, arguments)
    return _back_up(folder, arguments)


def _back_up(folder: Remembered, arguments: Namespace) -> int:
    from scheduler.service.safekeeping import in_shell, restore_words
    from scheduler.service.store.backup import back_up

    target = None if arguments.target is None else Path(arguments.target)
    made = back_up(Path(folder.database), target, now())
    command = restore_words(made.path, name=folder.name, config=folder.config)
    if arguments.json:
        say_json(
            {
                "backup": str(made.path),
                "database": folder.database,
                "size": made.size,
                "schema": made.schema,
                "restore": command,
            }
        )
        return 0
    say(
        clean(f"{made.path} holds the state of {folder.name}: {size_in_words(made.size)}, checked"),
        "to go back to it, once the scheduler has ended:",
        clean(f"  {in_shell(command)}"),
    )
    return 0


def _restore(file: Path, folder: Remembered, arguments: Namespace) -> int:
    from scheduler.service.store.backup import put_back

    try:
        live = live_of(arguments)
    except NotRunningError:
        pass
    else:
        raise SchedulerError(
            f"scheduler {live.name} (pid {live.pid}) is running: stop it first (scheduler stop"
            f" --scheduler_name {live.name}), then put the backup back"
        )
    database = Path(folder.database)
    with claim_database(database):
        kept = put_back(file, database)
    if arguments.json:
        say_json(
            {
                "restored": os.path.abspath(file),
                "database": str(database),
                "kept": None if kept is None else str(kept),
            }
        )
        return 0
    say(clean(f"{database} is now as it was in {file}"))
    if kept is not None:
        say(clean(f"what was there before is kept as {kept}"))
    say("what ran since then is not known any more: the next start runs what has been due since")
    say("(start --fresh skips that)")
    return 0


def size_in_words(size: int) -> str:
    """Return ``12 KB``, ``1.5 MB`` or ``2.0 GB``."""
    if size < 1000:
        return f"{size} bytes"
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 1 else f"{value:.1f} {_UNITS[unit]}"
