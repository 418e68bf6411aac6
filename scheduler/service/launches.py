"""From a decision to start an attempt to all that it takes: interpreter, words, environment.

Files are only looked at here; starting belongs to the executors.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from scheduler.engine.commands import StartAttempt
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError
from scheduler.registry.arguments import ArgumentValues, format_arguments, read_arguments
from scheduler.registry.masking import secret_values
from scheduler.registry.routine import Routine, Variable, Warm
from scheduler.registry.task_id import wall_text
from scheduler.service.config import Settings
from scheduler.service.executors.protocol import Adoption, Launch, LaunchError
from scheduler.service.logs import log_path
from scheduler.service.registry_files import Venvs, interpreter_of
from scheduler.zones import to_instant, to_utc, zone_named

_GRACE = timedelta(seconds=10)  # of a routine that is not in the registry any more


@dataclass(slots=True, kw_only=True)
class Launcher:
    """Makes the launches of one scheduler."""

    name: str  # of the scheduler
    settings: Settings
    venvs: Venvs = field(default_factory=dict[str, str | None])
    #: The scheduler's own environment, which never changes; `os.environ` decodes it at each look.
    inherited: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def database(self) -> str:
        """Return what tells processes of this scheduler from those of another of its name."""
        return os.path.realpath(self.settings.database)

    def launch(self, routine: Routine, start: StartAttempt, *, log: Path | None) -> Launch:
        """Return all that it takes to start the attempt; ``log`` takes its output.

        Raises:
            LaunchError: its arguments or its file of environment variables cannot be used.
        """
        script = routine.script
        variables, from_files = _own_variables(routine)
        arguments = _arguments(routine, start)
        # An attempt without a log is nobody's: `run` records nothing.
        own = self._variables(routine, start, "" if log is None else self.database)
        environment = {**self.inherited, **variables, **own}
        folder = os.path.dirname(script) if script is not None else routine.folder
        return Launch(
            task=str(start.task),
            attempt=start.attempt,
            python=self._interpreter(routine),
            script=script,
            module=routine.module,
            arguments=arguments,
            directory=routine.directory or folder,
            environment=environment,
            log=log,
            log_limit=self.settings.log_size_per_attempt,
            grace=routine.grace.total_seconds(),
            warm=routine.warm is Warm.AUTO,
            preload=routine.preload,
            secrets=secret_values(environment, arguments, from_files),
        )

    def adoption(self, routine: Routine | None, id: TaskId, attempt: int) -> Adoption:
        """Return all that it takes to look after an attempt that an earlier scheduler began.

        ``routine`` is its routine as it was then, if that is known.
        """
        grace = _GRACE if routine is None else routine.grace
        secrets: tuple[str, ...] = ()
        if routine is not None:
            with suppress(LaunchError):  # a file that is gone by now
                variables, from_files = _own_variables(routine)
                own = {**self.inherited, **variables}
                secrets = secret_values(own, routine.arguments, from_files)
        return Adoption(
            task=str(id),
            attempt=attempt,
            scheduler=self.name,
            database=self.database,
            log=self.log_of(id, attempt),
            log_limit=self.settings.log_size_per_attempt,
            grace=grace.total_seconds(),
            secrets=secrets,
        )

    def log_of(self, id: TaskId, attempt: int) -> Path:
        """Return the path of an attempt's log."""
        text = wall_text(id.instant, id.zone)
        return log_path(self.settings.log_directory, id.routine, text, attempt)

    def _interpreter(self, routine: Routine) -> str:
        default = self.settings.python
        found = interpreter_of(routine, default, self.venvs)
        if routine.python is not None or os.path.isfile(found):
            return found
        # A venv may have been moved or made anew since it was found.  Where it is gone another
        # interpreter would lack its libraries: that one is named as what is missing.
        venvs: Venvs = {}
        again = interpreter_of(routine, default, venvs)
        if again in (default, sys.executable):
            return found
        self.venvs.clear()
        self.venvs.update(venvs)
        return again

    def _variables(self, routine: Routine, start: StartAttempt, database: str) -> Mapping[str, str]:
        return {
            "SCHEDULER_NAME": self.name,
            "SCHEDULER_DATABASE": database,
            "SCHEDULER_TASK": str(start.task),
            "SCHEDULER_ROUTINE": routine.name,
            "SCHEDULER_INSTANT": _iso(start.task.instant, routine.zone),
            "SCHEDULER_PREVIOUS_INSTANT": _iso(start.previous_instant, routine.zone),
            "SCHEDULER_SINCE": _iso(start.since, routine.zone),
            "SCHEDULER_ATTEMPT": str(start.attempt),
        }


def _own_variables(routine: Routine) -> tuple[dict[str, str], list[str]]:
    """Return the routine's variables, the last of a name, and all the values out of files."""
    variables: dict[str, str] = {}
    from_files: list[str] = []
    for entry in routine.environment:
        if isinstance(entry, Variable):
            variables[entry.name] = entry.value
            continue
        read = _variables_in(entry.path)
        variables.update(read)
        from_files.extend(read.values())
    return variables, from_files


def _variables_in(path: str) -> dict[str, str]:
    from dotenv import dotenv_values  # slow to import, and seldom needed

    if not os.path.isfile(path):
        raise LaunchError(f"environment file {path} does not exist")
    try:
        values = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LaunchError(f"environment file {path} cannot be read: {_reason(error)}") from error
    return {name: value for name, value in values.items() if value is not None}


def _reason(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read, without what it holds."""
    return error.reason if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)


def _arguments(routine: Routine, start: StartAttempt) -> tuple[str, ...]:
    zone = zone_named(routine.zone).info
    values = ArgumentValues(
        instant=start.task.instant.astimezone(zone),
        previous_instant=start.previous_instant and start.previous_instant.astimezone(zone),
        since=start.since and start.since.astimezone(zone),
        routine=routine.name,
        attempt=start.attempt,
        nominal=to_utc(routine.nominal(to_instant(start.task.instant))).astimezone(zone),
    )
    try:
        words = routine.arguments if start.arguments is None else read_arguments(start.arguments)
        return format_arguments(words, values)
    except SchedulerError as error:
        raise LaunchError(str(error)) from error


def _iso(moment: datetime | None, zone: str) -> str:
    return "" if moment is None else moment.astimezone(zone_named(zone).info).isoformat()
