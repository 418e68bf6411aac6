"""Interpreters that pipx and uv made for a tool: how they are known, and the warning of them."""

import json
from pathlib import Path

import pytest

from scheduler.errors import Problem
from scheduler.registry.routine import Routine
from scheduler.service.tool_environments import maker_of, warnings_of
from tests.support.memory_files import read

#: as pipx 1.8 and uv 0.9 write them
PIPX = {"main_package": {"package": "scheduler"}, "injected_packages": {}}
UV = '[tool]\nrequirements = [{ name = "scheduler" }]\n'
UV_WITH = '[tool]\nrequirements = [\n    { name = "scheduler" },\n    { name = "pandas" },\n]\n'


def an_environment(folder: Path, receipt: str = "", text: str = "") -> str:
    """Make an environment with a receipt in it, and return its interpreter."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(mode=0o755)
    if receipt:
        (folder / receipt).write_text(text)
    return str(python)


@pytest.mark.parametrize(
    ("receipt", "text", "maker"),
    [
        ("pipx_metadata.json", json.dumps(PIPX), "pipx"),
        ("pipx_metadata.json", json.dumps({**PIPX, "injected_packages": {"pandas": {}}}), None),
        ("pipx_metadata.json", "{", "pipx"),
        ("pipx_metadata.json", "[]", "pipx"),
        ("uv-receipt.toml", UV, "uv"),
        ("uv-receipt.toml", UV_WITH, None),
        ("uv-receipt.toml", "[tool", "uv"),
        ("uv-receipt.toml", "tool = 1", "uv"),
        ("pyvenv.cfg", "home = /usr/bin\n", None),
    ],
)
def test_what_made_an_environment_is_known_by_the_receipt_that_it_left(
    receipt: str, text: str, maker: str | None, tmp_path: Path
) -> None:
    assert maker_of(an_environment(tmp_path / "moved", receipt, text)) == maker


@pytest.mark.parametrize(
    ("folder", "maker"),
    [
        ("pipx/venvs/scheduler", "pipx"),
        ("uv/tools/scheduler", "uv"),
        ("uv/tools", None),
        ("tools/scheduler", None),
        ("uv/tools/scheduler/inner", None),
        ("pipx/venvs2/scheduler", None),
        ("my-pipx/venvs/scheduler", None),
        (".venv", None),
    ],
)
def test_without_a_receipt_it_is_known_by_its_folder(
    folder: str, maker: str | None, tmp_path: Path
) -> None:
    assert maker_of(an_environment(tmp_path / folder)) == maker


def test_an_interpreter_that_is_not_there_was_made_by_nobody() -> None:
    assert maker_of("/no/such/python") is None
    assert maker_of("python") is None


def routines(*names: str) -> list[Routine]:
    jobs = "\n".join(f'<job name="{name}" script="{name}.py"/>' for name in names)
    return list(read(f"<registry>\n{jobs}\n</registry>").routines)


def test_one_warning_names_all_routines_of_an_environment(tmp_path: Path) -> None:
    tool = an_environment(tmp_path / "pipx/venvs/scheduler")
    other = an_environment(tmp_path / "uv/tools/black")
    many = routines(*(f"r{number}" for number in range(1_234)), "last")
    used = [(routine, tool) for routine in many[:-1]] + [(many[-1], other)]
    first, second = warnings_of([*used, (many[0], "/usr/bin/python3")], "registry.xml")
    assert str(first) == (
        f"registry.xml: 1,234 routines (r0, r1, r2, r3, r4 and 1,229 more) run with {tool}, of a"
        " tool that pipx installed: it has the libraries of that tool, not those of the scripts"
        " (put a .venv with their libraries beside the scripts, or name another interpreter:"
        " python in [scheduler] of config.cfg, or python on the job)"
    )
    assert (first.routine, first.line) == (None, None)
    assert second.message.startswith(f"routine 'last' runs with {other}, of a tool that uv")


def test_a_warning_of_one_routine_is_at_its_place(tmp_path: Path) -> None:
    tool = an_environment(tmp_path / "pipx/venvs/scheduler")
    load, report = routines("load", "report")
    (found,) = warnings_of([(load, "/usr/bin/python3"), (report, tool)], "other.xml")
    assert isinstance(found, Problem)
    assert (found.routine, found.line, found.file != "other.xml") == ("report", 3, True)
    (both,) = warnings_of([(load, tool), (report, tool)], "other.xml")
    assert both.message.startswith("2 routines (load, report) run with")
