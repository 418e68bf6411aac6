"""The registry as it lies on disk: opening its files, and whether what it names is there.

What the files mean is the reader's business.
"""

import gc
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scheduler.errors import Problem, RegistryError, SchedulerError
from scheduler.registry.examine import examine
from scheduler.registry.paths import shown_path
from scheduler.registry.reader import read_registry
from scheduler.registry.registry import Registry
from scheduler.registry.routine import Routine, VariableFile
from scheduler.service.config import machine_timezone, plain_path
from scheduler.zones import to_instant

_STATICS = "{statics}/"
_VENVS = (".venv", "venv")
_PYTHONS = ("bin/python", "Scripts/python.exe")

# Of a path that somebody has to look for; one that is longer is hardly one.
_LONGEST_PATH = 400

Venvs = dict[str, str | None]
"""The interpreter that a script in each folder gets from a venv, as far as it was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `check_registry` found."""

    names: tuple[str, ...]  # of the routines that could be read, also when there are errors
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    registry: Registry | None  # None if there are errors that keep it from being loaded
    #: path and content of each file that was read
    sources: tuple[tuple[str, bytes], ...] = field(repr=False)


class RegistryFiles:
    """The files that a registry consists of, for the reader."""

    def __init__(self) -> None:
        self._statics = str(statics_folder())

    def read(self, path: str) -> bytes:
        """Return the content of a file.

        Raises:
            SchedulerError: it cannot be read; the message says why.
        """
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            raise SchedulerError(f"there is no file {path}") from None
        except IsADirectoryError:
            raise SchedulerError(f"{path} is a folder, not a file") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SchedulerError(f"{path} cannot be read: {reason or error}") from error

    def resolve(self, folder: str, path: str) -> str:
        """Return the path, absolute and normal; a relative one starts at ``folder``."""
        written = plain_path(path)
        if written.startswith(_STATICS):
            folder, written = self._statics, written.removeprefix(_STATICS)
        return os.path.abspath(os.path.join(folder, written))

    def folder_of(self, file: str) -> str:
        """Return the absolute path of the folder that a file stands in."""
        return os.path.dirname(os.path.abspath(file))


def statics_folder() -> Path:
    """Return the folder of the scripts that ship with the program, in a wheel or a checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "statics"
    return packed if packed.is_dir() else package.parent / "statics"


def load_registry(path: str | os.PathLike[str], timezone: str | None = None) -> Registry:
    """Return the registry in a file.

    ``timezone`` is for routines and files that name none; by default the machine's.  Scripts need
    not exist.

    Raises:
        RegistryError: something in it is wrong; all its problems.
    """
    report = check_registry(path, timezone)
    if report.registry is None:
        raise RegistryError(report.errors, report.names)
    return report.registry


def check_registry(
    path: str | os.PathLike[str],
    timezone: str | None = None,
    *,
    with_files: bool = False,
    python: str | None = None,
    around: datetime | None = None,
) -> CheckReport:
    """Return all that is wrong, or surprising, in a registry file; never raise for its content.

    ``with_files`` looks also for the scripts, interpreters, folders and environment files that it
    names; ``python`` is the interpreter that config.cfg gives.  What is missing then is an error,
    but the registry can be loaded.  ``around`` is now, for warnings of what the year after brings.
    """
    file, files = os.fspath(path), RegistryFiles()
    try:
        data = files.read(file)
    except SchedulerError as error:
        problem = Problem(file=file, line=None, column=None, routine=None, message=str(error))
        return CheckReport(names=(), errors=(problem,), warnings=(), registry=None, sources=())
    with _without_collector():
        reading = read_registry(
            data, file=file, files=files, timezone=timezone or machine_timezone()
        )
        findings = examine(reading.routines, around=None if around is None else to_instant(around))
    # What is said of a routine that lost an upstream may be wrong once that is mended.
    sure = (found for found in findings.errors if found.routine not in reading.doubtful)
    errors = [*reading.errors, *sure]
    registry = (
        None
        if errors
        else Registry(reading.routines, timezone=reading.timezone, pools=reading.pools)
    )
    if with_files:
        errors += _missing_files(reading.routines, python)
    return CheckReport(
        names=reading.names,
        errors=_in_order(errors, file),
        warnings=_in_order(
            [
                *reading.warnings,
                *(found for found in findings.warnings if found.routine not in reading.doubtful),
            ],
            file,
        ),
        registry=registry,
        sources=reading.sources,
    )


@contextmanager
def _without_collector() -> Generator[None]:
    """Leave the garbage collector off: of a hundred thousand new routines none is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _in_order(problems: list[Problem], main_file: str) -> tuple[Problem, ...]:
    """Return the problems file by file, the main one first, each from its top to its end."""
    files = dict.fromkeys([main_file, *(problem.file for problem in problems)])
    rank = {file: number for number, file in enumerate(files)}

    def place(problem: Problem) -> tuple[int, int, int]:
        return rank[problem.file], problem.line or 0, problem.column or 0

    return tuple(sorted(problems, key=place))


