"""``check``: every problem of config and registry, and what is legal but surprising."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scheduler.cli.printing import Page, Style, clean, page_of, say, say_json, styled, table
from scheduler.cli.sources import config_of_folder
from scheduler.cli.times import now
from scheduler.errors import ConfigError, Problem, SchedulerError
from scheduler.registry.registry import Registry
from scheduler.service.config import Settings, read_config
from scheduler.service.registry_files import Venvs, check_registry, interpreter_of
from scheduler.service.tool_environments import warnings_of

_HAS_ERRORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a check found."""

    names: tuple[str, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    interpreters: tuple[tuple[str, str], ...] = ()  # (routine, interpreter)


def check(arguments: Namespace) -> int:
    """Print what a check found."""
    found = _findings(arguments)
    if arguments.json:
        say_json(
            {
                "count": len(found.names),
                "routines": list(found.names),
                "errors": [asdict(problem) for problem in found.errors],
                "warnings": [asdict(problem) for problem in found.warnings],
            }
        )
    else:
        say(*check_lines(found, page_of(sys.stdout)))
    return _HAS_ERRORS if found.errors else 0


def check_lines(found: Findings, page: Page) -> list[str]:
    """Return what is printed: errors, warnings, interpreters, and the sum of it."""
    lines = [
        styled(clean(str(problem)), style, page)
        for problems, style in ((found.errors, Style.RED), (_marked(found.warnings), Style.YELLOW))
        for problem in problems
    ]
    if lines:
        lines.append("")
    lines += _interpreter_lines(found.interpreters, page)
    counts = (
        _counted(len(found.names), "routine"),
        _counted(len(found.errors), "error"),
        _counted(len(found.warnings), "warning"),
    )
    style = Style.RED if found.errors else Style.GREEN
    return [*lines, styled(", ".join(counts), style, page)]


def _findings(arguments: Namespace) -> Findings:
    config = None
    if arguments.registry is None or arguments.config_file is not None:
        config = config_of_folder(arguments)
        if config is None:
            raise SchedulerError("there is no config.cfg here: give --config_file or --registry")
    try:
        settings = None if config is None else read_config(config)
    except ConfigError as error:
        if arguments.registry is None:
            return Findings(errors=error.problems)
        found = _findings_of(arguments.registry, None)
        return Findings(
            names=found.names, errors=(*error.problems, *found.errors), warnings=found.warnings
        )
    path = arguments.registry
    if path is None:
        assert settings is not None
        path = str(settings.registry)
    return _findings_of(path, settings)


def _findings_of(path: str, settings: Settings | None) -> Findings:
    timezone, python = (settings.timezone, settings.python) if settings else (None, None)
    report = check_registry(path, timezone, with_files=True, python=python, around=now())
    warnings, interpreters = list(report.warnings), tuple[tuple[str, str], ...]()
    if report.registry is not None:
        venvs: Venvs = {}
        used = [
            (routine, interpreter_of(routine, python, venvs))
            for routine in report.registry.values()
        ]
        interpreters = tuple((routine.name, interpreter) for routine, interpreter in used)
        warnings += warnings_of(used, path)
        if settings is not None:
            warnings += _changed_days(report.registry, settings)
    return Findings(
        names=report.names,
        errors=report.errors,
        warnings=tuple(warnings),
        interpreters=interpreters,
    )


def _changed_days(registry: Registry, settings: Settings) -> list[Problem]:
    """Return the schedules whose days the program's ancestor read otherwise, in its folders."""
    from scheduler.service.ancestor import changed_days
    from scheduler.service.wiring import is_ancestors

    if not settings.has_session and not is_ancestors(Path(settings.database)):
        return []
    problems: list[Problem] = []
    for changed in changed_days(registry):
        place = registry[changed.routine].place
        problems.append(
            Problem(
                file=place.file if place else str(settings.registry),
                line=place.line if place else None,
                column=place.column if place else None,
                routine=changed.routine,
                message=str(changed),
                hint="or accept the new days: start --accept_cron_days",
            )
        )
    return problems


def _marked(warnings: Sequence[Problem]) -> list[Problem]:
    return [
        Problem(
            file=one.file,
            line=one.line,
            column=one.column,
            routine=one.routine,
            message=f"warning: {one.message}",
            hint=one.hint,
        )
        for one in warnings
    ]


def _interpreter_lines(interpreters: Sequence[tuple[str, str]], page: Page) -> list[str]:
    paths = list(dict.fromkeys(path for _, path in interpreters))
    if len(paths) < 2:
        return [clean(f"each routine runs with {path}") for path in paths]
    return ["Interpreters", *table(interpreters, page)]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
