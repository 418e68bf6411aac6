"""The records of attempts that somebody has deleted, as far as their processes still tell.

The command line of an attempt's processes names its record.  Where the record is put back, the
supervisor writes down the end as if nothing had happened.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from scheduler.service.executors.records import ProcessId, Record, read_record
from scheduler.service.executors.supervisor import record_line, start_of, write


def put_back(child: str, folder: Path, *, also_single: bool) -> tuple[Record, ...]:
    """Write anew the records below a folder that are gone and whose attempts still run.

    ``also_single``: those too of which but one process is left, which may not have begun.

    Raises:
        OSError: one cannot be written.
    """
    records: list[Record] = []
    for found in _alive(child, folder):
        if found.path.exists() or (found.script == found.supervisor and not also_single):
            continue
        found.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        ids = (found.script, found.supervisor)
        line = record_line(*(part for id in ids for part in (id.pid, id.start)))
        with contextlib.suppress(FileExistsError):
            write(str(found.path), line, os.O_CREAT | os.O_EXCL)
        records.append(read_record(found.path) or found)
    return tuple(records)


def _alive(child: str, folder: Path) -> Iterator[Record]:
    """Yield what the record of each attempt that still runs would say."""
    leaders: dict[Path, dict[int, int]] = {}  # parents of those that lead a session, by record
    for process in psutil.process_iter():
        # They end as we look, and those of others may not be looked at.
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            at = words.index(child) + 1 if child in words else len(words)
            if at < len(words) and Path(words[at]).parent.parent == folder:
                if os.getsid(process.pid) == process.pid:
                    leaders.setdefault(Path(words[at]), {})[process.pid] = process.ppid()
    for path, parents in leaders.items():
        pair = next(((pid, up) for pid, up in parents.items() if up in parents), None)
        # One alone: its supervisor was killed; or the script goes by another name by now, and its
        # supervisor, which ends when it does, is as good.
        script, supervisor = pair or (min(parents),) * 2
        yield Record(path=path, script=_id(script), supervisor=_id(supervisor))


def _id(pid: int) -> ProcessId:
    return ProcessId(pid=pid, start=start_of(pid))
