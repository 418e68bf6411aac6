"""Interpreters that were made for a tool: by pipx, or by ``uv tool``.

Each has an environment for one program, this one say, and the libraries of that program alone.  A
script that runs there finds none of its own.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scheduler.errors import Problem
from scheduler.registry.routine import Routine

_SHOWN = 5  # routines that a warning names
_WAY_OUT = (
    "put a .venv with their libraries beside the scripts, or name another interpreter: python in"
    " [scheduler] of config.cfg, or python on the job"
)
#: where such environments lie, whether what made them has left its receipt or not
_FOLDERS = (("pipx", "venvs"), ("uv", "tools"))


def warnings_of(interpreters: Sequence[tuple[Routine, str]], file: str) -> list[Problem]:
    """Return a warning for each tool whose environment runs routines, all of these in one.

    ``file`` is the registry.
    """
    made: dict[str, str | None] = {}  # by interpreter: tens of thousands of routines share one
    used: dict[tuple[str, str], list[Routine]] = {}
    for routine, interpreter in interpreters:
        if interpreter not in made:
            made[interpreter] = maker_of(interpreter)
        maker = made[interpreter]
        if maker is not None:
            used.setdefault((interpreter, maker), []).append(routine)
    return [_warning(routines, *which, file) for which, routines in used.items()]


def maker_of(interpreter: str) -> str | None:
    """Return what made the environment of an interpreter for one tool: pipx or uv; else None.

    One into which somebody has put more than the tool is taken for the scripts' own.
    """
    prefix = Path(interpreter).parent.parent
    for name, (maker, holds_more) in _RECEIPTS.items():
        try:
            text = (prefix / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        return None if holds_more(text) else maker
    above = prefix.parent.parent.name, prefix.parent.name
    return above[0] if above in _FOLDERS else None


def _has_injected(text: str) -> bool:
    """Return whether somebody used ``pipx inject``."""
    try:
        return bool(json.loads(text)["injected_packages"])
    except (ValueError, TypeError, KeyError):
        return False


def _has_with(text: str) -> bool:
    """Return whether somebody used ``uv tool install --with``."""
    try:
        return len(tomllib.loads(text)["tool"]["requirements"]) > 1
    except (ValueError, TypeError, KeyError):
        return False


#: what a maker leaves in an environment, and whether that tells of more than the tool
_RECEIPTS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "pipx_metadata.json": ("pipx", _has_injected),
    "uv-receipt.toml": ("uv", _has_with),
}


def _warning(routines: Sequence[Routine], interpreter: str, maker: str, file: str) -> Problem:
    """Return the warning, at its place where it is of one routine."""
    place = routines[0].place if len(routines) == 1 else None
    return Problem(
        file=place.file if place else file,
        line=place.line if place else None,
        column=place.column if place else None,
        routine=routines[0].name if len(routines) == 1 else None,
        message=(
            f"{_named([routine.name for routine in routines])} with {interpreter}, of a tool that"
            f" {maker} installed: it has the libraries of that tool, not those of the scripts"
        ),
        hint=_WAY_OUT,
    )


def _named(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"routine {names[0]!r} runs"
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{len(names):,} routines ({', '.join(names[:_SHOWN])}{more}) run"