def interpreter_of(routine: Routine, default: str | None, venvs: Venvs | None = None) -> str:
    """Return the interpreter that runs a routine, whether it exists or not.

    Its own; else that of a ``.venv`` or ``venv`` beside its script or in a folder above; else
    ``default``, which config.cfg gives; else the one that runs the scheduler.  ``venvs`` keeps
    what was found, for callers that ask for thousands at once.
    """
    if routine.python is not None:
        return _own_interpreter(routine.python, routine.folder)
    start = os.path.dirname(routine.script) if routine.script else routine.directory
    found = _venv_python(start or routine.folder, {} if venvs is None else venvs)
    return found or default or sys.executable


def _own_interpreter(python: str, folder: str) -> str:
    """Return the path, or what a mere word such as ``python3.12`` stands for on the search path."""
    # The reader made the word a path of the routine's folder, where there is no such file.
    is_word = os.path.dirname(python) == folder and not os.path.exists(python)
    return (shutil.which(os.path.basename(python)) if is_word else None) or python


def _venv_python(folder: str, venvs: Venvs) -> str | None:
    if folder not in venvs:
        candidates = (os.path.join(folder, venv, python) for venv in _VENVS for python in _PYTHONS)
        above = os.path.dirname(folder)
        found = next(filter(os.path.isfile, candidates), None)
        if found is None and above != folder:
            found = _venv_python(above, venvs)
        venvs[folder] = found
    return venvs[folder]


def _missing_files(routines: tuple[Routine, ...], python: str | None) -> Iterator[Problem]:
    venvs: Venvs = {}
    for routine in routines:
        for message in _missing_of(routine, interpreter_of(routine, python, venvs)):
            place = routine.place
            yield Problem(
                file=place.file if place else "registry",
                line=place.line if place else None,
                column=place.column if place else None,
                routine=routine.name,
                message=f"routine {routine.name!r}: {message}",
            )


def _missing_of(routine: Routine, interpreter: str) -> Iterator[str]:
    if routine.script is not None and not os.path.isfile(routine.script):
        yield f"there is no script {shown_path(routine.script, _LONGEST_PATH)}"
    if not os.path.isfile(interpreter):
        yield f"there is no interpreter {shown_path(interpreter, _LONGEST_PATH)}"
    elif not os.access(interpreter, os.X_OK):
        yield f"the interpreter {shown_path(interpreter, _LONGEST_PATH)} may not be executed"
    if routine.directory is not None and not os.path.isdir(routine.directory):
        yield f"there is no directory {shown_path(routine.directory, _LONGEST_PATH)}"
    for entry in routine.environment:
        if isinstance(entry, VariableFile) and not os.path.isfile(entry.path):
            yield f"there is no environment file {shown_path(entry.path, _LONGEST_PATH)}"
